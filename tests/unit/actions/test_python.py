from __future__ import annotations

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from unit.actions.running import Job

VERSION = ".".join(str(part) for part in sys.version_info[:2])


def wheel(folder: Path, name: str) -> Path:
    """A small package that pip can install without an index."""
    folder.mkdir(exist_ok=True)
    place = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(f"{name}.py", "WORD = 'from the wheel'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return place


def offline(job: Job) -> dict[str, str]:
    """pip with the wheels of this test as its only index."""
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(job.root / "wheels"),
        "WINDLASS_CACHE": str(job.root / "cache"),
    }


def test_a_file_runs_with_its_arguments(job: Job) -> None:
    (job.workspace / "main.py").write_text("import sys; print(sys.argv)")
    ended = job.run("python", file="main.py", args=json.dumps(["--epochs", "3", "a b"]))
    assert (ended.code, ended.log) == (0, "['main.py', '--epochs', '3', 'a b']\n")


def test_a_file_of_an_input_runs_wherever_inputs_lie(job: Job) -> None:
    (job.inputs / "repo").mkdir()
    (job.inputs / "repo" / "train.py").write_text("print('trained')")
    assert job.run("python", file="/inputs/repo/train.py").log == "trained\n"


def test_a_temporary_folder_that_is_not_there_does_no_harm(job: Job) -> None:
    ended = job.run("python", {"RUNNER_TEMP": str(job.root / "gone")}, script="print('ran')")
    assert ended.log == "ran\n"


def test_a_script_runs_and_sees_the_modules_of_the_workspace(job: Job) -> None:
    (job.workspace / "own.py").write_text("WORD = 'own'")
    ended = job.run("python", script="import own\nprint(own.WORD, __name__)\n")
    assert (ended.code, ended.log) == (0, "own __main__\n")


def test_the_code_that_the_program_ends_with_is_the_actions(job: Job) -> None:
    assert job.run("python", script="raise SystemExit(7)").code == 7
    ended = job.run("python", script="x = 1\nraise ValueError('no')")
    assert (ended.code, "ValueError: no" in ended.log, "line 2" in ended.log) == (1, True, True)
    assert job.run("python", script="import os, signal; os.kill(os.getpid(), signal.SIGKILL)").code == 137


def test_the_version_is_held_to(job: Job) -> None:
    program = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    assert job.run("python", script=program, version=VERSION).log == f"{VERSION}\n"
    assert job.run("python", script=program, version="3.x").code == 0
    ended = job.run("python", script=program, version="2.6")
    assert (ended.code, "python:2.6-slim" in ended.error) == (1, True)
    assert "is not a version" in job.run("python", script=program, version="new").error


def test_another_python_of_the_image_is_found_by_its_version(job: Job, tmp_path: Path) -> None:
    other = tmp_path / "bin" / "python3.99"
    other.parent.mkdir()
    other.write_text('#!/bin/sh\n[ "$1" = -c ] && echo 3.99.1 && exit\necho "other runs $(basename $1)"\n')
    other.chmod(0o755)
    (job.workspace / "main.py").write_text("")
    ended = job.run("python", {"PATH": f"{other.parent}:/usr/bin:/bin"}, file="main.py", version="3.99")
    assert (ended.code, ended.log) == (0, "other runs main.py\n")


@pytest.mark.parametrize("spelling", ["file", "text", "list"])
def test_requirements_are_installed_once(job: Job, spelling: str) -> None:
    wheel(job.root / "wheels", "windlass_sample")
    (job.workspace / "requirements.txt").write_text("# ours\nwindlass-sample==1.0\n")
    requirements = {
        "file": "requirements.txt",
        "text": "windlass-sample==1.0",
        "list": '["windlass-sample==1.0"]',
    }[spelling]
    program = "import windlass_sample; print(windlass_sample.WORD)"
    first = job.run("python", offline(job), script=program, requirements=requirements)
    assert (first.code, "from the wheel" in first.log) == (0, True), first.log
    (job.root / "wheels" / "windlass_sample-1.0-py3-none-any.whl").unlink()
    again = job.run("python", offline(job), script=program, requirements=requirements)
    assert (again.code, "are there from an earlier run" in again.log) == (0, True), again.log


def test_a_half_made_environment_is_made_anew(job: Job) -> None:
    wheel(job.root / "wheels", "windlass_sample")
    program = "import windlass_sample"
    assert job.run("python", offline(job), script=program, requirements="windlass-sample").code == 0
    complete = next((job.root / "cache").rglob("complete"))
    complete.unlink()
    (complete.parent / "venv" / "bin" / "python").unlink()
    assert job.run("python", offline(job), script=program, requirements="windlass-sample").code == 0


def test_requirements_that_point_elsewhere_are_not_kept(job: Job) -> None:
    wheel(job.root / "wheels", "windlass_sample")
    (job.workspace / "more.txt").write_text("windlass-sample\n")
    (job.workspace / "requirements.txt").write_text("-r more.txt\n")
    ended = job.run("python", offline(job), script="import windlass_sample", requirements="requirements.txt")
    assert ended.code == 0, ended.log
    assert not (job.root / "cache").exists()


def test_requirements_that_do_not_exist_fail_with_pips_words(job: Job) -> None:
    (job.root / "wheels").mkdir()
    ended = job.run("python", offline(job), script="print('ran')", requirements="no-such-thing")
    assert ended.code == 1
    assert "No matching distribution" in ended.log
    assert "ran\n" not in ended.log
    assert "could not be installed" in ended.error


def test_problems_name_their_remedy(job: Job) -> None:
    assert "give 'file' or 'script'" in job.run("python").error
    assert "not both" in job.run("python", file="a", script="b").error
    assert "no file 'gone.py'" in job.run("python", file="gone.py").error
    assert "no requirements file 'r.txt'" in job.run("python", script="1", requirements="r.txt").error


def test_a_cancelled_program_hears_the_signal(job: Job) -> None:
    (job.workspace / "main.py").write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(3)))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    process = subprocess.Popen(
        job.command("python"),
        cwd=job.workspace,
        env=job.environment({"file": "main.py"}),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "saved\n"
    assert process.wait() == 3
