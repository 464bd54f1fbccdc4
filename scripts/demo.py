"""The demo: a daemon, a repository it watches, and a push that becomes jobs, a model and a status.

Called by scripts/demo (`make demo`), which has installed what this needs. Uses the product as anyone
would: by `windlass` and `git`. Everything lies in one folder below .demo, and is gone at the end
unless KEEP is set. The exit code is 0 when the run succeeded.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from demo_daemon import daemon
from demo_image import ImageError, ensure_image
from demo_terminal import WINDLASS, DemoFailed, code, command, note, quiet, quietly, shown, title

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "samples" / "digits"
PLACE = ROOT / ".demo"
MODEL = PLACE / "model"
KEEP = os.environ.get("KEEP", "") not in ("", "0")


def main() -> int:
    signal.signal(signal.SIGTERM, interrupt)
    began = time.monotonic()
    PLACE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=PLACE))
    keep = False
    try:
        succeeded = show(folder)
        keep = KEEP
    except KeyboardInterrupt:
        print("\ninterrupted; everything was stopped and removed", flush=True)
        return 130
    except DemoFailed as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{'Done' if succeeded else 'The run failed'} after {time.monotonic() - began:.0f} s.")
    return 0 if succeeded else 1


def show(folder: Path) -> bool:
    """All of it in order; whether the run succeeded."""
    engine = choose_engine()
    title("A repository with a workflow")
    make_repository(folder)
    title("A daemon that watches it")
    with daemon(folder, engine=engine, keep=KEEP) as running:
        title("A push")
        command(folder / "work", "git", "push", "--quiet", "origin", "main")
        run = running.await_run()
        title("What it became, live")
        shown(folder, "windlass", "logs", "--follow", run)
        running.await_status()
        title("The status that stands on the commit")
        shown(folder / "work", "windlass", "status")
        note(f"the same, with plain git: {code('git log --notes=windlass')}")
        title("What is left of it")
        succeeded = tell_results(folder, run)
    if KEEP:
        tell_how_to_look(folder, running.process.pid)
    return succeeded


def choose_engine() -> str:
    """`docker` where one answers and has the image; the reason otherwise."""
    reason = docker_trouble()
    if reason is None:
        note("The jobs run in containers, by the Docker engine that answers here.")
        return "docker"
    note(f"The jobs run as plain processes, isolated from nothing: {reason}.")
    return "process"


def docker_trouble() -> str | None:
    """Why the jobs cannot run in Docker here; None where they can."""
    host = os.environ.get("DOCKER_HOST", "unix://")
    if not host.startswith("unix://"):
        return f"the Docker engine is on another machine ({host}), which cannot see the files here"
    if shutil.which("docker") is None:
        return "Docker is not installed"
    try:
        asked = quiet("docker", "version", "--format", "{{.Server.Version}}", timeout_s=10)
        if asked.returncode:
            return "no Docker engine answers (or it does not let this user in)"
        ensure_image()
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer within 10 s"
    except ImageError as error:
        return f"no image could be made for it ({error})"
    return None


def make_repository(folder: Path) -> None:
    """A bare repository, as on a server, and a clone of it with the sample in it, committed."""
    bare, work = folder / "digits.git", folder / "work"
    quietly("git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    quietly("git", "clone", "--quiet", str(bare), str(work))
    shutil.copytree(SAMPLE, work, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@example.org", "-c", "commit.gpgsign=false")
    quietly("git", "-C", str(work), "checkout", "--quiet", "-B", "main")
    quietly("git", "-C", str(work), "add", "--all")
    quietly("git", "-C", str(work), *identity, "commit", "--quiet", "-m", "Learn to read digits")
    note(f"{SAMPLE.relative_to(ROOT)}: prepare, compare three models beside each other, train the best")
    command(work, "windlass", "validate")


def tell_results(folder: Path, run: str) -> bool:
    """The metrics, and where the model lies; whether the run succeeded."""
    said = quiet(WINDLASS, "show", run, "--json", cwd=folder)
    found = json.loads(said.stdout)
    for job in found["jobs"]:
        for name, metric in job["metrics"].items():
            print(f"  {job['name']:<20} {name} {metric['last']:.3f}")
        for name, output in job["outputs"].items():
            if output.get("type") == "artifact":
                keep_model(Path(output["path"]), name=f"{job['name']}'s artifact '{name}'")
    return bool(found["state"] == "success")


def keep_model(path: Path, *, name: str) -> None:
    """Copy an artifact to where it outlives the demo."""
    shutil.rmtree(MODEL, ignore_errors=True)
    shutil.copytree(path, MODEL, copy_function=shutil.copyfile)
    names = ", ".join(sorted(file.name for file in MODEL.iterdir()))
    print(f"  {name} lies in {path.relative_to(ROOT) if KEEP else MODEL.relative_to(ROOT)} ({names})")


def tell_how_to_look(folder: Path, pid: int) -> None:
    title("Look around")
    for line in (
        f"export PATH={shlex.quote(str(WINDLASS.parent))}:$PATH",
        f"cd {shlex.quote(str(folder))}",
        "windlass runs",
        "windlass show",
        "windlass start digits --input folds=8 --wait",
        "cd work, change something, commit and push",
    ):
        print(f"  {line}")
    print(f"To stop: kill {pid}; rm -rf {shlex.quote(str(folder))}")


def interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
