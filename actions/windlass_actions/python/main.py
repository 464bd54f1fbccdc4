"""Runs a Python file or script, in a virtual environment where requirements are given.

Python 3.7 and later: this file runs in whatever image the job names.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn


def fail(message: str) -> NoReturn:
    """Say what is wrong, as an annotation, and stop."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error::python: {escaped}", flush=True)
    sys.exit(1)


def read_input(name: str) -> str:
    return os.environ.get(f"INPUT_{name.upper()}", "").strip("\n")


def placed(path: str) -> Path:
    """A path as the author wrote it, on this machine."""
    for name in ("workspace", "inputs", "outputs"):
        root = os.environ.get(f"WINDLASS_{name.upper()}")
        if root and path.startswith(f"/{name}/"):
            return Path(root) / path[len(name) + 2 :]
    return Path(path)


def scratch_folder() -> str | None:
    """Where temporary files go; None for the system's own place."""
    place = os.environ.get("RUNNER_TEMP", "")
    return place if place and Path(place).is_dir() else None


def read_words(name: str) -> list[str]:
    """A list input (JSON), or text as one word for each line."""
    text = read_input(name).strip()
    if text.startswith("["):
        with contextlib.suppress(ValueError):
            return [item if isinstance(item, str) else json.dumps(item) for item in json.loads(text)]
    return [line.strip() for line in text.splitlines() if line.strip()]


def find_interpreter(version: str) -> str:
    """The Python to use: this one, or the one of the wanted version that the image has."""
    if not version:
        return sys.executable
    if not re.fullmatch(r"[0-9]+(\.[0-9]+){0,2}(\.x)?", version):
        fail(f"'{version}' is not a version of Python; write one such as 3.12")
    wanted = re.sub(r"\.x$", "", version)
    short = ".".join(wanted.split(".")[:2])
    for candidate in (sys.executable, shutil.which(f"python{short}")):
        if candidate and f"{version_of(candidate)}.".startswith(f"{wanted}."):
            return candidate
    has = ".".join(str(part) for part in sys.version_info[:3])
    fail(
        f"the image has Python {has}, not {version}; choose an image that has it, such as python:{short}-slim"
    )


def version_of(interpreter: str) -> str:
    program = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    return subprocess.run(
        [interpreter, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def requirement_arguments() -> list[str]:
    """pip's arguments for the requirements; none where none are given."""
    text = read_input("requirements").strip()
    if not text:
        return []
    if not text.startswith("[") and "\n" not in text:
        if placed(text).is_file():
            return ["-r", str(placed(text).resolve())]
        if text.endswith((".txt", ".in")) or "/" in text.split("@")[0]:
            fail(f"there is no requirements file '{text}' in {Path.cwd()}")
    words = [word for word in read_words("requirements") if not word.startswith("#")]
    return ["--", *words] if words else []


def environment_key(interpreter: str, arguments: list[str]) -> str | None:
    """What an environment depends on; None where it depends on more than these lines."""
    lines = arguments[1:]
    if arguments[0] == "-r":
        lines = Path(arguments[1]).read_text(encoding="utf-8").splitlines()
    lines = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if any(line.startswith(("-", ".", "/")) or "file:" in line or "git+" in line for line in lines):
        return None
    text = "\0".join([interpreter, version_of(interpreter), *lines])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@contextlib.contextmanager
def environment(interpreter: str, arguments: list[str]) -> Iterator[str]:
    """The interpreter of a virtual environment that has the requirements."""
    cache = os.environ.get("WINDLASS_CACHE")
    key = environment_key(interpreter, arguments)
    if not cache or key is None:
        with tempfile.TemporaryDirectory(prefix="venv-", dir=scratch_folder()) as scratch:
            yield build(interpreter, Path(scratch) / "venv", arguments)
        return
    place = Path(cache) / "python" / key
    place.mkdir(parents=True, exist_ok=True)
    complete, python = place / "complete", place / "venv" / "bin" / "python"
    with (place / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists():
            print(f"python: the requirements are there from an earlier run ({key})", flush=True)
        else:
            shutil.rmtree(place / "venv", ignore_errors=True)
            build(interpreter, place / "venv", arguments)
            complete.touch()
    yield str(python)


def build(interpreter: str, place: Path, arguments: list[str]) -> str:
    """Make the environment. It sees the image's own packages, pip among them where there is one."""
    made = subprocess.run(
        [interpreter, "-m", "venv", "--system-site-packages", "--without-pip", str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if made.returncode:
        fail(f"the image cannot make a virtual environment: {made.stdout.strip()[-400:]}")
    python = str(place / "bin" / "python")
    if not (succeeds([python, "-m", "pip", "--version"]) or succeeds([python, "-m", "ensurepip"])):
        fail("the image has no pip; choose one that has it, such as python:3.12-slim")
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    if subprocess.run([*command, *arguments]).returncode:
        fail("the requirements could not be installed; pip says above why")
    return python


def succeeds(command: list[str]) -> bool:
    return not subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


@contextlib.contextmanager
def program() -> Iterator[str]:
    """The file to run: the one that is named, or one that holds the script."""
    file, script = read_input("file").strip(), read_input("script")
    if bool(file) == bool(script.strip()):
        fail("give 'file' or 'script'" + (", not both" if file else ""))
    if file:
        if not placed(file).is_file():
            fail(f"there is no file '{file}' in {Path.cwd()}")
        yield str(placed(file))
        return
    with tempfile.TemporaryDirectory(prefix="script-", dir=scratch_folder()) as scratch:
        place = Path(scratch) / "script.py"
        place.write_text(script + "\n", encoding="utf-8")
        yield str(place)


def run(command: list[str], variables: dict[str, str]) -> int:
    """Run to the end, passing signals on; the exit code, 128 + n for a signal n."""
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, _: FrameType | None) -> None:
        if child is None:
            sys.exit(128 + number)
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    child = subprocess.Popen(command, env=variables)
    code = child.wait()
    return code if code >= 0 else 128 - code


def main() -> int:
    interpreter = find_interpreter(read_input("version").strip())
    arguments = requirement_arguments()
    variables = dict(os.environ, PYTHONUNBUFFERED="1")
    if not read_input("file").strip():
        paths = [os.getcwd(), os.environ.get("PYTHONPATH", "")]  # noqa: PTH109
        variables["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(program())
        if arguments:
            interpreter = stack.enter_context(environment(interpreter, arguments))
        return run([interpreter, file, *read_words("args")], variables)


if __name__ == "__main__":
    sys.exit(main())
