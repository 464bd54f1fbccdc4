"""`windlass validate`, `init`, `lock` and `plan` on good and bad files."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

GOOD = "jobs: {a: {uses: script@v1, with: {script: echo}}}\n"


def test_a_good_file_is_well(project: Any) -> None:
    project.workflow(GOOD)
    answer = project.windlass("validate")
    assert (answer.code, answer.out, answer.err) == (0, "", "1 file checked: all well\n")


def test_every_problem_of_every_file_comes_with_its_place(project: Any) -> None:
    project.workflow("jobs:\n  a: {uses: scirpt@v1}\n  b: {neds: [a], uses: script@v1, with: {scrip: x}}\n")
    project.workflow("jobs: {a: {needs: [a], uses: script@v1}}\n", name="v")
    answer = project.windlass("validate")
    assert answer.code == 2
    lines = answer.out.splitlines()
    assert any(line.startswith(".windlass/workflows/v.yaml:1:") and "needs itself" in line for line in lines)
    assert any("w.yaml:3:7: unknown key 'neds'" in line and "did you mean 'needs'?" in line for line in lines)
    assert any("w.yaml:2:13: unknown action 'scirpt@v1'" in line for line in lines)
    assert any("w.yaml:3:42: 'script@v1' has no input 'scrip'" in line for line in lines)
    assert "in 2" in answer.err


def test_unknown_actions_and_inputs_are_found(project: Any) -> None:
    project.workflow("jobs:\n  a: {uses: scirpt@v1}\n  b: {uses: script@v1, with: {scrip: x}}\n")
    answer = project.windlass("validate", "--json")
    data = json.loads(answer.out)
    assert (answer.code, data["valid"], data["files"]) == (2, False, 1)
    texts = [f"{each['line']}: {each['message']}; {each['remedy']}" for each in data["problems"]]
    assert "2: unknown action 'scirpt@v1'; did you mean 'script@v1'?" in texts
    assert any(text.startswith("3: 'script@v1' has no input 'scrip'") for text in texts)


def test_what_only_comes_of_actions_put_in_their_places_is_found(project: Any) -> None:
    short = "name: {}\nruns:\n  using: composite\n  steps:\n{}"
    project.write("few/action.yml", short.format("few", "    - {run: x, shell: sh}\n" * 50))
    project.write("all/action.yml", short.format("all", "    - uses: ./few\n" * 50))
    project.workflow("jobs:\n  a:\n    steps:\n      - uses: ./all\n")
    answer = project.windlass("validate")
    assert answer.code == 2
    assert answer.out.startswith(".windlass/workflows/w.yaml:4:15: the job 'a' has more than 2,000 steps")


def bomb() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"jobs: [", "did not find expected node content"),
        (b"a: b: c\n", "a second ': ' in one value"),
        (b"jobs:\n\ta: 1\n", ":2:1: a tab"),
        (b"\x7fELF\x02\x01\x01\x00\x00\xff\xfe", "not UTF-8 text"),
        (b"jobs: {a: \x00}\n", "control character"),
        (b"jobs: {}\njobs: {}\n", ":2:1: 'jobs' stands twice"),
        (b"--- {}\n--- {}\n", "second document"),
        (bomb(), "aliases expand to more than"),
        (b"[" * 100_000, "levels deep"),
        (b"x" * (16 * 1024 * 1024 + 1), "more than the"),
    ],
)
def test_broken_content_is_refused_with_its_place(project: Any, content: bytes, message: str) -> None:
    project.workflow("")
    project.write(".windlass/workflows/w.yaml", content)
    answer = project.windlass("validate", ".windlass/workflows/w.yaml")
    assert answer.code == 2
    assert message in answer.out
    assert answer.out.startswith(".windlass/workflows/w.yaml:")
    assert "Traceback" not in answer.err


def test_what_is_not_a_file_is_said_so(project: Any) -> None:
    project.workflow(GOOD)
    (project.root / "empty").mkdir()
    os.mkfifo(project.root / "pipe.yaml")
    (project.root / "link.yaml").symlink_to("/etc/passwd")
    (project.root / ".windlass/workflows/in.yaml").symlink_to("w.yaml")
    for name, message in (
        ("w.yml", "no such file"),
        ("empty", "no workflow files in this folder"),
        ("pipe.yaml", "not a file"),
        ("link.yaml", "a link; workflows are read from git"),
        (".windlass/workflows/in.yaml", "a link; workflows are read from git"),
        ("a\0b", ""),
    ):
        if "\0" in name:
            continue
        answer = project.windlass("validate", name)
        assert answer.code == 2, name
        assert answer.out.startswith(f"{name}:0:0: {message}"), answer.out


def test_a_linked_folder_is_told_apart(project: Any) -> None:
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "w.yaml").write_text(GOOD)
    (project.root / ".windlass").mkdir()
    (project.root / ".windlass/workflows").symlink_to(elsewhere)
    answer = project.windlass("validate")
    assert answer.code == 2
    assert "a link ('workflows' is one)" in answer.out


def test_a_missing_file_suggests_its_neighbour(project: Any) -> None:
    project.workflow(GOOD, name="train")
    answer = project.windlass("validate", ".windlass/workflows/trian.yaml")
    assert "did you mean 'train.yaml'?" in answer.out


def test_colours_only_where_they_are_wanted(project: Any) -> None:
    project.workflow("jobs: 1\n")
    assert "\x1b" not in project.windlass("validate").out


def test_init_makes_a_workflow_that_is_valid_and_never_overwrites(project: Any) -> None:
    answer = project.windlass("init")
    assert answer.code == 0, answer.err
    path = project.root / ".windlass/workflows/train.yaml"
    assert path.read_text().startswith("# yaml-language-server: $schema=../workflow.schema.json\n")
    assert json.loads((project.root / ".windlass/workflow.schema.json").read_text())["title"]
    assert "script@v1" in (project.root / ".windlass/lock.yaml").read_text()
    assert project.windlass("validate").code == 0
    path.write_text("mine")
    before = {each: each.read_bytes() for each in project.root.rglob("*") if each.is_file()}
    project.windlass("init")
    assert {each: each.read_bytes() for each in project.root.rglob("*") if each.is_file()} == before


def test_init_outside_of_a_repository_says_what_to_do(project: Any) -> None:
    answer = project.windlass("init", folder=project.root.parent)
    assert answer.code == 3
    assert "git init" in answer.err


def test_the_lock_is_written_checked_and_kept_tidy(project: Any) -> None:
    project.workflow(GOOD)
    assert project.windlass("lock", "--check").code == 2
    assert project.windlass("lock").code == 0
    assert project.windlass("lock", "--check").code == 0
    project.workflow("jobs: {a: {uses: container@v1, with: {image: x}}}\n")
    answer = project.windlass("lock", "--json")
    data = json.loads(answer.out)
    assert (data["pinned"], data["removed"]) == (["container@v1"], ["script@v1"])


def test_a_plan_says_why_it_would_not_run(project: Any) -> None:
    project.workflow("on: {push: {branches: [release]}}\n" + GOOD)
    project.commit()
    answer = project.windlass("plan", "w", "--ref", "main")
    assert answer.code == 1
    assert "w does not run: push to refs/heads/main: branches [release] do not include it" in answer.out
    assert json.loads(project.windlass("plan", "w", "--ref", "main", "--json").out)["runs"] is False


def test_a_plan_is_data_too(project: Any) -> None:
    project.workflow("inputs: {n: {type: number, default: 1}}\n" + GOOD)
    data = json.loads(project.windlass("plan", "w", "--json", "--input", "n=5").out)
    assert data["inputs"] == {"n": 5}
    assert data["stages"] == [["a"]]
    assert data["actions"][0]["digest"].startswith("sha256:")


def test_an_unknown_input_is_the_callers_mistake(project: Any) -> None:
    project.workflow("inputs: {epochs: {type: number, default: 1}}\n" + GOOD)
    answer = project.windlass("plan", "w", "--input", "epoch=5")
    assert answer.code == 2
    assert "the workflow has no input 'epoch'; did you mean 'epochs'?" in answer.err
