"""The actions that come with Windlass, read from the installed package `windlass_actions`.

Finding their names costs one look at a folder; a manifest and its digest are read when the name is
first asked for (under a millisecond each).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.index import Index, Release
from windlass_registry.sources.packages import MANIFEST_NAMES, load_package
from windlass_registry.versions import Version


def builtin_folder() -> Path:
    """Where the built-in actions lie.

    Raises:
        OperatorError: the installation lacks them.
    """
    spec = find_spec("windlass_actions")
    if spec is None or not spec.submodule_search_locations:
        raise OperatorError("the built-in actions are not installed", remedy="install Windlass again")
    return Path(next(iter(spec.submodule_search_locations)))


def load_builtin(folder: Path | None = None) -> Index:
    """The index of the built-in actions, or of those in `folder` (one sub-folder each)."""
    root = builtin_folder() if folder is None else folder
    return Index(
        {
            place.name: _shelf(place)
            for place in root.iterdir()
            if any((place / name).is_file() for name in MANIFEST_NAMES)
        }
    )


def _shelf(folder: Path) -> Callable[[], list[Release]]:
    return lambda: [_load_release(folder)]


def _load_release(folder: Path) -> Release:
    try:
        package = load_package(folder, shown_as=folder.name)
    except AuthorError as error:
        raise _damaged(folder) from error
    if package is None or package.manifest.version is None:
        raise _damaged(folder)
    return Release(
        name=folder.name,
        version=Version.parse(package.manifest.version),
        digest=package.digest,
        source="builtin",
        uses=package.manifest.uses(),
        load=lambda: package,
    )


def _damaged(folder: Path) -> OperatorError:
    return OperatorError(
        f"the built-in action '{folder.name}' in {folder} is damaged", remedy="install Windlass again"
    )
