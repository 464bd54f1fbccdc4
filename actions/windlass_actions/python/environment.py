"""Virtual environments for requirements or a lock, kept for later runs under a name that is a digest of all
that they depend on.

What is kept cannot be written to. A new one is made in a folder of this attempt, and given away, whole, when
the author's program has ended and has left it as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

FORM = "1"
"""Part of each name: raised where environments are made in another way."""
OWN_TOOLS = {"pip", "setuptools", "wheel", "uv", "distribute"}
LOCAL_SOURCE = re.compile(r'source = \{ (?:path|directory|editable) = "(?!\.")')
FACTS = """
import json, os, platform, sys, sysconfig
try:
    from importlib.metadata import distributions
    found = sorted({f"{each.metadata['Name']}=={each.version}" for each in distributions()})
except ImportError:
    found = []
print(json.dumps({
    "version": sys.version, "executable": os.path.realpath(sys.executable),
    "platform": sysconfig.get_platform(), "libc": platform.libc_ver(), "packages": found,
}))
"""
RELOCATABLE = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")"/'python' "$0" "$@"
' '''
"""
"""Begins a program of the environment, wherever it lies. A comment to Python, a command to the shell."""


class Failure(Exception):
    """What to tell the author of the workflow."""


class Wanted(NamedTuple):
    """What has to be in the environment."""

    arguments: list[str]
    """pip's, for requirements."""
    project: Path | None = None
    """A folder with a `uv.lock`, which says it all."""


class Interpreter(NamedTuple):
    """A Python of the image, and what it says of itself."""

    program: str
    facts: dict[str, Any]

    @classmethod
    def ask(cls, program: str) -> Interpreter:
        """Raises Failure."""
        done = subprocess.run([program, "-c", FACTS], capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"the Python of the image does not work: {done.stderr.strip()[-400:]}")
        return cls(program, json.loads(done.stdout))

    @property
    def has_packages(self) -> bool:
        """Whether the image brings packages of its own, which are not to be installed a second time."""
        names = {each.partition("==")[0].lower() for each in self.facts["packages"]}
        return bool(names - OWN_TOOLS)


def name_of(interpreter: Interpreter, wanted: Wanted, today: str, variables: Mapping[str, str]) -> str | None:
    """What the environment is kept under; None where it depends on files that are no part of a digest."""
    facts = interpreter.facts
    if wanted.project is not None:
        files = [wanted.project / name for name in ("uv.lock", "pyproject.toml")]
        texts = [file.read_text(encoding="utf-8") for file in files]
        if LOCAL_SOURCE.search(texts[0]):
            return None
        facts = {**facts, "packages": []}
    else:
        lines = requirement_lines(wanted.arguments)
        if lines is None:
            return None
        is_pinned = all(line.startswith("-") or re.search("==| @ ", line) for line in lines)
        texts = lines if is_pinned else [*lines, today]
    settings = [
        f"{name}={re.sub('//[^@/]*@', '//', variables[name])}"  # a password changes nothing
        for name in sorted(variables)
        if re.match("(PIP|UV)_.*(INDEX|FIND_LINKS)", name)
    ]
    key = json.dumps([FORM, wanted.project is not None, texts, facts, settings], sort_keys=True)
    return "python-" + hashlib.sha256(key.encode()).hexdigest()[:40]


def requirement_lines(arguments: list[str]) -> list[str] | None:
    """All lines that count, those of included files too; None where they point to other things here."""
    if arguments[0] != "-r":
        found: list[str] | None = _lines_of("\n".join(arguments[1:]), Path.cwd(), 0)
    else:
        path = Path(arguments[1])
        found = _lines_of(path.read_text(encoding="utf-8"), path.parent, 0)
    return found


def _lines_of(text: str, folder: Path, depth: int) -> list[str] | None:
    lines: list[str] = []
    for raw in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*", "", raw).strip()
        if not line:
            continue
        included = re.match(r"(?:-r|-c|--requirement|--constraint)[ =]*(\S+)\Z", line)
        if included:
            path = folder / included.group(1)
            if depth > 8 or not path.is_file():
                return None
            inner = _lines_of(path.read_text(encoding="utf-8"), path.parent, depth + 1)
            if inner is None:
                return None
            lines += inner
        elif re.match(r"[./]|-e|--editable|-f|--find-links", line) or re.search(r"file:|git\+|\$\{", line):
            return None
        else:
            lines.append(line)
    return lines


@contextlib.contextmanager
def environment(
    interpreter: Interpreter, wanted: Wanted, variables: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[Path]:
    """The folder of an environment that has what is wanted. Raises Failure."""
    kept, added = variables.get("WINDLASS_CACHE"), variables.get("WINDLASS_CACHE_NEW")
    name = name_of(interpreter, wanted, time.strftime("%Y-%m-%d", time.gmtime()), variables)
    if name is None or not kept or not added:
        with tempfile.TemporaryDirectory(prefix="venv-", dir=scratch_folder(variables)) as scratch:
            build(interpreter, Path(scratch) / "venv", wanted, variables, say)
            yield Path(scratch) / "venv"
        return
    mark = Path(added) / name
    mark.touch()  # before the look: what is marked is not removed
    place = Path(kept) / name
    if (place / "bin" / "python").exists():
        say(f"the environment is there from an earlier run ({name[:15]})")
        yield place
        return
    mark.unlink()
    place = Path(added) / f".{name}"
    shutil.rmtree(str(place), ignore_errors=True)
    build(interpreter, place, wanted, variables, say)
    before = state_of(place)
    yield place
    if state_of(place) == before:
        place.rename(mark)
    else:
        say("the program changed its environment, which is therefore not kept")


def state_of(place: Path) -> str:
    """Changes where a file of the environment does, but for what Python itself compiles."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(str(place)):
        folders[:] = sorted(each for each in folders if each != "__pycache__")
        for name in sorted(files):
            path = os.path.join(folder, name)  # noqa: PTH118
            status = os.lstat(path)
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_mode}\n".encode())
    return digest.hexdigest()


def build(
    interpreter: Interpreter,
    place: Path,
    wanted: Wanted,
    variables: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    """Make it: by uv where the image has that, else by venv and pip. Raises Failure."""
    begun_at = time.monotonic()
    uv = shutil.which("uv")
    if wanted.project is not None:
        if uv is None:
            raise Failure(
                "the image has no uv, which reads uv.lock; choose one that has it, such as"
                " ghcr.io/astral-sh/uv:python3.12-bookworm-slim"
            )
        with uv_variables(variables) as for_uv:
            build_from_lock(uv, interpreter, place, wanted.project, for_uv)
    elif uv is not None and not (interpreter.has_packages and has_pip(interpreter.program)):
        with uv_variables(variables) as for_uv:  # it does not see what the image has, as pip does
            build_by_uv(uv, interpreter, place, wanted, for_uv)
    else:
        build_by_pip(interpreter, place, wanted)
    relocate(place)
    say(f"made the environment in {time.monotonic() - begun_at:.1f} s")


def build_by_pip(interpreter: Interpreter, place: Path, wanted: Wanted) -> None:
    """It sees the image's own packages, pip among them where there is one."""
    made = subprocess.run(
        [interpreter.program, "-m", "venv", "--system-site-packages", "--without-pip", str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if made.returncode:
        raise Failure(f"the image cannot make a virtual environment: {made.stdout.strip()[-400:]}")
    python = str(place / "bin" / "python")
    if not (has_pip(python) or succeeds([python, "-m", "ensurepip"])):
        raise Failure("the image has neither uv nor pip; choose one that has, such as python:3.12-slim")
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    if subprocess.run([*command, *wanted.arguments]).returncode:
        raise Failure("the requirements could not be installed; pip says above why")


def build_by_uv(
    uv: str, interpreter: Interpreter, place: Path, wanted: Wanted, variables: Mapping[str, str]
) -> None:
    base = ["--python", interpreter.program, "--no-project", "--system-site-packages"]
    call_uv([uv, "venv", "--quiet", *base, str(place)], variables)
    python = ["--python", str(place / "bin" / "python"), "--compile-bytecode"]
    call_uv([uv, "pip", "install", "--quiet", *python, *wanted.arguments], variables)


def build_from_lock(
    uv: str, interpreter: Interpreter, place: Path, project: Path, variables: Mapping[str, str]
) -> None:
    """All of the lock but the project itself, whose files lie in the workspace."""
    parts = ["--frozen", "--no-install-project", "--no-install-workspace", "--compile-bytecode"]
    where = ["--project", str(project), "--python", interpreter.program]
    call_uv([uv, "sync", "--quiet", *parts, *where], {**variables, "UV_PROJECT_ENVIRONMENT": str(place)})


@contextlib.contextmanager
def uv_variables(variables: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """uv's environment, with a cache beside the new environment: files are linked, not copied."""
    with tempfile.TemporaryDirectory(prefix="uv-", dir=scratch_folder(variables)) as scratch:
        for_uv = {"UV_CACHE_DIR": scratch, **variables, "UV_PYTHON_DOWNLOADS": "never"}
        for_uv.pop("VIRTUAL_ENV", None)
        yield for_uv


def call_uv(command: list[str], variables: Mapping[str, str]) -> None:
    if subprocess.run(command, env=variables).returncode:
        raise Failure(f"'uv {command[1]}' failed; it says above why")


def relocate(place: Path) -> None:
    """Let the environment's programs find its Python wherever it comes to lie."""
    own = os.fsencode(str(place))
    for program in sorted((place / "bin").iterdir()):
        if program.name.lower().startswith("activate"):
            program.unlink()  # it would lead to where the environment was made
        elif program.is_file() and not program.is_symlink():
            content = program.read_bytes()
            lines = content.split(b"\n", 3)
            if not (content.startswith(b"#!") and own in b"\n".join(lines[:2])):
                continue
            rest = lines[3:] if len(lines) > 2 and lines[1].startswith(b"'''exec'") else lines[1:]
            program.write_bytes(RELOCATABLE + b"\n".join(rest))


def scratch_folder(variables: Mapping[str, str]) -> str | None:
    """Where temporary files go; None for the system's own place."""
    place = variables.get("RUNNER_TEMP", "")
    return place if place and Path(place).is_dir() else None


def has_pip(python: str) -> bool:
    return succeeds([python, "-m", "pip", "--version"])


def succeeds(command: list[str]) -> bool:
    return not subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
