"""`windlass status` reads what stands on a commit; `doctor` looks at the machine."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest


def test_the_note_on_a_commit_is_printed(project: Any, make_note: Any) -> None:
    sha = project.commit()
    project.git("notes", "--ref=windlass", "add", "-m", make_note(sha, "success"), sha)
    answer = project.windlass("status")
    assert answer.code == 0
    assert "train" in answer.out
    assert "accuracy 0.97" in answer.out
    assert json.loads(project.windlass("status", sha[:8], "--json").out)["state"] == "success"


def test_a_clone_gets_notes_from_where_it_came(project: Any, make_note: Any) -> None:
    sha = project.commit()
    clone = project.root.parent / "clone"
    subprocess.run(["git", "clone", "-q", str(project.root), str(clone)], check=True)
    assert project.windlass("status", folder=clone).code == 1
    for state in ("running", "failure"):
        project.git("notes", "--ref=windlass", "add", "-f", "-m", make_note(sha, state), sha)
        found = project.windlass("status", "--json", folder=clone)
        assert json.loads(found.out)["state"] == state
    assert project.windlass("status", "--exit-code", folder=clone).code == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["status"], 1, "no status on HEAD"),
        (["status", "nope"], 2, "git knows no commit 'nope' here"),
        (["status", "--output=x"], 2, "unrecognized arguments"),
    ],
)
def test_what_is_not_there_is_said(project: Any, words: list[str], code: int, message: str) -> None:
    project.commit()
    answer = project.windlass(*words)
    assert answer.code == code
    assert message in answer.err


def test_status_outside_of_a_repository(project: Any) -> None:
    answer = project.windlass("status", folder=project.root.parent)
    assert answer.code == 3
    assert "not a git repository" in answer.err


def test_a_strangers_note_is_not_taken_for_ours(project: Any) -> None:
    sha = project.commit()
    project.git("notes", "--ref=windlass", "add", "-m", "hello", sha)
    answer = project.windlass("status")
    assert answer.code == 4
    assert "is not one of Windlass's" in answer.err


def settings(project: Any, text: str = "") -> None:
    project.write("windlass.toml", f'[storage]\npath = "store"\n[[host]]\nengine = "process"\n{text}')


def test_doctor_says_that_all_is_well(project: Any) -> None:
    settings(project, '[server]\nlisten = "127.0.0.1:0"\n')
    answer = project.windlass("doctor", "--json")
    data = json.loads(answer.out)
    states = {each["name"]: each["state"] for each in data["checks"]}
    assert answer.code == 0, answer.out
    assert states["git"] == states["storage"] == states["ledger"] == "ok"
    assert states["process"] == "warn"  # it isolates nothing, and says so


def test_doctor_finds_an_engine_that_is_gone_and_a_repository_too(project: Any) -> None:
    text = '[[host]]\nname = "gpu1"\ndocker = "unix:///nowhere.sock"\n[[repository]]\nurl = "/nowhere"\n'
    settings(project, text)
    answer = project.windlass("doctor")
    assert answer.code == 3
    lines = answer.out.splitlines()
    assert any("fail" in line and "gpu1" in line for line in lines)
    assert any("fail" in line and "repository" in line for line in lines)


def test_doctor_finds_a_damaged_ledger(project: Any) -> None:
    settings(project)
    project.write(
        "store/ledger.db", b"this is not a database, but it is long enough to be taken for one" * 40
    )
    answer = project.windlass("doctor", "--json")
    found = {each["name"]: each for each in json.loads(answer.out)["checks"]}
    assert answer.code == 3
    assert found["ledger"]["state"] == "fail"
    assert found["ledger"]["remedy"]


def test_doctor_reports_broken_settings_with_their_line(project: Any) -> None:
    project.write("windlass.toml", "[server]\nlisten = 5\nnope = 1\n")
    answer = project.windlass("doctor")
    assert answer.code == 3
    assert "nope" in answer.out
