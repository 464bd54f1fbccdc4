from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from unit.actions.running import Job
from windlass_runner.run.kept import Kept

VERSION = ".".join(str(part) for part in sys.version_info[:2])


def wheel(folder: Path, name: str, *, version: str = "1.0") -> Path:
    """A small package with a program, that can be installed without an index."""
    folder = folder / "simple" / name.replace("_", "-")
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(f"{name}.py", f"WORD = 'from the wheel {version}'\ndef main(): print(WORD)\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\nsay-it = {name}:main\n")
        names = (f"{name}.py", *(f"{info}/{each}" for each in ("METADATA", "WHEEL", "entry_points.txt")))
        record = "".join(f"{each},,\n" for each in (*names, f"{info}/RECORD"))
        archive.writestr(f"{info}/RECORD", record)
    return place


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def index(job: Job) -> Iterator[None]:
    """A package index over HTTP: the folder of this test's wheels. Its address stands in `index`."""
    (job.root / "wheels" / "simple").mkdir(parents=True)
    handler = functools.partial(_Quiet, directory=str(job.root / "wheels"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        (job.root / "index").write_text(f"http://127.0.0.1:{running.server_port}/simple")
        yield
        running.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python without pip and packages, as in an image that has uv."""
    place = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    return place / "bin" / "python"


@pytest.fixture(params=["pip", "uv"])
def image(request: pytest.FixtureRequest, job: Job, bare_python: Path) -> Job:
    """A job in an image that has pip, and in one that has uv."""
    return with_uv(job, bare_python) if request.param == "uv" else job


@pytest.fixture
def uv_job(job: Job, bare_python: Path) -> Job:
    return with_uv(job, bare_python)


def with_uv(job: Job, python: Path) -> Job:
    (job.root / "image").mkdir(exist_ok=True)
    (job.root / "image" / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    return dataclasses.replace(job, python=str(python))


def offline(job: Job) -> dict[str, str]:
    """The index of this test as the only one, and what earlier runs kept."""
    for name in ("kept", "new"):
        (job.root / name).mkdir(exist_ok=True)
    address = (job.root / "index").read_text()
    return {
        "PATH": f"{job.root / 'image'}:/usr/bin:/bin",
        "PIP_INDEX_URL": address,
        "UV_DEFAULT_INDEX": address,
        "WINDLASS_CACHE": str(job.root / "kept"),
        "WINDLASS_CACHE_NEW": str(job.root / "new"),
    }


def keep(job: Job) -> list[str]:
    """What the runner does when the job has ended; what is kept then."""
    in_use = frozenset[str]
    Kept(job.root / "kept").take_over(job.root / "new", may_add=True, in_use=in_use, at=1)
    shutil.rmtree(job.root / "new")
    return sorted(each.name for each in (job.root / "kept").iterdir())


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


SAMPLE = "windlass-sample==1.0"
PROGRAM = "import subprocess, sys, windlass_sample; print(windlass_sample.WORD, flush=True)"


def test_requirements_are_installed_once(uv_job: Job) -> None:
    path = wheel(uv_job.root / "wheels", "windlass_sample")
    (uv_job.workspace / "requirements.txt").write_text("# ours\nwindlass-sample==1.0\n")
    first = uv_job.run("python", offline(uv_job), script=PROGRAM, requirements="requirements.txt")
    assert (first.code, "from the wheel 1.0" in first.log) == (0, True), first.log
    assert "made the environment" in first.log
    assert len(keep(uv_job)) == 1
    path.unlink()
    again = uv_job.run("python", offline(uv_job), script=PROGRAM, requirements="requirements.txt")
    assert (again.code, "is there from an earlier run" in again.log) == (0, True), again.log


@pytest.mark.parametrize("requirements", [SAMPLE, f'["{SAMPLE}"]'])
def test_requirements_are_a_text_or_a_list(uv_job: Job, requirements: str) -> None:
    wheel(uv_job.root / "wheels", "windlass_sample")
    done = uv_job.run("python", offline(uv_job), script=PROGRAM, requirements=requirements)
    assert "from the wheel 1.0" in done.log, done.log


def test_programs_of_the_environment_run_wherever_it_lies(image: Job) -> None:
    wheel(image.root / "wheels", "windlass_sample")
    program = "import subprocess; print(subprocess.run('say-it', capture_output=True, text=True).stdout)"
    for _ in range(2):
        done = image.run("python", offline(image), script=program, requirements=SAMPLE)
        assert (done.code, "from the wheel 1.0" in done.log) == (0, True), done.log
        keep(image)
    assert "is there from an earlier run" in done.log
    assert not list((image.root / "kept").glob("*/bin/activate*"))


def test_the_environment_is_kept_also_where_the_program_fails(uv_job: Job) -> None:
    wheel(uv_job.root / "wheels", "windlass_sample")
    done = uv_job.run("python", offline(uv_job), script="raise SystemExit(5)", requirements=SAMPLE)
    assert (done.code, len(keep(uv_job))) == (5, 1)


def test_an_environment_that_the_program_changed_is_not_kept(uv_job: Job) -> None:
    wheel(uv_job.root / "wheels", "windlass_sample")
    program = "import windlass_sample\nopen(windlass_sample.__file__, 'a').write('WORD = 2')"
    done = uv_job.run("python", offline(uv_job), script=program, requirements=SAMPLE)
    assert (done.code, keep(uv_job)) == (0, [])
    assert "changed its environment" in done.log


def test_a_job_that_is_killed_leaves_nothing_half(uv_job: Job) -> None:
    wheel(uv_job.root / "wheels", "windlass_sample")
    (uv_job.workspace / "main.py").write_text("print('ready', flush=True)\nimport signal; signal.pause()\n")
    inputs = {"file": "main.py", "requirements": SAMPLE}
    process = subprocess.Popen(
        uv_job.command("python"),
        cwd=uv_job.workspace,
        env=uv_job.environment(inputs, offline(uv_job)),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert any(line == "ready\n" for line in process.stdout)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert keep(uv_job) == []
    assert uv_job.run("python", offline(uv_job), script=PROGRAM, requirements=SAMPLE).code == 0


def test_another_lock_makes_another_environment(uv_job: Job) -> None:
    for version in ("1.0", "2.0"):
        wheel(uv_job.root / "wheels", "windlass_sample", version=version)
        named = f"windlass-sample=={version}"
        done = uv_job.run("python", offline(uv_job), script=PROGRAM, requirements=named)
        assert f"from the wheel {version}" in done.log, done.log
        keep(uv_job)
    assert len(list((uv_job.root / "kept").iterdir())) == 2


def test_included_requirements_are_part_of_the_digest(uv_job: Job) -> None:
    wheel(uv_job.root / "wheels", "windlass_sample")
    wheel(uv_job.root / "wheels", "windlass_sample", version="2.0")
    (uv_job.workspace / "requirements.txt").write_text("-r more.txt\n")
    for version in ("1.0", "2.0"):
        (uv_job.workspace / "more.txt").write_text(f"windlass-sample=={version}\n")
        done = uv_job.run("python", offline(uv_job), script=PROGRAM, requirements="requirements.txt")
        assert f"from the wheel {version}" in done.log, done.log
        keep(uv_job)
    assert len(list((uv_job.root / "kept").iterdir())) == 2


def test_requirements_that_point_to_files_here_are_not_kept(uv_job: Job) -> None:
    path = wheel(uv_job.root / "wheels", "windlass_sample")
    (uv_job.workspace / "requirements.txt").write_text(f"./{path.name}\n")
    path.rename(uv_job.workspace / path.name)
    done = uv_job.run("python", offline(uv_job), script=PROGRAM, requirements="requirements.txt")
    assert (done.code, keep(uv_job)) == (0, []), done.log


def test_without_a_cache_the_environment_goes_with_the_job(uv_job: Job) -> None:
    wheel(uv_job.root / "wheels", "windlass_sample")
    variables = {**offline(uv_job), "WINDLASS_CACHE": "", "WINDLASS_CACHE_NEW": ""}
    assert uv_job.run("python", variables, script=PROGRAM, requirements=SAMPLE).code == 0


def test_the_second_run_of_a_lock_is_quick(image: Job) -> None:
    """By ratio to a run without requirements: an installer is not even started."""
    names = [f"windlass_sample{number}" for number in range(8)]
    for name in names:
        wheel(image.root / "wheels", name)
    requirements = "\n".join(f"{name}==1.0" for name in names)

    def took_s(**inputs: str) -> float:
        begun_at = time.monotonic()
        assert image.run("python", offline(image), script="pass", **inputs).code == 0
        return time.monotonic() - begun_at

    first_s = took_s(requirements=requirements)
    keep(image)
    again_s = min(took_s(requirements=requirements) for _ in range(3))
    assert again_s < first_s / 2, (first_s, again_s)


PROJECT = """
[project]
name = "ours"
version = "1.0"
requires-python = ">=3.8"
dependencies = ["windlass-sample"]
"""


def locked_project(uv_job: Job) -> None:
    """A project with a lock, and a package of its own under src."""
    wheel(uv_job.root / "wheels", "windlass_sample")
    (uv_job.workspace / "pyproject.toml").write_text(PROJECT)
    (uv_job.workspace / "src").mkdir()
    (uv_job.workspace / "src" / "ours.py").write_text(
        "from windlass_sample import WORD\nprint('ours,', WORD)\n"
    )
    variables = {**uv_job.environment({}), **offline(uv_job), "UV_CACHE_DIR": str(uv_job.root / "uv")}
    uv = [str(uv_job.root / "image" / "uv"), "lock", "--quiet", "--python", sys.executable]
    subprocess.run(uv, cwd=uv_job.workspace, env=variables, check=True)


@pytest.mark.parametrize("name", ["uv.lock", "pyproject.toml"])
def test_a_project_with_a_lock_runs_in_its_environment(uv_job: Job, name: str) -> None:
    locked_project(uv_job)
    for said in ("made the environment", "is there from an earlier run"):
        done = uv_job.run("python", offline(uv_job), script="import ours", requirements=name)
        assert (done.code, "ours, from the wheel 1.0" in done.log, said in done.log) == (0, True, True), (
            done.log
        )
        assert len(keep(uv_job)) == 1
    assert not (uv_job.workspace / ".venv").exists()


def test_a_lock_needs_uv_and_a_project(uv_job: Job) -> None:
    ended = uv_job.run("python", offline(uv_job), script="1", requirements="uv.lock")
    assert "there is no 'uv.lock'" in ended.error
    assert "make it with `uv lock`" in ended.error
    locked_project(uv_job)
    (uv_job.root / "image" / "uv").unlink()
    ended = uv_job.run("python", offline(uv_job), script="1", requirements="uv.lock")
    assert "the image has no uv" in ended.error


def test_requirements_that_do_not_exist_fail_with_pips_words(job: Job) -> None:
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
