"""`windlass copy`, and `windlass delete` of a workflow."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from integration.commands.conftest import Here, Project
from integration.commands.sample_world import Sample
from integration.commands.test_gates import read_until
from integration.commands.test_subscribe import on_a_terminal

RECORD = ".windlass/subscriptions.yaml"


@pytest.fixture
def sample(here: Here, tmp_path: Path) -> Sample:
    found = Sample(here=here, folder=tmp_path / "fit")
    found.release("1.0.0")
    assert found.subscribe().code == 0
    return found


def test_a_copy_has_the_files_and_edits_and_runs(sample: Sample) -> None:
    sample.here.write("fit/fit.sh", sample.read("fit/fit.sh") + "cat fit2/own.txt\n")
    sample.here.write("fit/own.txt", "my own\n")
    workflow = sample.read(".windlass/workflows/fit.yaml")
    sample.here.write(".windlass/workflows/fit.yaml", workflow.replace("# Fits", "# My own: fits"))
    answer = sample.here.windlass("copy", "fit", "fit2", "--json")
    assert answer.code == 0, answer.err
    written = {"fit2/fit.sh", "fit2/notes.txt", "fit2/own.txt", ".windlass/workflows/fit2.yaml"}
    assert set(json.loads(answer.out)["files"]) == written
    copy = sample.read(".windlass/workflows/fit2.yaml")
    assert copy.startswith("# My own: fits something.\nname: fit2\n")
    assert "sh fit2/fit.sh data 3" in copy
    assert "fit2" not in sample.read(RECORD)
    ran = Project.windlass(sample.here, "run", "fit2", "--engine", "process")
    assert ran.code == 0, ran.err
    assert "my own" in ran.out


def test_a_copy_of_a_release_that_is_gone_goes_by_the_words(sample: Sample) -> None:
    sample.release("2.0.0", fit_sh="other\n")
    assert sample.here.windlass("copy", "fit", "b", "--folder", "code/b").code == 0
    copy = sample.read(".windlass/workflows/b.yaml")
    assert "name: b\n" in copy
    assert "sh code/b/fit.sh data 3" in copy


def test_any_workflow_is_copied(here: Here) -> None:
    here.workflow("name: 'my # own'  # a name\njobs: {a: {uses: script@v1, with: {script: 'true'}}}\n")
    assert here.windlass("copy", "w", "v").code == 0
    text = (here.root / ".windlass/workflows/v.yaml").read_text()
    assert text.splitlines()[0] == "name: v  # a name"
    refused = here.windlass("copy", "w", "x", "--folder", "x")
    assert (refused.code, "no folder of its own" in refused.err) == (3, True)


def test_a_copy_overwrites_nothing(sample: Sample) -> None:
    sample.here.write("b/fit.sh", "mine\n")
    before = sample.tree()
    answer = sample.here.windlass("copy", "fit", "b")
    assert (answer.code, "b/fit.sh" in answer.err) == (2, True)
    unknown = sample.here.windlass("copy", "fitt", "c")
    assert unknown.code == 2
    bad = sample.here.windlass("copy", "fit", "../c")
    assert bad.code == 3
    assert sample.tree() == before


def test_a_workflow_is_deleted_with_its_subscription(sample: Sample) -> None:
    sample.here.write("fit/notes.txt", "mine\n")
    unasked = sample.here.windlass("delete", "fit")
    assert (unasked.code, "say --yes" in unasked.err) == (3, True)
    answer = sample.here.windlass("delete", "fit", "--yes", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["kept"] == ["fit/notes.txt"]
    assert ".windlass/workflows/fit.yaml" in told["deleted"]
    assert set(sample.tree()) == {"fit/notes.txt", ".gitignore"}


def test_an_edited_workflow_is_deleted_too(sample: Sample) -> None:
    sample.here.write(".windlass/workflows/fit.yaml", "jobs: {}\n")
    assert sample.here.windlass("delete", ".windlass/workflows/fit.yaml", "--yes").code == 0
    assert set(sample.tree()) == {".gitignore"}


def test_the_terminal_is_asked_before_a_workflow_goes(sample: Sample) -> None:
    before = sample.tree()
    for answer, code, is_there in ((b"n\n", 1, True), (b"y\n", 0, False)):
        process, terminal = on_a_terminal(sample, "delete", "fit")
        asked = read_until(terminal, "[y/N]: ")
        assert "delete .windlass/workflows/fit.yaml and what its sample wrote into fit/?" in asked
        os.write(terminal, answer)
        assert process.wait(60) == code
        os.close(terminal)
        assert (sample.tree() == before) == is_there


def test_a_word_that_is_a_run_and_a_workflow_is_not_guessed(here: Here) -> None:
    here.workflow("jobs: {a: {uses: script@v1, with: {script: 'true'}}}\n", name="latest")
    ran = Project.windlass(here, "run", ".windlass/workflows/latest.yaml", "--engine", "process")
    assert ran.code == 0, ran.err
    answer = here.windlass("delete", "latest", "--yes")
    assert (answer.code, "or a run" in answer.err) == (2, True)
    assert here.windlass("delete", ".windlass/workflows/latest.yaml", "--yes").code == 0
    assert here.windlass("delete", "latest").code == 0  # the run, now
