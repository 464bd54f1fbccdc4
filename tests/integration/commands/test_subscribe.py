"""`windlass subscribe`, `unsubscribe` and `samples`: what is written, refused, and left by a killed call."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from integration.commands.conftest import COMMAND, Here, Project
from integration.commands.sample_world import WORKFLOW, Sample
from integration.commands.test_gates import read_until
from integration.registry.served import Served, serving
from integration.registry.test_interrupted import killed_at
from registry_world import begin
from windlass_registry.advisories import make_advisory
from windlass_registry.archive import pack
from windlass_registry.releases import Yank

RECORD = ".windlass/subscriptions.yaml"
FILES = {".windlass/workflows/fit.yaml", "fit/fit.sh", "fit/notes.txt"}


@pytest.fixture
def sample(here: Here, tmp_path: Path) -> Sample:
    found = Sample(here=here, folder=tmp_path / "fit")
    found.release("1.0.0")
    return found


def test_a_sample_is_filled_in_recorded_and_runs(sample: Sample) -> None:
    answer = sample.subscribe("--param", "epochs=7", "--json")
    assert answer.code == 0, answer.err
    assert {*FILES, RECORD, ".windlass/lock.yaml"} == set(json.loads(answer.out)["files"])
    assert "script: sh fit/fit.sh data 7\n" in sample.read(".windlass/workflows/fit.yaml")
    assert os.access(sample.here.root / "fit/fit.sh", os.X_OK)
    assert "script@v1" in sample.read(".windlass/lock.yaml")
    ran = Project.windlass(sample.here, "run", "fit", "--engine", "process")
    assert ran.code == 0, ran.err
    assert "fitting data, 7 epochs" in ran.out


LOCK = ".windlass/lock.yaml"
IN_AN_IMAGE = f"{WORKFLOW}    image: windlass-test/busybox:1\n"
NO_ENGINE = "unix:///nonexistent"


@pytest.mark.docker
def test_images_are_pinned_with_the_actions_and_a_run_finds_all_of_it_locked(sample: Sample) -> None:
    sample.release("1.0.0", workflow=IN_AN_IMAGE)
    answer = sample.subscribe()
    assert answer.code == 0, answer.err
    assert "image windlass-test/busybox:1: only this machine has it" in answer.err
    lock = sample.read(LOCK)
    assert '"windlass-test/busybox:1":\n    local-id: "sha256:' in lock
    assert sample.here.windlass("lock", "--check").code == 0
    assert "not in the lock" not in sample.here.windlass("plan", "fit", "--ref", "main").out
    sample.release("1.1.0", workflow=IN_AN_IMAGE.replace("image: ", "# The same.\n    image: "))
    assert sample.update().code == 0
    assert sample.read(LOCK) == lock


def test_without_an_engine_the_rest_is_locked_and_one_line_says_what_is_not(sample: Sample) -> None:
    sample.release("1.0.0", workflow=IN_AN_IMAGE)
    words = ("subscribe", str(sample.folder), "--param", "bucket=data")
    answer = sample.here.windlass(*words, DOCKER_HOST=NO_ENGINE)
    assert answer.code == 0, answer.err
    assert "script@v1" in sample.read(LOCK)
    (line,) = (line for line in answer.err.splitlines() if "pinned" in line)
    assert line.startswith("not pinned as yet: image windlass-test/busybox:1: the Docker engine does not")
    assert line.endswith("; 'windlass lock' does it later")


@pytest.mark.docker
def test_a_first_lock_pins_the_images_of_workflows_that_are_there(here: Here) -> None:
    here.workflow("jobs: {a: {image: 'windlass-test/busybox:1', steps: [{run: x}]}}\n")
    alone = here.windlass("init", DOCKER_HOST=NO_ENGINE)
    assert (alone.code, alone.err.count("pinned"), "not pinned as yet: image" in alone.err) == (0, 1, True)
    (here.root / LOCK).unlink()
    answer = here.windlass("init")
    assert (answer.code, "not pinned" in answer.err) == (0, False)
    assert "windlass-test/busybox:1" in (here.root / LOCK).read_text()


def test_in_an_empty_folder_a_repository_is_made(sample: Sample, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = ("subscribe", "classify", "--param", "epochs=2")
    assert sample.here.windlass(*words, folder=empty).code == 0
    assert (empty / ".git").is_dir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    assert sample.here.windlass(*words, folder=tmp_path / "full").code == 0
    assert (tmp_path / "full" / "classify" / ".windlass" / "workflows" / "classify.yaml").is_file()
    again = sample.here.windlass(*words, folder=tmp_path / "full")
    assert (again.code, "subscribed to 'classify@v1' as 'classify' already" in again.err) == (3, True)


def test_another_name_and_folder_make_a_second_one(sample: Sample) -> None:
    assert sample.subscribe().code == 0
    refused = sample.subscribe()
    assert (refused.code, "--as" in refused.err) == (3, True)
    second = sample.subscribe("--as", "second", "--folder", "code/second")
    assert second.code == 0, second.err
    assert "code/second/fit.sh" in sample.read(".windlass/workflows/second.yaml")
    assert set(yaml.safe_load(sample.read(RECORD))["samples"]) == {"fit", "second"}


def test_bad_parameters_are_told_all_at_once(sample: Sample) -> None:
    answer = sample.here.windlass("subscribe", str(sample.folder), "-p", "epohcs=3")
    assert answer.code == 2
    assert "has no parameter 'epohcs'; did you mean 'epochs'?" in answer.err
    assert "parameter 'bucket' has no value" in answer.err
    answer = sample.subscribe("-p", "epochs=0")
    assert (answer.code, "0 is less than the minimum of 1" in answer.err) == (2, True)
    assert sample.tree() == {}


def test_an_unknown_sample_is_suggested(here: Here) -> None:
    answer = here.windlass("subscribe", "clasify@v1")
    assert (answer.code, "did you mean 'classify'?" in answer.err) == (2, True)
    answer = here.windlass("subscribe", "classify@v9")
    assert (answer.code, "there are: 1." in answer.err) == (2, True)


@pytest.mark.parametrize(
    "taken", [".windlass/workflows/fit.yaml", ".windlass/workflows/fit.yml", "fit/notes.txt", "fit/fit.sh/x"]
)
def test_nothing_is_overwritten(sample: Sample, taken: str) -> None:
    sample.here.write(taken, "mine\n")
    answer = sample.subscribe()
    assert (answer.code, "is there already" in answer.err) == (2, True)
    assert sample.tree() == {taken: b"mine\n"}


def test_a_dry_run_writes_nothing(sample: Sample, tmp_path: Path) -> None:
    answer = sample.subscribe("--dry-run")
    assert (answer.code, "would write  fit/fit.sh" in answer.err) == (0, True)
    assert sample.tree() == {}


@pytest.mark.parametrize("link", ["fit", ".windlass", ".windlass/workflows"])
def test_no_link_leads_out_of_the_repository(sample: Sample, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (sample.here.root / link).parent.mkdir(exist_ok=True)
    (sample.here.root / link).symlink_to(outside)
    answer = sample.subscribe()
    assert answer.code == 3
    assert "leaves the repository" in answer.err
    assert list(outside.rglob("*.*")) == []


@pytest.mark.parametrize("folder", ["../out", "/tmp/out", ".git/hooks", "."])
def test_no_folder_leads_out_of_the_repository(sample: Sample, folder: str) -> None:
    answer = sample.subscribe("--folder", folder)
    assert (answer.code, "lies outside the repository" in answer.err) == (3, True)
    assert sample.tree() == {}


def test_an_agreement_is_shown_and_has_to_be_accepted(sample: Sample) -> None:
    sample.release("1.0.0", agreement="Not for weapons.")
    refused = sample.subscribe()
    assert (refused.code, "Not for weapons." in refused.err, "--accept" in refused.err) == (3, True, True)
    assert sample.tree() == {}
    sample.here.git("config", "user.email", "ann@example.org")
    assert sample.subscribe("--accept").code == 0
    record = yaml.safe_load(sample.read(RECORD))["samples"]["fit"]
    assert record["accepted"].startswith("ann@example.org, 20")
    assert record["agreement"].startswith("sha256:")


def on_a_terminal(sample: Sample, *words: str) -> tuple[subprocess.Popen[bytes], int]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=sample.here.root,
        env={**sample.here.environment, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    return process, ours


def test_the_form_asks_and_asks_again(sample: Sample) -> None:
    sample.release("1.0.0", agreement="Not for weapons.")
    process, terminal = on_a_terminal(sample, "subscribe", str(sample.folder))
    assert "where the data lies" in read_until(terminal, "Bucket: ")
    for answer, then in (("", "it needs a value"), ("B4D", "does not match"), ("data", "epochs [3]: ")):
        os.write(terminal, f"{answer}\n".encode())
        read_until(terminal, then)
    os.write(terminal, b"five\n")
    read_until(terminal, "is not of type 'integer'")
    os.write(terminal, b"\n")  # the default
    read_until(terminal, "accept? [y/N]: ")
    os.write(terminal, b"y\n")
    read_until(terminal, "Next:")
    assert process.wait(60) == 0
    os.close(terminal)
    assert "sh fit/fit.sh data 3\n" in sample.read(".windlass/workflows/fit.yaml")


def test_a_no_at_the_terminal_leaves_nothing(sample: Sample) -> None:
    sample.release("1.0.0", agreement="Not for weapons.")
    process, terminal = on_a_terminal(sample, "subscribe", str(sample.folder), "-p", "bucket=data")
    read_until(terminal, "accept? [y/N]: ")
    os.write(terminal, b"\n")
    read_until(terminal, "nothing was written")
    assert process.wait(60) == 3
    os.close(terminal)
    assert sample.tree() == {}


def test_a_subscription_that_is_killed_at_any_step_is_mended_by_the_next(sample: Sample) -> None:
    step, whole = 0, None
    while killed_at(step, lambda: sample.subscribe("--json")):
        again = sample.subscribe("--json")
        assert again.code == 0 or RECORD in sample.tree(), again.err
        tree = sample.tree()
        assert not [path for path in tree if path.endswith(".new")]
        whole = whole or tree
        assert tree == whole
        sample.here.git("clean", "-fdxq")
        step += 1
    assert step > 6


def test_unsubscribed_the_workflow_stays(sample: Sample) -> None:
    sample.subscribe()
    answer = sample.here.windlass("unsubscribe", "fit")
    assert answer.code == 0
    assert {path for path in FILES if (sample.here.root / path).is_file()} == FILES
    assert not (sample.here.root / RECORD).exists()
    unknown = sample.here.windlass("unsubscribe", "fit")
    assert (unknown.code, "has no subscription 'fit'" in unknown.err) == (2, True)


def test_unsubscribed_with_delete_what_was_edited_stays(sample: Sample) -> None:
    sample.subscribe()
    sample.subscribe("--as", "second")
    sample.here.write("fit/notes.txt", "mine\n")
    told = json.loads(sample.here.windlass("unsubscribe", "fit", "--delete", "--json").out)
    assert told["kept"] == ["fit/notes.txt"]
    assert sample.read("fit/notes.txt") == "mine\n"
    assert not (sample.here.root / "fit/fit.sh").exists()
    assert sample.here.windlass("unsubscribe", "second", "--delete", "--force").code == 0
    assert set(sample.tree()) == {"fit/notes.txt", ".gitignore"}


def test_samples_tell_what_is_subscribed_and_what_is_new(sample: Sample) -> None:
    assert "classify" in sample.here.windlass("samples").out
    sample.here.windlass("subscribe", "classify", "--as", "mine")
    sample.subscribe()
    listed = [json.loads(line) for line in sample.here.windlass("samples", "--json").out.splitlines()]
    (classify,) = [one for one in listed if one["name"] == "classify"]
    assert (classify["subscribed"], classify["updates"]) == (["mine"], [])
    assert "update" not in sample.here.windlass("samples").out.splitlines()[-1]
    sample.release("1.1.0")
    assert "update  fit: 1.0.0 → 1.1.0" in sample.here.windlass("samples").out
    shown = json.loads(sample.here.windlass("samples", str(sample.folder), "--json").out)
    assert shown["parameters"]["required"] == ["bucket"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(begin(tmp_path / "world", now=datetime.now(UTC))) as found:
        yield found


def test_a_sample_of_a_registry_is_subscribed_to_counted_and_updated(sample: Sample, served: Served) -> None:
    here, world = sample.here, served.world
    world.publish("acme/fit", "1.0.0", archive=pack(sample.folder), kind="sample")
    root = world.folder / "root.json"
    root.write_bytes(world.root)
    added = here.windlass("registry", "add", served.address, "--root", str(root))
    assert added.code == 0, added.err
    assert "acme/fit" in here.windlass("samples").out
    answer = here.windlass("subscribe", "acme/fit@v1", "-p", "bucket=data")
    assert answer.code == 0, answer.err
    record = yaml.safe_load(sample.read(RECORD))["samples"]["fit"]
    assert (record["sample"], record["version"]) == ("acme/fit@v1", "1.0.0")
    counted = served.call("/api/v1/packages/acme/fit").json
    assert counted["subscribers"] == 1

    sample.release("1.2.0", notes_txt="new\n")
    world.publish("acme/fit", "1.2.0", archive=pack(sample.folder), kind="sample")
    sample.release("2.0.0", notes_txt="another\n")
    world.publish("acme/fit", "2.0.0", archive=pack(sample.folder), kind="sample")
    here.write("fit/fit.sh", sample.read("fit/fit.sh") + "echo mine\n")
    updated = here.windlass("subscribe", "--update", "--json")
    assert updated.code == 0, updated.err
    told = json.loads(updated.out)
    assert (told["from"], told["to"]) == ("1.0.0", "1.2.0")
    assert sample.read("fit/notes.txt") == "new\n"
    assert sample.read("fit/fit.sh").endswith("echo mine\n")

    moved = json.loads(here.windlass("subscribe", "--update", "fit@v2", "--json").out)
    assert (moved["from"], moved["to"]) == ("1.2.0", "2.0.0")
    assert yaml.safe_load(sample.read(RECORD))["samples"]["fit"]["sample"] == "acme/fit@v2"
    assert sample.read("fit/fit.sh").endswith("echo mine\n")


def test_a_yanked_release_is_not_updated_to_an_older_one(sample: Sample, served: Served) -> None:
    here, world = sample.here, served.world
    for version in ("1.0.0", "1.1.0"):
        sample.release(version)
        newest = world.publish("acme/fit", version, archive=pack(sample.folder), kind="sample")
    root = world.folder / "root.json"
    root.write_bytes(world.root)
    here.windlass("registry", "add", served.address, "--root", str(root))
    assert here.windlass("subscribe", "acme/fit@v1", "-p", "bucket=data").code == 0
    yanked = replace(newest, yanked=Yank(reason="loses data", at=world.now))
    namespace = world.namespace()
    world.registry.accept(world.signed(namespace, [yanked], world.signers(namespace)))
    answer = here.windlass("subscribe", "--update", "--json")
    assert (answer.code, json.loads(answer.out)["changes"]) == (0, [])
    listed = [json.loads(line) for line in here.windlass("samples", "--json").out.splitlines()]
    assert [one["updates"] for one in listed if one["name"] == "acme/fit"] == [[]]


def test_what_a_samples_publisher_warns_of_is_said_before_anything_is_written(
    sample: Sample, served: Served
) -> None:
    here, world = sample.here, served.world
    facts = world.publish("acme/fit", "1.0.0", archive=pack(sample.folder), kind="sample")
    notice = make_advisory(
        "acme/fit", severity="high", title="it sends data away", text="", versions="<2", at=world.now
    )
    namespace = world.namespace()
    changed = replace(facts, advisories=(notice,))
    world.registry.accept(world.signed(namespace, [changed], world.signers(namespace)))
    root = world.folder / "root.json"
    root.write_bytes(world.root)
    assert here.windlass("registry", "add", served.address, "--root", str(root)).code == 0
    answer = here.windlass("subscribe", "acme/fit@v1", "-p", "bucket=data")
    assert f"warning: acme/fit 1.0.0: {notice.line()}" in answer.err
