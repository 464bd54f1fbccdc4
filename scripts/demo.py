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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from demo_image import ImageError, ensure_image

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "samples" / "digits"
PLACE = ROOT / ".demo"
MODEL = PLACE / "model"
WINDLASS = Path(sys.executable).with_name("windlass")
KEEP = os.environ.get("KEEP", "") not in ("", "0")
SETTINGS = """\
[server]
listen = "127.0.0.1:0"

[storage]
path = "state"

[[repository]]
url = "digits.git"
poll_s = 0.5

[[host]]
name = "local"
engine = "{engine}"
"""
PATIENCE_S = 60
TERMINAL = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class DemoFailed(Exception):
    """The demo cannot go on, and why."""


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
    (folder / "windlass.toml").write_text(SETTINGS.format(engine=engine))
    with daemon(folder) as process:
        title("A push")
        command(folder / "work", "git", "push", "--quiet", "origin", "main")
        run = await_run(folder, process)
        title("What it became, live")
        windlass(folder, "logs", "--follow", run)
        await_status(folder, process)
        title("The status that stands on the commit")
        windlass(folder, "status")
        note(f"the same, with plain git: {code('git log --notes=windlass')}")
        title("What is left of it")
        return tell_results(folder, run)


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


@contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`windlass serve`, stopped at the end (with what runs) unless it is kept."""
    echo("windlass", "serve", "--config", "windlass.toml")
    with (folder / "daemon.log").open("w") as log:
        process = subprocess.Popen(
            [WINDLASS, "serve", "--config", "windlass.toml"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: we stop it in order
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line:
            give_up(folder, "the daemon did not start")
        print(line, flush=True)
        yield process
    except BaseException:
        stop(folder, process, cancel=True)
        raise
    if KEEP:
        tell_how_to_look(folder, process.pid)
    else:
        stop(folder, process)


def stop(folder: Path, process: subprocess.Popen[str], *, cancel: bool = False) -> None:
    """End the daemon and all that it started. A second Ctrl-C does not keep us from it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runs = list_runs(folder)
    if cancel and process.poll() is None:
        for run in runs:
            quiet(WINDLASS, "cancel", run["id"], "--wait", cwd=folder, timeout_s=30)
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for run in runs:
        remove_rest(run["id"])


def remove_rest(run: str) -> None:
    """What a daemon that could not stop in order may have left in Docker."""
    if shutil.which("docker") is None:
        return
    for kind, remove in (("container", ("rm", "--force", "--volumes")), ("network", ("rm",))):
        listed = quiet(
            "docker",
            kind,
            "ls",
            "--quiet",
            *(("--all",) if kind == "container" else ()),
            "--filter",
            f"label=windlass.run={run}",
        )
        if names := listed.stdout.split():
            quiet("docker", kind, *remove, *names)


def await_run(folder: Path, process: subprocess.Popen[str]) -> str:
    """The run that the push became."""
    for _ in until_patience_ends(folder, process, "the push did not become a run"):
        if runs := list_runs(folder):
            return str(runs[0]["id"])
    raise AssertionError


def await_status(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the daemon has posted the final word."""
    for _ in until_patience_ends(folder, process, "no status came to stand on the commit"):
        said = quiet(WINDLASS, "status", "--json", cwd=folder / "work")
        if said.returncode == 0 and json.loads(said.stdout)["state"] not in ("queued", "waiting", "running"):
            return


def until_patience_ends(folder: Path, process: subprocess.Popen[str], problem: str) -> Iterator[None]:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        yield
        time.sleep(0.1)
    give_up(folder, problem)


def give_up(folder: Path, problem: str) -> NoReturn:
    log = (folder / "daemon.log").read_text(errors="replace").splitlines()[-15:]
    raise DemoFailed("\n".join([problem, "the daemon said last:", *(f"  {line}" for line in log)]))


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


def list_runs(folder: Path) -> list[dict[str, Any]]:
    said = quiet(WINDLASS, "runs", "--json", cwd=folder)
    return [json.loads(line) for line in said.stdout.splitlines()] if said.returncode == 0 else []


def windlass(folder: Path, *words: str) -> None:
    """A command on the daemon's runs, shown; its own exit code says how the run went."""
    place = folder / "work" if words[0] == "status" else folder
    echo("windlass", *words)
    subprocess.run([WINDLASS, *words], cwd=place, check=False)


def command(place: Path, *words: str) -> None:
    echo(*words)
    program = [str(WINDLASS) if words[0] == "windlass" else words[0], *words[1:]]
    if subprocess.run(program, cwd=place, check=False).returncode:
        raise DemoFailed(f"'{shlex.join(words)}' failed")


def quiet(
    *words: str | Path, cwd: Path | None = None, timeout_s: float | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)), cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout_s
    )


def quietly(*words: str) -> None:
    done = quiet(*words)
    if done.returncode:
        raise DemoFailed(f"'{shlex.join(words)}' failed: {done.stderr.strip()}")


def interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def title(text: str) -> None:
    print(f"\n\x1b[1m── {text}\x1b[0m" if TERMINAL else f"\n-- {text}", flush=True)


def echo(*words: str) -> None:
    print(code(f"$ {shlex.join(words)}"), flush=True)


def code(text: str) -> str:
    return f"\x1b[36m{text}\x1b[0m" if TERMINAL else text


def note(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
