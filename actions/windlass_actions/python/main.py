"""Runs a Python file or script, in a virtual environment where requirements are given.

Python 3.8 and later: this file runs in whatever image the job names.
"""

from __future__ import annotations

import contextlib
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

from environment import Failure, Interpreter, Wanted, environment, scratch_folder


def fail(message: str) -> NoReturn:
    """Say what is wrong, as an annotation, and stop."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error::python: {escaped}", flush=True)
    sys.exit(1)


def say(text: str) -> None:
    print(f"python: {text}", flush=True)


def read_input(name: str) -> str:
    return os.environ.get(f"INPUT_{name.upper()}", "").strip("\n")


def placed(path: str) -> Path:
    """A path as the author wrote it, on this machine."""
    for name in ("workspace", "inputs", "outputs"):
        root = os.environ.get(f"WINDLASS_{name.upper()}")
        if root and path.startswith(f"/{name}/"):
            return Path(root) / path[len(name) + 2 :]
    return Path(path)


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


def read_wanted() -> Wanted | None:
    """What the environment has to have; None where nothing is asked for."""
    text = read_input("requirements").strip()
    if not text:
        return None
    if not text.startswith("[") and "\n" not in text:
        path = placed(text)
        if path.name in ("uv.lock", "pyproject.toml"):
            return locked(path, text)
        if path.is_file():
            return Wanted(["-r", str(path.resolve())])
        if text.endswith((".txt", ".in")) or "/" in text.split("@")[0]:
            fail(f"there is no requirements file '{text}' in {Path.cwd()}")
    words = [word for word in read_words("requirements") if not word.startswith("#")]
    return Wanted(["--", *words]) if words else None


def locked(path: Path, text: str) -> Wanted:
    """The project whose lock this is, or whose lock lies beside this."""
    for name in ("uv.lock", "pyproject.toml"):
        if not (path.parent / name).is_file():
            remedy = "; make it with `uv lock`, and commit it" if name == "uv.lock" else ""
            fail(f"there is no '{name}' beside '{text}' in {Path.cwd()}{remedy}")
    return Wanted([], path.parent.resolve())


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
    with tempfile.TemporaryDirectory(prefix="script-", dir=scratch_folder(os.environ)) as scratch:
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


def variables_of(place: Path | None, wanted: Wanted | None) -> dict[str, str]:
    """The environment variables of the program."""
    variables = dict(os.environ, PYTHONUNBUFFERED="1")
    paths = [] if read_input("file").strip() else [os.getcwd()]  # noqa: PTH109
    if wanted is not None and wanted.project is not None:
        paths += [str(each) for each in (wanted.project / "src", wanted.project) if each.is_dir()]
    if paths:
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [*paths, os.environ.get("PYTHONPATH", "")]))
    if place is not None:
        variables["VIRTUAL_ENV"] = str(place)
        variables["PATH"] = os.pathsep.join([str(place / "bin"), os.environ.get("PATH", os.defpath)])
    return variables


def main() -> int:
    interpreter = find_interpreter(read_input("version").strip())
    wanted = read_wanted()
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(program())
        place = None
        if wanted is not None:
            try:
                place = stack.enter_context(
                    environment(Interpreter.ask(interpreter), wanted, os.environ, say)
                )
            except Failure as failure:
                fail(str(failure))
            interpreter = str(place / "bin" / "python")
        return run([interpreter, file, *read_words("args")], variables_of(place, wanted))


if __name__ == "__main__":
    sys.exit(main())
