"""`windlass subscribe --update`: a release meets what was edited here, in place and on a branch."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from integration.commands.conftest import Here
from integration.commands.sample_world import FIT, WORKFLOW, Sample
from integration.registry.test_interrupted import killed_at

RECORD = ".windlass/subscriptions.yaml"
THEIRS = FIT.replace("# one", "# one, newer")


@pytest.fixture
def sample(here: Here, tmp_path: Path) -> Sample:
    """Subscribed to in its first release, and committed."""
    found = Sample(here=here, folder=tmp_path / "fit")
    found.release("1.0.0")
    assert found.subscribe().code == 0
    here.git("config", "user.email", "ann@example.org")
    here.git("config", "user.name", "Ann")
    here.commit()
    return found


def outcomes(answer: str) -> dict[str, str]:
    return {change["path"]: change["outcome"] for change in json.loads(answer)["changes"]}


def version(sample: Sample) -> str:
    return str(yaml.safe_load(sample.read(RECORD))["samples"]["fit"]["version"])


def test_one_that_cannot_be_brought_holds_up_no_other(sample: Sample, tmp_path: Path) -> None:
    lost = Sample(here=sample.here, folder=tmp_path / "lost")
    lost.release("1.0.0")
    assert lost.subscribe("--as", "another").code == 0
    (lost.folder / "sample.yml").unlink()
    sample.release("1.1.0", fit_sh=THEIRS)
    answer = sample.update()
    assert (answer.code, "another: " in answer.err) == (2, True)
    assert version(sample) == "1.1.0"
    assert sample.update("another").code == 2


def test_nothing_new_is_said_so(sample: Sample) -> None:
    before = sample.tree()
    answer = sample.update()
    assert (answer.code, "at 1.0.0, the newest" in answer.err) == (0, True)
    assert sample.tree() == before


def test_what_nobody_edited_becomes_the_new_release(sample: Sample) -> None:
    sample.release("1.1.0", fit_sh=THEIRS, notes_txt=None, more_txt="more\n")
    answer = sample.update("--json")
    assert answer.code == 0, answer.err
    assert outcomes(answer.out) == {
        ".windlass/workflows/fit.yaml": "unchanged",
        "fit/fit.sh": "written",
        "fit/more.txt": "written",
        "fit/notes.txt": "deleted",
    }
    assert (sample.read("fit/fit.sh"), sample.read("fit/more.txt")) == (THEIRS, "more\n")
    assert version(sample) == "1.1.0"
    assert sample.update().code == 0


def test_edits_of_both_sides_are_merged(sample: Sample) -> None:
    workflow = sample.read(".windlass/workflows/fit.yaml")
    sample.here.write(".windlass/workflows/fit.yaml", workflow.replace("# Fits", "# My own: fits"))
    sample.here.write("fit/fit.sh", FIT + "echo mine\n")
    sample.release("1.1.0", fit_sh=THEIRS, workflow=WORKFLOW + "    timeout-minutes: 5\n")
    answer = sample.update("--json")
    assert answer.code == 0, answer.err
    assert sample.read("fit/fit.sh") == THEIRS + "echo mine\n"
    merged = sample.read(".windlass/workflows/fit.yaml")
    assert merged.startswith("# My own: fits")
    assert merged.endswith("timeout-minutes: 5\n")


def test_an_edit_that_is_not_committed_is_merged_from_the_history(sample: Sample) -> None:
    sample.here.write("fit/fit.sh", FIT + "echo mine\n")
    sample.release("1.1.0", fit_sh=THEIRS)
    assert sample.update().code == 0
    assert sample.read("fit/fit.sh") == THEIRS + "echo mine\n"


def test_a_conflict_has_markers_and_exit_code_1_and_is_settled_once(sample: Sample) -> None:
    sample.here.write("fit/fit.sh", FIT.replace("# one", "# mine"))
    sample.release("1.1.0", fit_sh=THEIRS)
    answer = sample.update()
    assert answer.code == 1
    assert "1 place changed on both sides" in answer.err
    text = sample.read("fit/fit.sh")
    assert "<<<<<<< yours\n# mine\n" in text
    assert "# one, newer\n>>>>>>> " in text
    assert "1.1.0" in text
    sample.release("1.2.0", notes_txt="new\n")
    early = sample.update()
    assert (early.code, "<<<<<<<" in sample.read("fit/fit.sh")) == (0, True)
    sample.here.write("fit/fit.sh", FIT.replace("# one", "# mine, newer"))
    sample.release("1.3.0", notes_txt="newer\n")
    assert sample.update().code == 0
    assert sample.read("fit/fit.sh") == FIT.replace("# one", "# mine, newer")
    assert sample.read("fit/notes.txt") == "newer\n"


def test_markers_that_are_not_settled_take_no_second_merge(sample: Sample) -> None:
    sample.here.write("fit/fit.sh", FIT.replace("# one", "# mine"))
    sample.release("1.1.0", fit_sh=THEIRS)
    assert sample.update().code == 1
    text = sample.read("fit/fit.sh")
    sample.release("1.2.0", fit_sh=THEIRS + "# more\n")
    early = sample.update()
    assert (early.code, "settle them first" in early.err) == (3, True)
    assert sample.read("fit/fit.sh") == text


def test_a_file_that_was_deleted_here_stays_away(sample: Sample) -> None:
    (sample.here.root / "fit/notes.txt").unlink()
    sample.release("1.1.0", notes_txt="new\n")
    answer = sample.update("--json")
    assert outcomes(answer.out)["fit/notes.txt"] == "kept"
    assert not (sample.here.root / "fit/notes.txt").exists()


def test_a_file_that_is_new_there_and_mine_here_is_a_conflict(sample: Sample) -> None:
    sample.here.write("fit/more.txt", "mine\n")
    sample.release("1.1.0", more_txt="theirs\n")
    assert sample.update().code == 1
    assert "mine" in sample.read("fit/more.txt")
    assert "theirs" in sample.read("fit/more.txt")


def test_a_link_in_the_way_of_a_new_file_is_left_alone(sample: Sample, tmp_path: Path) -> None:
    (sample.here.root / "fit/more.txt").symlink_to(tmp_path / "precious")
    sample.release("1.1.0", more_txt="theirs\n")
    answer = sample.update()
    assert (answer.code, "fit/more.txt" in answer.err) == (2, True)
    assert (sample.here.root / "fit/more.txt").is_symlink()
    assert version(sample) == "1.0.0"


def test_a_changed_agreement_is_accepted_anew(sample: Sample) -> None:
    sample.release("1.1.0", agreement="Not for weapons.")
    refused = sample.update()
    assert (refused.code, "Not for weapons." in refused.err) == (3, True)
    assert version(sample) == "1.0.0"
    assert sample.update("--accept").code == 0
    record = yaml.safe_load(sample.read(RECORD))["samples"]["fit"]
    assert record["accepted"].startswith("ann@example.org")


def test_a_parameter_that_is_new_takes_its_default_and_others_stay(sample: Sample) -> None:
    sample.release("1.1.0")
    manifest = sample.folder / "sample.yml"
    manifest.write_text(manifest.read_text() + "    extra: {type: string, default: more}\n")
    assert sample.update("--param", "epochs=9").code == 0
    parameters = yaml.safe_load(sample.read(RECORD))["samples"]["fit"]["parameters"]
    assert parameters == {"bucket": "data", "epochs": 9, "extra": "more"}


def test_a_branch_leaves_the_working_tree_alone_and_is_pushed(sample: Sample, tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    sample.here.git("remote", "add", "origin", str(origin))
    sample.here.write("fit/notes.txt", "not committed\n")
    before, head = sample.tree(), sample.here.git("rev-parse", "HEAD")
    sample.release("1.1.0", fit_sh=THEIRS)
    dry = sample.update("--branch", "--dry-run")
    assert (dry.code, sample.here.git("branch")) == (0, "* main")
    answer = sample.update("--branch", "--push")
    assert answer.code == 0, answer.err
    assert (sample.tree(), sample.here.git("rev-parse", "HEAD")) == (before, head)
    there = ["git", "--git-dir", str(origin), "show", "windlass/update-fit-v1.1.0:fit/fit.sh"]
    assert subprocess.check_output(there, text=True) == THEIRS
    assert sample.here.git("log", "-1", "--format=%s", "windlass/update-fit-v1.1.0").startswith(
        "Update fit to "
    )
    assert sample.here.git("worktree", "list").count("\n") == 0


def test_a_branch_that_has_the_update_on_the_same_commit_is_pushed_once(
    sample: Sample, tmp_path: Path
) -> None:
    origin, branch = tmp_path / "origin.git", "windlass/update-fit-v1.1.0"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    sample.here.git("remote", "add", "origin", str(origin))
    sample.release("1.1.0", fit_sh=THEIRS)

    def offered() -> tuple[str, str]:
        answer = sample.update("--branch", "--push")
        assert answer.code == 0, answer.err
        there = ["git", "--git-dir", str(origin), "rev-parse", branch]
        return subprocess.check_output(there, text=True), answer.err

    first, _ = offered()
    again, told = offered()
    assert again == first
    assert f"branch {branch} has it already" in told
    assert "nothing was pushed" in told
    sample.here.git("branch", "-qD", branch)  # as in a fresh clone: only 'origin' has it
    assert offered()[0] == first
    sample.here.write("other.txt", "moved on\n")
    sample.here.commit()
    anew, told = offered()
    assert anew != first
    assert f"pushed {branch}" in told


def test_the_page_of_the_pull_request_is_told(sample: Sample, tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    sample.here.git("remote", "add", "origin", "git@github.com:acme/digits.git")
    sample.here.git("config", f"url.{origin}.pushInsteadOf", "git@github.com:acme/digits.git")
    sample.release("1.1.0", fit_sh=THEIRS)
    answer = sample.update("--branch", "--push")
    assert answer.code == 0, answer.err
    assert "https://github.com/acme/digits/compare/windlass/update-fit-v1.1.0?expand=1" in answer.err


def test_without_an_identity_no_branch_is_made_and_the_remedy_is_told(sample: Sample) -> None:
    sample.here.git("config", "user.useConfigOnly", "true")
    for name in ("user.name", "user.email"):
        sample.here.git("config", "--unset", name)
    sample.release("1.1.0", fit_sh=THEIRS)
    answer = sample.update("--branch")
    assert (answer.code, "git config --global user.name" in answer.err) == (3, True)
    assert sample.here.git("worktree", "list").count("\n") == 0


def test_a_branch_is_not_made_of_a_conflict(sample: Sample) -> None:
    sample.here.write("fit/fit.sh", FIT.replace("# one", "# mine"))
    sample.here.commit()
    sample.release("1.1.0", fit_sh=THEIRS)
    answer = sample.update("--branch")
    assert (answer.code, "changed on both sides: fit/fit.sh" in answer.err) == (3, True)
    assert sample.here.git("branch") == "* main"


@pytest.mark.parametrize("is_edited", [False, True])
def test_an_update_that_is_killed_at_any_step_is_mended_by_the_next(sample: Sample, is_edited: bool) -> None:
    if is_edited:
        sample.here.write("fit/fit.sh", FIT.replace("# one", "# mine"))
        sample.here.commit()
    sample.release("1.1.0", fit_sh=THEIRS, notes_txt=None, more_txt="more\n")
    step, whole = 0, None
    while killed_at(step, lambda: sample.update("--json")):
        assert sample.update("--json").code in ((0, 1) if is_edited else (0,))
        tree = sample.tree()
        whole = whole or tree
        assert tree == whole
        assert tree["fit/fit.sh"].count(b"<<<<<<<") == int(is_edited)
        sample.here.git("reset", "-q", "--hard")
        sample.here.git("clean", "-fdxq")
        step += 1
    assert step > 6


def test_a_branch_that_is_killed_at_any_step_is_made_by_the_next(sample: Sample) -> None:
    sample.release("1.1.0", fit_sh=THEIRS)
    step = 0
    while killed_at(step, lambda: sample.update("--branch", "--json")):
        assert sample.update("--branch", "--json").code == 0
        assert sample.here.git("show", "windlass/update-fit-v1.1.0:fit/fit.sh") == THEIRS.strip()
        assert sample.here.git("worktree", "list").count("\n") == 0
        sample.here.git("branch", "-qD", "windlass/update-fit-v1.1.0")
        step += 3
    assert step > 6
