"""The workflow files of a commit, read from git's objects without a checkout. Used by `daemon.pushes`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from windlass_registry.errors import AuthorError, Problem
from windlass_registry.near_words import did_you_mean
from windlass_runner.forges.git import Git
from windlass_runner.forges.git_objects import TreeEntry
from windlass_runner.workflow.model import Workflow
from windlass_runner.workflow.parse import Inspection, inspect_workflow

FOLDERS: Final = (".windlass/workflows", ".gradient/workflows")
_SUFFIXES: Final = (".yaml", ".yml")
_LARGEST_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWorkflow:
    """One file: what it says, and what is wrong with it."""

    path: str
    content: bytes = b""
    inspection: Inspection

    @property
    def workflow(self) -> Workflow | None:
        """What may run; None where the file is broken."""
        return None if self.inspection.is_broken else self.inspection.workflow

    @property
    def name(self) -> str:
        """The workflow's name; where the file cannot give one, its own without the ending."""
        said = self.inspection.workflow
        return said.name if said is not None else PurePosixPath(self.path).stem

    def is_called(self, name: str) -> bool:
        """Whether somebody means this file by its path, file name, stem or workflow name."""
        path = PurePosixPath(self.path)
        return name in (self.path, path.name, path.stem, self.name)


def find_workflows(git: Git, repository: Path, sha: str) -> tuple[FoundWorkflow, ...]:
    """All workflow files of a commit, by path. A link is a file with a problem: it is never followed."""
    roots = sorted({folder.partition("/")[0] for folder in FOLDERS})
    entries = git.list_tree(repository, sha, *roots, is_recursive=True)
    files: list[TreeEntry] = []
    refused: list[FoundWorkflow] = []
    for entry in entries:
        problem = _refusal(entry) if _is_of_interest(entry) else None
        if problem is not None:
            inspection = Inspection(workflow=None, problems=(problem,))
            refused.append(FoundWorkflow(path=entry.path, inspection=inspection))
        elif _is_workflow(entry):
            files.append(entry)
    contents = git.read_blobs(repository, [entry.sha for entry in files])
    read = [
        FoundWorkflow(path=file.path, content=content, inspection=inspect_workflow(content, path=file.path))
        for file, content in zip(files, contents, strict=True)
    ]
    return tuple(sorted([*read, *refused], key=lambda found: found.path))


def read_workflows(root: Path) -> tuple[FoundWorkflow, ...]:
    """All workflow files below a folder, such as a copy of a commit. Links are not followed."""
    inside = root.resolve()
    folders = [root / folder for folder in FOLDERS if (root / folder).resolve().is_relative_to(inside)]
    places = [place for folder in folders for place in sorted(folder.glob("*"))]
    return tuple(
        FoundWorkflow(path=path, inspection=inspect_workflow(place.read_bytes(), path=path))
        for place in places
        if place.suffix in _SUFFIXES and place.is_file() and not place.is_symlink()
        for path in [place.relative_to(root).as_posix()]
    )


def named(found: Sequence[FoundWorkflow], name: str) -> FoundWorkflow:
    """The one that somebody means by that name. Raises AuthorError where there is none."""
    called = next((workflow for workflow in found if workflow.is_called(name)), None)
    if called is None:
        remedy = did_you_mean(name, [workflow.name for workflow in found])
        raise AuthorError(Problem(path=name, line=0, column=0, message="no such workflow", remedy=remedy))
    return called


def _is_workflow(entry: TreeEntry) -> bool:
    path = PurePosixPath(entry.path)
    return str(path.parent) in FOLDERS and path.suffix in _SUFFIXES


def _is_of_interest(entry: TreeEntry) -> bool:
    """A workflow file, or what stands where a folder of them should."""
    return _is_workflow(entry) or any(entry.path in _ways(folder) for folder in FOLDERS)


def _ways(folder: str) -> Iterator[str]:
    yield folder
    yield from (str(parent) for parent in PurePosixPath(folder).parents)


def _refusal(entry: TreeEntry) -> Problem | None:
    if entry.link_kind is not None:
        message = f"'{entry.path}' is {entry.link_kind}, which is not followed"
        remedy = "commit the file itself"
    elif entry.size_bytes > _LARGEST_BYTES:
        message = f"the file has {entry.size_bytes:,} bytes, more than the {_LARGEST_BYTES:,} that are read"
        remedy = "split it into several workflows"
    else:
        return None
    return Problem(path=entry.path, line=0, column=0, message=message, remedy=remedy)
