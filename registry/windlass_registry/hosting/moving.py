"""Moves the public files of a registry from its folder into a bucket (`windlass registry store`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.bucket import BucketFiles, probe
from windlass_registry.hosting.files import write_whole
from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.hosting.public_files import FolderFiles
from windlass_registry.hosting.store_settings import STORE, StoreSettings, load_store
from windlass_registry.layout import INDEX, TIMESTAMP, metadata_path

_BY_DIGEST: Final = ("packages", "statements")
Told = Callable[[str, int, int], None]
"""Hears of each file: what it is, how many are done, how many there are."""


def move_to_store(registry: RegistryFolder, settings: StoreSettings, *, told: Told) -> int:
    """Copy all that is public, then say in the folder that it lies there; gives the number of files.

    Killed at any point, the registry is where it was, or there; done again, it goes on. Nothing is published
    meanwhile. What lay in the folder stays, and is not used any more.

    Raises:
        OperatorError: the files lie in a store already, another registry is there, or it cannot be written.
        UpstreamError: the store does not answer.
        Refused: somebody else wrote there at the same time.
    """
    folder = registry.folder
    before = load_store(folder)
    if before is not None:
        raise OperatorError(
            f"the files of {folder} lie in {before.url} already",
            remedy=f"to change how that is reached, edit {folder / STORE}",
        )
    if not registry.exists():
        registry.roles()  # says what to do
    target = BucketFiles(settings)
    probe(target)
    with registry.changing():
        source = FolderFiles(folder)
        seen = _check_same(source, target)
        paths = list(_paths(folder))
        for done, path in enumerate(paths, start=1):
            _copy(source, target, path)
            told(path, done, len(paths))
        target.put_over(TIMESTAMP, _content(source, TIMESTAMP), tag=seen)
        write_whole(folder / STORE, settings.to_text().encode())
    return len(paths) + 1


def _paths(folder: Path) -> Iterator[str]:
    """All that is public, what names others after them; without the timestamp."""
    for name in (*_BY_DIGEST, "metadata"):
        found = (path.relative_to(folder).as_posix() for path in sorted((folder / name).rglob("*.*")))
        yield from (path for path in found if path != TIMESTAMP)
    yield INDEX


def _copy(source: FolderFiles, target: BucketFiles, path: str) -> None:
    if path.startswith(_BY_DIGEST):
        here, there = source.find(path), target.find(path)
        if here is not None and there is not None and here.size_bytes == there.size_bytes:
            return
    target.put(path, _content(source, path))


def _content(source: FolderFiles, path: str) -> bytes:
    content = source.read(path)
    if content is None:
        raise OperatorError(f"{source.folder} lacks {path}", remedy="restore it from a backup")
    return content


def _check_same(source: FolderFiles, target: BucketFiles) -> str | None:
    """The tag of the timestamp that is in the bucket, where an earlier move of this very state was killed
    at its end. Raises OperatorError where something else is there."""
    root, there = metadata_path("root", 1), target.read(metadata_path("root", 1))
    if there is not None and there != source.read(root):
        raise OperatorError(
            f"{target.address} holds another registry", remedy="name another prefix, as s3://bucket/prefix"
        )
    found, newest = target.find(TIMESTAMP), target.read(TIMESTAMP)
    if newest is not None and _version(newest) > _version(source.read(TIMESTAMP) or b""):
        raise OperatorError(
            f"{target.address} holds a newer state of this registry than {source.folder}",
            remedy=f"it was moved before: bring {STORE} of then back",
        )
    return None if found is None else found.tag


def _version(timestamp: bytes) -> int:
    try:
        return int(json.loads(timestamp)["signed"]["version"])
    except (ValueError, KeyError, TypeError):
        return 0
