"""What is written for people holds: links lead somewhere, workflows in it are valid, indexes are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass_runner.workflow.parse import parse_workflow

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "samples").rglob("*.md")),
    *sorted((ROOT / "actions").rglob("*.md")),
]
SAMPLES = sorted((ROOT / "samples").glob("*/.windlass/workflows/*.yaml"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def workflows_in(page: Path) -> Iterator[str]:
    """Whole workflows among a page's YAML: those that have jobs."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    yield from (block for block in blocks if re.search(r"^jobs:", block, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    own = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith("#")]
    assert [link for link in own if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "tutorial.md"], ids=name_of)
def test_the_workflows_that_people_copy_are_valid(page: Path) -> None:
    found = list(workflows_in(page))
    assert found
    for text in found:
        assert parse_workflow(text, path=name_of(page)).workflow.jobs


@pytest.mark.parametrize("sample", SAMPLES, ids=name_of)
def test_every_sample_is_valid(sample: Path) -> None:
    parsed = parse_workflow(sample.read_text(encoding="utf-8"), path=name_of(sample))
    assert parsed.warnings == ()


def test_the_index_of_decisions_lists_each_note_by_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "index.md").read_text(encoding="utf-8")
    for note in sorted(folder.glob("[0-9]*.md")):
        title = note.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        assert f"- [{title}]({note.name})" in index
