"""`windlass action`: from nothing to an action whose examples hold, as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
BUILTIN = ROOT / "actions" / "windlass_actions"
BUSYBOX, NODE = "windlass-test/busybox:1", "windlass-test/node:1"


@pytest.fixture(scope="module")
def images() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "test-images", "node"], check=True)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("using", ["python", "composite", "workflow"])
def test_a_new_action_passes_its_own_test(project: Any, using: str) -> None:
    made = project.windlass("action", "new", "word-count", "--using", using)
    assert made.code == 0
    assert "word-count/action.yml" in made.out.splitlines()
    tested = project.windlass("action", "test", "word-count", "--engine", "process", "--json")
    assert tested.code == 0, tested.err
    assert [(one["example"], one["ok"]) for one in lines(tested.out)] == [
        ("Two greetings", True),
        ("Nothing said", True),
    ]
    assert sorted(path.name for path in project.root.iterdir()) == [".git", "word-count"]


@pytest.mark.docker
def test_a_new_docker_action_passes_its_own_test_in_an_image_that_is_built(
    project: Any, images: None
) -> None:
    assert project.windlass("action", "new", "greet", "here/greet", "--using", "docker").code == 0
    dockerfile = project.root / "here/greet/Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("alpine:3.20", BUSYBOX))
    tested = project.windlass("action", "test", "here/greet")
    assert tested.code == 0, tested.out + tested.err
    assert "Two greetings | Hello Ada! Hello Ada!" in tested.out
    assert tested.out.splitlines()[-1] == "2 of 2 examples as promised"


@pytest.mark.docker
def test_a_new_javascript_action_runs_in_the_image_of_the_settings(project: Any, images: None) -> None:
    assert project.windlass("action", "new", "greet", "--using", "node").code == 0
    project.write("windlass.toml", f'[actions]\nnode_image.node24 = "{NODE}"\n')
    tested = project.windlass("action", "test", "greet", "--example", "Two greetings", "--json")
    assert tested.code == 0, tested.err
    assert [one["example"] for one in lines(tested.out)] == ["Two greetings"]


def test_what_is_not_as_promised_is_shown_side_by_side(project: Any) -> None:
    project.write(
        "act/action.yml",
        """\
name: A
inputs: {mode: {default: good}}
outputs: {said: {description: What was said.}}
runs: {using: python, main: main.py}
examples:
  - {name: wrong, inputs: {data: ./given.txt}, outputs: {said: "a\\nb", d: {type: volume, files: {f: x}}}}
  - {name: failing, with: {mode: bad}}
  - {name: good, outputs: {said: /c./}}
""",
    )
    project.write("act/given.txt", "cd")
    project.write(
        "act/main.py",
        """\
import os, pathlib, sys
out, data = pathlib.Path(os.environ["WINDLASS_OUTPUTS"]), pathlib.Path(os.environ["WINDLASS_INPUTS"], "data")
if os.environ["INPUT_MODE"] == "bad":
    sys.exit("it went wrong")
if (out / "d").is_dir():
    (out / "d" / "f").write_text("y")
with open(os.environ["GITHUB_OUTPUT"], "a") as stream:
    stream.write("said=" + (data.read_text() if data.exists() else "ce"))
""",
    )
    tested = project.windlass("action", "test", "act", "--engine", "process")
    assert tested.code == 1
    at = tested.out.index("✗ wrong")
    shown = [line.strip() for line in tested.out[at:].splitlines()[1:8]]
    assert shown == ["said", "- a", "- b", "+ cd", "d/f", "- x", "+ y"]
    assert "it went wrong" in tested.out
    assert tested.out.splitlines()[-1] == "1 of 3 examples as promised"


def test_what_cannot_be_tested_is_said_with_what_to_do(project: Any) -> None:
    none = project.windlass("action", "test")
    assert none.code == 2
    assert none.err.startswith(
        ".:0:0: there is no action.yml here; name an action's folder, or make one with"
    )
    project.write("act/action.yml", "name: A\nruns: {using: composite, steps: [{run: 'true', shell: sh}]}")
    bare = project.windlass("action", "test", "act/")
    assert bare.code == 2
    assert "act/action.yml:0:0: the action has no examples, so there is nothing to test" in bare.err
    graph = project.write("graph/action.yml", "name: G\nruns: {using: workflow}\nexamples: [{name: x}]")
    refused = project.windlass("action", "test", str(graph.parent), "--engine", "process")
    assert refused.code == 2
    assert "graph/action.yml:2:7: 'using: workflow' needs 'jobs'" in refused.err


def test_a_new_action_overwrites_nothing(project: Any) -> None:
    project.write("mine/file", "precious")
    refused = project.windlass("action", "new", "mine")
    assert refused.code == 2
    assert refused.err.startswith("mine:0:0: there is something already; name another folder")
    named = project.windlass("action", "new", "My_Action")
    assert named.code == 2
    assert "'My_Action' may have small letters, digits and '-' alone" in named.err


@pytest.mark.parametrize("name", sorted(path.parent.name for path in BUILTIN.glob("*/action.yml")))
def test_every_built_in_action_does_what_its_examples_say(project: Any, name: str) -> None:
    found = project.windlass("action", "test", str(BUILTIN / name), "--engine", "process", "--json")
    assert found.code == 0, found.err
    assert all(one["ok"] for one in lines(found.out))


def test_an_example_that_needs_more_is_left_out_with_a_note(project: Any) -> None:
    found = project.windlass("action", "test", str(BUILTIN / "git-checkout"), "--engine", "process")
    assert found.code == 0
    assert "'A private repository' needs network and secrets; --all runs it too" in found.err
    assert "no example is left to run here" in found.err
