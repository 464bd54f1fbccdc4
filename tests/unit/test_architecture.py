"""Who may import whom, as `[tool.importlinter]` in pyproject.toml says: that it holds, and that it bites."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("registry", "runner", "actions")
ACTIONS = ROOT / "actions"
PLANTED = [
    ("runner/windlass_runner/workflow/graph.py", "import windlass_runner.run.states", "one direction"),
    ("runner/windlass_runner/expressions/nodes.py", "import windlass_runner.plan.model", "one direction"),
    ("runner/windlass_runner/forges/base.py", "import windlass_runner.ledger.ids", "one direction"),
    ("runner/windlass_runner/run/states.py", "import windlass_runner.daemon.settings", "one direction"),
    ("runner/windlass_runner/attic/__init__.py", "", "one direction"),
    ("registry/windlass_registry/errors.py", "import windlass_runner.plan.model", "knows nothing"),
    ("runner/windlass_runner/daemon/worker.py", "import docker", "Only engines"),
    ("runner/windlass_runner/forges/github/forge.py", "import github", "Only its client"),
    ("registry/windlass_registry/index.py", "import tuf.api.metadata", "Only trust speaks TUF"),
    ("registry/windlass_registry/sources/builtin.py", "import windlass_actions", "packages like any other"),
    ("runner/windlass_runner/run/states.py", "import windlass_runner.testing", "for tests"),
    ("runner/windlass_runner/plan/matrix.py", "import subprocess", "nothing outside"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's sources, to be spoiled."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in SOURCES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def lint_imports(folder: Path) -> tuple[int, str]:
    program = Path(sys.executable).with_name("lint-imports")
    paths = os.pathsep.join(str(folder / name) for name in SOURCES)
    done = subprocess.run(
        [program, "--no-cache", "--config", "pyproject.toml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def imported(path: Path) -> Iterator[str]:
    """The top-level names of all modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=module, level=level):
                yield "." * level + (module or "").partition(".")[0]


def foreign_imports(folder: Path) -> list[str]:
    """What Python files below a folder import beyond the standard library and files beside them, as
    `file: name`."""
    return [
        f"{path.relative_to(folder)}: {name}"
        for path in sorted(folder.rglob("*.py"))
        for name in imported(path)
        if name not in sys.stdlib_module_names and not (name and (path.parent / f"{name}.py").is_file())
    ]


def test_the_rooms_import_in_one_direction(copy: Path) -> None:
    code, text = lint_imports(copy)
    assert code == 0, text
    assert "0 broken" in text


@pytest.mark.parametrize(("path", "line", "rule"), PLANTED)
def test_a_planted_import_against_the_direction_is_caught(
    copy: Path, path: str, line: str, rule: str
) -> None:
    file = copy / path
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{line}\n")
    code, text = lint_imports(copy)
    broken = [found for found in text.splitlines() if found.endswith("BROKEN")]
    assert code != 0, text
    assert any(rule in name for name in broken), text


def test_actions_need_the_standard_library_alone() -> None:
    assert len(list(ACTIONS.rglob("main.py"))) >= 4
    assert foreign_imports(ACTIONS) == []


def test_an_action_that_needs_more_is_caught(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import json\nimport windlass_runner.cli\nfrom yaml import load\n")
    (tmp_path / "part.py").write_text("def late():\n    from . import main\n")
    assert foreign_imports(tmp_path) == ["main.py: windlass_runner", "main.py: yaml", "part.py: ."]
