"""Security notices as people use them: a publisher tells, and who uses the releases hears of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from integration.commands.conftest import Project
from integration.commands.test_registry import ACTION, WORKFLOW, Here, keys

FILE = ".windlass/workflows/w.yaml"


@pytest.fixture
def project(project: Project, tmp_path: Path) -> Project:
    """A repository whose lock pins acme/greet 1.0.0, after which 1.1.0 came out."""
    here = Here(root=project.root, environment=project.environment)
    here.write("actions/greet/action.yml", ACTION)
    here.workflow(WORKFLOW)
    assert here.windlass("registry", "init", str(tmp_path / "registry")).code == 0
    assert here.windlass("keys", "new", "acme").code == 0
    public = str(keys(tmp_path) / "acme.owner.pub")
    assert here.windlass("registry", "grant", "acme", "--key", public).code == 0
    assert here.windlass("publish", "actions/greet").code == 0
    assert here.windlass("lock").code == 0
    here.write("actions/greet/action.yml", ACTION.replace("1.0.0", "1.1.0"))
    assert here.windlass("publish", "actions/greet").code == 0
    here.commit()
    return here


def advise(project: Project, *words: str) -> dict[str, object]:
    said = ("--severity", "high", "--title", "Logs the token", "--text", "Anybody reads it.")
    answer = project.windlass("advise", "acme/greet", "--versions", "<1.1.0", *said, "--json", *words)
    assert answer.code == 0, answer.err
    found: dict[str, object] = json.loads(answer.out)
    return found


def test_who_uses_a_dangerous_release_hears_of_it_everywhere(project: Project) -> None:
    told = advise(project)
    assert (told["releases"], told["not_affected"]) == (["1.0.0"], ["1.1.0"])
    line = f"security notice {told['id']} (high, <1.1.0): Logs the token"
    assert f"acme/greet 1.0.0: {line}" in project.windlass("lock").err
    assert f"acme/greet 1.0.0: {line}" in project.windlass("plan", FILE).out
    verified = project.windlass("verify")
    assert verified.code == 0
    assert f"! notice     {line}" in verified.out
    info = project.windlass("info", "acme/greet@v1.0.0")
    assert line in info.out
    assert "Anybody reads it." in info.out
    newest = project.windlass("info", "acme/greet")
    assert line not in newest.out
    assert "1.0.0" in newest.out
    assert "security notice" in newest.out
    assert "security notice" not in project.windlass("search", "greet").out
    moved = project.windlass("lock", "--upgrade", "--no-cool-down")
    assert moved.code == 0, moved.err
    assert line not in project.windlass("plan", FILE).out


def test_a_runner_may_refuse_what_is_dangerous_before_any_code_runs(project: Project) -> None:
    project.write("windlass.toml", '[policy]\nrefuse_advisories = "high"\n')
    assert project.windlass("validate", FILE).code == 0
    told = advise(project)
    refused = project.windlass("run", FILE, "--engine", "process")
    assert refused.code == 2
    assert f"'acme/greet@v1' may not run here: acme/greet 1.0.0 has a security notice {told['id']}" in (
        refused.err
    )
    assert "hello" not in refused.out
    assert project.windlass("lock", "--upgrade", "--no-cool-down").code == 0
    assert project.windlass("validate", FILE).code == 0


def test_what_is_less_severe_than_the_rule_runs(project: Project) -> None:
    project.write("windlass.toml", '[policy]\nrefuse_advisories = "critical"\n')
    advise(project)
    assert project.windlass("validate", FILE).code == 0


def test_a_range_passes_over_what_the_rule_refuses(project: Project) -> None:
    project.write("windlass.toml", '[policy]\nrefuse_advisories = "low"\n')
    advise(project, "--versions", "=1.1.0")
    (project.root / ".windlass" / "lock.yaml").unlink()
    assert project.windlass("lock").code == 0
    assert 'version: "1.0.0"' in (project.root / ".windlass" / "lock.yaml").read_text()


def test_a_notice_is_taken_back(project: Project) -> None:
    id = str(advise(project)["id"])
    wrong = project.windlass("advise", "acme/greet", "--withdraw", "WN-00000000")
    assert wrong.code == 2
    assert f"there are: {id} (Logs the token)" in wrong.err
    assert project.windlass("advise", "acme/greet", "--withdraw", id).out == (
        f"{id} is withdrawn from acme/greet 1.0.0\n"
    )
    assert "security notice" not in project.windlass("lock").err
    again = project.windlass("advise", "acme/greet", "--withdraw", id)
    assert "there are: none" in again.err


def test_a_dry_run_signs_nothing(project: Project) -> None:
    assert advise(project, "--dry-run")["signed"] is False
    assert "security notice" not in project.windlass("info", "acme/greet@v1.0.0").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--versions is missing"),
        (("--versions", "<1.1.0", "--severity", "low", "--title", "t"), "the notice has no text"),
        (
            ("--versions", "<0.1.0", "--severity", "low", "--title", "t", "--text", "x"),
            "there are: 1.1.0, 1.0.0",
        ),
        (("--versions", "soon", "--severity", "low", "--title", "t", "--text", "x"), "write it as '<1.2.0'"),
        (("--versions", "all", "--severity", "low", "--title", "\x1b[2J", "--text", "x"), "not a plain text"),
    ],
)
def test_what_is_no_notice_is_said(project: Project, words: tuple[str, ...], told: str) -> None:
    answer = project.windlass("advise", "acme/greet", *words)
    assert answer.code == 2
    assert told in answer.err
