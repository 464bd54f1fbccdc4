"""Workflow files as people name them: files, folders, or nothing for all of a repository."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from windlass_registry.errors import AuthorError, Problem
from windlass_registry.yaml_limits import Limits
from windlass_runner.commands.context import repository_root

FOLDERS: Final = (".windlass/workflows", ".gradient/workflows")
SUFFIXES: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFile:
    """A workflow file on disk. `shown` is how problems name it, `root` its repository."""

    path: Path
    shown: str
    root: Path

    @property
    def name_in_root(self) -> str:
        """The path from the repository's root, as plans have it."""
        place = self.path.absolute()
        return place.relative_to(self.root).as_posix() if place.is_relative_to(self.root) else place.name


def of_repository(root: Path) -> list[Path]:
    """All workflow files of a repository, in order."""
    return [path for folder in FOLDERS for path in sorted(_yaml_files(root / folder))]


def find_files(names: Iterable[str], folder: Path) -> Iterator[WorkflowFile]:
    """The files that are meant; a folder stands for the workflow files in it.

    Raises:
        AuthorError: no file is named, and the repository has none.
    """
    root = repository_root(folder)
    given = [Path(name) for name in names] or _all_of(root, folder)
    for path in given:
        place = folder / path
        if not place.is_dir():
            yield _file(place, shown=str(path), root=root)
            continue
        inside = of_repository(place) or sorted(_yaml_files(place))
        if not inside:
            raise AuthorError(_problem(str(path), "no workflow files in this folder", _REMEDY))
        for found in inside:
            yield _file(found, shown=str(path / found.relative_to(place)), root=root)


_REMEDY: Final = f"they lie in {FOLDERS[0]} and end in .yaml or .yml"


def _all_of(root: Path | None, folder: Path) -> list[Path]:
    base = root or folder
    found = of_repository(base)
    if not found:
        raise AuthorError(_problem(str(base), "no workflow files in this repository", "try 'windlass init'"))
    return [path.relative_to(folder) if path.is_relative_to(folder) else path for path in found]


def _yaml_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.suffix in SUFFIXES and not path.is_dir())


def _file(place: Path, *, shown: str, root: Path | None) -> WorkflowFile:
    own = repository_root(place.absolute().parent) if root is None or not _is_below(place, root) else root
    return WorkflowFile(path=place, shown=shown, root=own or place.absolute().parent)


def _is_below(place: Path, root: Path) -> bool:
    return place.absolute().is_relative_to(root)


def load_file(file: WorkflowFile, *, limits: Limits = Limits()) -> bytes:
    """The bytes of a workflow file, at most one more than the limit.

    Raises:
        AuthorError: missing, a link, not a regular file, not readable.
    """
    shown = file.shown
    try:
        link = _link_on_the_way(file)
        if link is not None:
            where = "" if link == file.path else f" ('{link.name}' is one)"
            raise AuthorError(
                _problem(
                    shown, f"a link{where}; workflows are read from git, which follows none", "copy it here"
                )
            )
        if not stat.S_ISREG(file.path.stat().st_mode):
            raise AuthorError(_problem(shown, "not a file", "name a workflow file or a folder of them"))
        with file.path.open("rb") as stream:
            return stream.read(limits.size_bytes + 1)
    except FileNotFoundError as error:
        raise AuthorError(_problem(shown, "no such file", _nearby(file.path))) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AuthorError(_problem(shown, f"cannot be read: {reason}", None)) from error


def _link_on_the_way(file: WorkflowFile) -> Path | None:
    """The file or a folder above it, up to the repository's root, that is a link."""
    path = file.path.absolute()
    above = [path, *(each for each in path.parents if each.is_relative_to(file.root) and each != file.root)]
    return next((each for each in above if each.is_symlink()), None)


def _nearby(path: Path) -> str | None:
    import difflib

    try:
        names = [each.name for each in path.parent.iterdir()]
    except OSError:
        return None
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean '{close[0]}'?" if close else None


def _problem(path: str, message: str, remedy: str | None) -> Problem:
    return Problem(path=path, line=0, column=0, message=message, remedy=remedy)
