"""Help, unknown commands, exit codes, completion, and how little is imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from windlass_runner.cli import COMMANDS

PRESENT = [name for name in COMMANDS if find_spec(f"windlass_runner.commands.{name}") is not None]
HEAVY = {"rich", "sqlalchemy", "docker", "yaml", "jsonschema", "uvicorn", "starlette", "requests"}


def imported(project: Any, *words: str) -> set[str]:
    code = (
        f"import sys; sys.argv[1:] = {list(words)!r}\n"
        "from windlass_runner.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.stderr.write('\\n' + ' '.join(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        check=True,
    )
    return set(done.stderr.decode().splitlines()[-1].split())


def test_help_lists_every_command_and_imports_none(project: Any) -> None:
    answer = project.windlass("--help")
    assert answer.code == 0
    assert all(f"  {name} " in answer.out for name in COMMANDS)
    loaded = imported(project, "--help")
    assert not HEAVY & loaded
    assert "argparse" not in loaded
    assert not any(name.startswith("windlass_runner.commands.") for name in loaded)


@pytest.mark.parametrize("name", PRESENT)
def test_every_command_has_help_with_an_example_and_loads_nothing_heavy(project: Any, name: str) -> None:
    answer = project.windlass(name, "--help")
    assert answer.code == 0
    assert "example:\n  " in answer.out
    assert f"usage: windlass {name}" in answer.out
    assert not HEAVY & imported(project, name, "--help")


def test_status_loads_nothing_heavy(project: Any, make_note: Any) -> None:
    sha = project.commit()
    project.git("notes", "--ref=windlass", "add", "-m", make_note(sha, "success"), sha)
    loaded = imported(project, "status")
    assert not (HEAVY | {"subprocess", "inspect", "dataclasses"}) & loaded


def test_an_unknown_command_gets_a_suggestion(project: Any) -> None:
    answer = project.windlass("statsu")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "windlass: unknown command 'statsu'; did you mean 'status'?\n"


def test_the_version_is_the_packages(project: Any) -> None:
    assert project.windlass("--version").out.startswith("windlass 0.")


def test_a_reader_that_goes_away_is_no_error(project: Any) -> None:
    project.workflow("jobs: {a: {uses: script@v1, with: {script: echo}}}")
    command = f"{sys.executable} -m windlass_runner.cli plan w --json | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=project.root, env=project.environment, capture_output=True, check=True
    )
    assert done.stdout == b"0\n"
    assert done.stderr == b""


def test_the_installed_script_is_the_same_command(project: Any) -> None:
    script = Path(sys.executable).with_name("windlass")
    if not script.exists():
        pytest.skip("windlass is not installed beside this Python")
    done = subprocess.run([script, "--help"], env=project.environment, capture_output=True, check=True)
    assert done.stdout.decode() == project.windlass("--help").out


def test_bash_completes_commands_options_and_words(project: Any) -> None:
    script = project.windlass("completion", "bash").out

    def complete(*words: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in words)
        code = (
            f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _windlass; echo ${{COMPREPLY[@]}}"
        )
        done = subprocess.run(["bash", "-c", code], cwd=project.root, capture_output=True, check=True)
        return done.stdout.decode().split()

    assert complete("windlass", "va") == ["validate"]
    assert complete("windlass", "run", "--en") == ["--engine"]
    assert complete("windlass", "completion", "fi") == ["fish"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_scripts_are_in_their_shells_language(project: Any, shell: str) -> None:
    script = project.windlass("completion", shell).out
    assert "validate" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=script.encode(), check=True)
