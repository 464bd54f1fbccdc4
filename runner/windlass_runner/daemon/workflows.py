"""The workflow files of a commit, read from git's objects without a checkout. Used by `daemon.pushes`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from windlass_registry.errors import AuthorError, Problem
from windlass_runner.forges.git import Git, TreeEntry
from windlass_runner.workflow.parse import ParsedWorkflow, parse_workflow

FOLDERS: Final = (".windlass/workflows", ".gradient/workflows")
_SUFFIXES: Final = (".yaml", ".yml")
_LARGEST_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWorkflow:
    """One file: what it says, or what is wrong with it."""

    path: str
    parsed: ParsedWorkflow | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def stem(self) -> str:
        """The file's name without its ending: the workflow's name where the file cannot give one."""
        return PurePosixPath(self.path).stem

    def is_called(self, name: str) -> bool:
        """Whether somebody means this file by its path, file name, stem or workflow name."""
        names = {self.path, PurePosixPath(self.path).name, self.stem}
        if self.parsed is not None:
            names.add(self.parsed.workflow.name)
        return name in names


def find_workflows(git: Git, repository: Path, sha: str) -> tuple[FoundWorkflow, ...]:
    """All workflow files of a commit, by path. A link is a file with a problem: it is never followed."""
    roots = sorted({folder.partition("/")[0] for folder in FOLDERS})
    entries = git.list_tree(repository, sha, *roots, is_recursive=True)
    files: list[TreeEntry] = []
    refused: list[FoundWorkflow] = []
    for entry in entries:
        problem = _refusal(entry) if _is_of_interest(entry) else None
        if problem is not None:
            refused.append(FoundWorkflow(path=entry.path, problems=(problem,)))
        elif _is_workflow(entry):
            files.append(entry)
    contents = git.read_blobs(repository, [entry.sha for entry in files])
    read = [_read(entry.path, content) for entry, content in zip(files, contents, strict=True)]
    return tuple(sorted([*read, *refused], key=lambda found: found.path))


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


def _read(path: str, content: bytes) -> FoundWorkflow:
    try:
        return FoundWorkflow(path=path, parsed=parse_workflow(content, path=path))
    except AuthorError as error:
        return FoundWorkflow(path=path, problems=error.problems)
