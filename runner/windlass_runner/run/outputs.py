"""What a job wrote to `/outputs`, taken over when it has succeeded. Called by `run.execute`.

Everything is checked first; only when all of it is right does anything move. Taking over is done by
renaming, file by file name, and may be repeated after a crash: what has moved already is found at
its new place. What is wrong is a value with a remedy: the job has failed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from windlass_runner.data.digests import measure
from windlass_runner.data.trees import (
    copy_entry,
    copy_tree,
    make_read_only,
    read_plain,
    remove_tree,
    walk,
)
from windlass_runner.workflow.model import OutputSpec, OutputType

STRING_LIMIT: Final = 1024 * 1024
_FOLDER_TYPES: Final = ("dataset", "model", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedOutput:
    """One output in its final place. `text` is set for strings only."""

    name: str
    type: OutputType
    path: Path
    digest: str
    size_bytes: int
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputProblem:
    """Why an output cannot be taken: the job fails."""

    name: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """The outputs of one attempt, by name; or, with any problem, none of them."""

    outputs: tuple[CollectedOutput, ...] = ()
    problems: tuple[OutputProblem, ...] = ()


def collect_outputs(
    job: str, specs: Sequence[OutputSpec], *, source: Path, target: Path, needed: bool = True
) -> Collection:
    """Take a job's outputs from `source` (its scratch) to `target`, read-only.

    Outputs that are expressions (`value`) are not files and are left to the caller. With
    `needed=False` (a job that failed, whose artifacts are still wanted) what is missing is no problem.

    Raises:
        OSError: the host cannot do it (disk full).
    """
    found: list[tuple[OutputSpec, Path]] = []
    problems: list[OutputProblem] = []
    for spec in (spec for spec in specs if spec.value is None):
        place = _place(spec.name, source, target)
        if place is None:
            if needed:
                problems.append(_missing(job, spec))
            continue
        problem = _check(job, spec, place)
        if problem is not None:
            problems.append(problem)
        else:
            found.append((spec, place))
    if problems:
        return Collection(problems=tuple(problems))
    return Collection(outputs=tuple(_take(spec, place, target / spec.name) for spec, place in found))


def _place(name: str, source: Path, target: Path) -> Path | None:
    """Where an output lies: moved already, or still in scratch."""
    for place in (target / name, source / name):
        if os.path.lexists(place):
            return place
    return None


def _missing(job: str, spec: OutputSpec) -> OutputProblem:
    return OutputProblem(
        name=spec.name,
        message=f"job '{job}' declared the output '{spec.name}' but wrote nothing to /outputs/{spec.name}",
        remedy=f"write {_WANTED[spec.type]} there, or take it out of `outputs`",
    )


_WANTED: Final = {
    "string": "a small text file",
    "artifact": "a file or folder",
    "dataset": "a folder",
    "model": "a folder",
    "volume": "a folder",
}


def _check(job: str, spec: OutputSpec, place: Path) -> OutputProblem | None:
    where = f"/outputs/{spec.name} of job '{job}'"
    mode = place.lstat().st_mode
    if spec.type == "string":
        return _check_string(spec, place, where)
    if stat.S_ISLNK(mode):
        return _problem(spec, f"{where} is a link", "write the files themselves")
    if not stat.S_ISDIR(mode):
        if spec.type in _FOLDER_TYPES:
            remedy = f"make it a folder: /outputs/{spec.name}/…"
            return _problem(spec, f"{where} is a {spec.type} and must be a folder", remedy)
        if not stat.S_ISREG(mode):
            return _problem(spec, f"{where} is neither a file nor a folder", "write a plain file")
        return None
    if spec.type in _FOLDER_TYPES and spec.type != "volume" and not any(place.iterdir()):
        return _missing(job, spec)
    for reason in _unwanted(place):
        return _problem(spec, f"{where} {reason}", "copy the file itself, or link inside the folder")
    return None


def _check_string(spec: OutputSpec, place: Path, where: str) -> OutputProblem | None:
    read = read_plain(place, limit_bytes=STRING_LIMIT)
    if read.problem:
        remedy = "write a small text file, or make it an artifact"
        return _problem(spec, f"{where} is not a string: {read.problem}", remedy)
    try:
        read.content.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{where} is not UTF-8 text (byte {error.start})"
        return _problem(spec, message, "write text, or make it an artifact")
    return None


def _problem(spec: OutputSpec, message: str, remedy: str) -> OutputProblem:
    return OutputProblem(name=spec.name, message=message, remedy=remedy)


def _unwanted(folder: Path) -> Iterator[str]:
    """What a folder holds that cannot be kept: special files, links that lead out of it."""
    root = folder.resolve()
    for name, entry in walk(folder):
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            aim = Path(entry.path).readlink()
            by_text = os.path.normpath(Path(name).parent / aim)
            leaves = aim.is_absolute() or by_text == ".." or by_text.startswith("../")
            if leaves or not Path(os.path.realpath(entry.path)).is_relative_to(root):
                yield f"has a link that leads out of it ('{name}' → '{aim}')"
        elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            yield f"has something that is neither a file nor a folder ('{name}')"


def _take(spec: OutputSpec, place: Path, target: Path) -> CollectedOutput:
    if place != target:
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(place, target)
    make_read_only(target)
    facts = measure(target)
    text = None
    if spec.type == "string":
        text = read_plain(target, limit_bytes=STRING_LIMIT).content.decode("utf-8")
        text = text.removesuffix("\n").removesuffix("\r")
    return CollectedOutput(
        name=spec.name,
        type=spec.type,
        path=target,
        digest=facts.digest,
        size_bytes=facts.size_bytes,
        text=text,
    )


def _move(place: Path, target: Path) -> None:
    try:
        place.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}.new")
        remove_tree(beside)
        if place.is_dir():
            copy_tree(place, beside)
        else:
            copy_entry(str(place), str(beside))
        beside.rename(target)
        remove_tree(place)
