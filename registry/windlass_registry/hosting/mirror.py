"""A copy of a registry in a folder: for a plain web server, an object store, or a disk that is carried.

All that is copied is checked as any reader would, before the copy shows it. A copy that was made before is
brought up to date: what it has is not fetched again, and until all that is new is there it shows the state
it had. It needs no key, and can change nothing: whoever reads it checks the same signatures.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_registry.hosting.files import locked, sweep, write_whole
from windlass_registry.layout import INDEX, TIMESTAMP, archive_path, metadata_path, statement_path
from windlass_registry.releases import ReleaseFacts
from windlass_registry.trust.client import RegistryClient
from windlass_registry.trust.transport import FolderTransport, MissingFile, Transport, read_bounded

_METADATA_BYTES: Final = 64_000_000
Wanted = Callable[[ReleaseFacts], bool]
Told = Callable[[str, int, int], None]
"""Hears of each package: what it is, how many are done, how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """What a copy came to."""

    packages: int
    """That it holds now."""
    fetched: int
    """Of which are new."""
    fetched_bytes: int
    left_out: int
    """That were not wanted."""


def mirror(
    source: Transport,
    target: Path,
    *,
    root: bytes,
    cache: Path,
    clock: Callable[[], datetime],
    wanted: Wanted = lambda facts: True,
    told: Told = lambda what, done, all: None,
) -> Mirrored:
    """Make the copy, or bring it up to date.

    `root` is the first root that is believed, `cache` what was believed last: an older state is not copied.

    Raises:
        TrustError: the source is not believed, or gives other bytes than were signed. The copy is as it was.
        UpstreamError: it does not answer; what is there already is not fetched again the next time.
        OperatorError: the folder cannot be written to.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        with locked(target / ".mirror.lock"):
            sweep(target)
            timestamp = _copy_metadata(source, target)
            staged = _Staged(target, timestamp)
            RegistryClient(staged, root=root, cache=cache, clock=clock).refresh()  # not older than seen
            with tempfile.TemporaryDirectory() as scratch:
                client = RegistryClient(staged, root=root, cache=Path(scratch), clock=clock)
                result = _copy_packages(client, source, target, wanted=wanted, told=told)
            _write(target, INDEX, _read(source, INDEX))
            _write(target, TIMESTAMP, timestamp)
            return result
    except OSError as error:
        remedy = "make room on the disk, or let this user write there; what it showed, it shows still"
        raise OperatorError(f"cannot write the copy in {target}: {error}", remedy=remedy) from error


def _copy_metadata(source: Transport, target: Path) -> bytes:
    """All roles that the newest state names, and every root; gives the timestamp, not written yet."""
    version = 1
    while (content := _read_if_there(source, metadata_path("root", version))) is not None:
        _write(target, metadata_path("root", version), content)
        version += 1
    timestamp = _read(source, TIMESTAMP)
    for role, number in _versions(timestamp, "snapshot.json"):
        path = metadata_path(role, number)
        snapshot = _read(source, path)
        _write(target, path, snapshot)
        for name, each in _versions(snapshot, None):
            inner = metadata_path(name, each)
            if not (target / inner).is_file():
                _write(target, inner, _read(source, inner))
    return timestamp


def _versions(content: bytes, only: str | None) -> Iterator[tuple[str, int]]:
    """The roles that a role names, read without believing them: the check comes after."""
    try:
        meta = json.loads(content)["signed"]["meta"]
        found = [(str(name), int(each["version"])) for name, each in meta.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UpstreamError("the registry gives what is no metadata") from error
    for name, version in found:
        if "/" in name or name.startswith("."):
            raise UpstreamError(f"the registry names a role '{name}', which is none")
        if only is None or name == only:
            yield name.removesuffix(".json"), version


def _copy_packages(
    client: RegistryClient, source: Transport, target: Path, *, wanted: Wanted, told: Told
) -> Mirrored:
    namespaces = [found for name in client.names() if (found := client.namespace(name)) is not None]
    releases = [facts for each in namespaces for facts in each.all_releases().values()]
    chosen = [facts for facts in releases if wanted(facts)]
    fetched = fetched_bytes = 0
    for done, facts in enumerate(chosen, start=1):
        path = archive_path(facts.digest)
        if not _is_there(target / path, facts):
            _write(target, path, _fetch(source, facts))
            fetched, fetched_bytes = fetched + 1, fetched_bytes + facts.size_bytes
        if not (target / statement_path(facts.statement)).is_file():
            _write(target, statement_path(facts.statement), _statement(source, facts))
        told(facts.path, done, len(chosen))
    return Mirrored(
        packages=len(chosen),
        fetched=fetched,
        fetched_bytes=fetched_bytes,
        left_out=len(releases) - len(chosen),
    )


def _is_there(place: Path, facts: ReleaseFacts) -> bool:
    """By its size: bytes were compared when they were written, and are by every reader."""
    return place.is_file() and place.stat().st_size == facts.size_bytes


def _fetch(source: Transport, facts: ReleaseFacts) -> bytes:
    content = read_bounded(source, archive_path(facts.digest), at_most=facts.size_bytes)
    return _same(content, facts.digest, f"the archive of {facts.path}", source)


def _statement(source: Transport, facts: ReleaseFacts) -> bytes:
    content = read_bounded(source, statement_path(facts.statement), at_most=_METADATA_BYTES)
    return _same(content, facts.statement, f"the provenance of {facts.path}", source)


def _same(content: bytes, digest: str, what: str, source: Transport) -> bytes:
    if f"sha256:{sha256(content).hexdigest()}" != digest:
        raise OperatorError(
            f"{what} at {source.address} is not the one that was signed: it was replaced",
            remedy="copy from another place, and tell the registry's owner; the copy is as it was",
        )
    return content


def _read(source: Transport, path: str) -> bytes:
    content = _read_if_there(source, path)
    if content is None:
        raise UpstreamError(f"{source.address} lacks {path}: no registry, or a copy that is incomplete")
    return content


def _read_if_there(source: Transport, path: str) -> bytes | None:
    try:
        return read_bounded(source, path, at_most=_METADATA_BYTES)
    except MissingFile:
        return None


def _write(target: Path, path: str, content: bytes) -> None:
    write_whole(target / path, content)


class _Staged:
    """The copy as it will be: a transport of its folder, with the timestamp that is not written yet."""

    def __init__(self, folder: Path, timestamp: bytes) -> None:
        self._folder = FolderTransport(folder)
        self._timestamp = timestamp
        self.address = str(folder)

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Transport`."""
        if path == TIMESTAMP:
            yield self._timestamp
        else:
            yield from self._folder.chunks(path)
