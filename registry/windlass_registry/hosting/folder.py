"""A registry kept by this machine: read it, publish to it, keep it fresh.

Its folder holds what only its keeper may see, and its public files too, unless its `store.toml` says that
these lie in a bucket. Every change is checked, then written beside what is there, and becomes visible with
`timestamp.json` (decision 0062). Two processes may work on one folder; one waits for the other. Of two
machines that write into one bucket one is told that it was overtaken (decision 0070).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.files import locked, sweep
from windlass_registry.hosting.public_files import FolderFiles, Overtaken, PublicFiles
from windlass_registry.hosting.search_index import SearchIndex
from windlass_registry.hosting.store_settings import STORE, StoreSettings, load_store
from windlass_registry.layout import INDEX, TIMESTAMP, archive_path, metadata_path, statement_path
from windlass_registry.publication import Publication, Refused
from windlass_registry.trust.checking import Checked, Checking, check_root
from windlass_registry.trust.hosted import HostedRoles, first_newest
from windlass_registry.trust.keys import KeyRing
from windlass_registry.trust.roles import Lifetimes

PRIVATE: Final = "private"
KEPT_VERSIONS: Final = 20
"""How many versions of each role stay: a reader in the middle of reading needs those that were just replaced.
Each is a whole list: a namespace with thousands of releases would fill the disk otherwise."""
_ATTEMPTS: Final = 5
_REMEDY: Final = "make room on the disk, or let this user write there; nothing was changed"


def open_files(folder: Path, settings: StoreSettings | None) -> PublicFiles:
    """The public files of the registry in a folder: there, or in a bucket.

    Raises:
        OperatorError: what speaks to stores is not installed.
    """
    if settings is None:
        return FolderFiles(folder, scratch=folder / PRIVATE / "unfinished")
    try:
        from windlass_registry.hosting.bucket import BucketFiles
    except ImportError as error:
        raise OperatorError(
            f"the files of the registry {folder} lie in {settings.url}, and nothing here speaks to stores",
            remedy="pip install 'windlass[s3]'",
        ) from error
    return BucketFiles(settings)


class RegistryFolder:
    """A registry and its folder. Implements `Publishing`. Safe to use from several threads and processes."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], datetime],
        builtin: Collection[str] = (),
        lifetimes: Lifetimes | None = None,
    ) -> None:
        self.folder = folder
        self.address = str(folder)
        self._clock = clock
        self._builtin = builtin
        self._lifetimes = lifetimes or Lifetimes()
        self._mutex = Lock()
        self._opened: tuple[StoreSettings | None, PublicFiles] | None = None

    @property
    def files(self) -> PublicFiles:
        """What everybody may read. Raises OperatorError where it cannot be told where that lies."""
        with self._mutex:
            if self._opened is None:
                settings = load_store(self.folder)
                self._opened = settings, open_files(self.folder, settings)
            return self._opened[1]

    @property
    def keys(self) -> KeyRing:
        """The keys of the online roles: never served."""
        return KeyRing(self.folder / PRIVATE)

    def exists(self) -> bool:
        """Whether there is a registry. Raises as `read`."""
        return self.read(TIMESTAMP) is not None

    def is_ours(self) -> bool:
        """Whether this process may sign what is newest."""
        return any(os.access(path, os.R_OK) for path in self.keys.folder.glob("*.key")) and os.access(
            self.folder, os.W_OK
        )

    def begin(self, *, root: bytes, targets: bytes) -> None:
        """Put the first state there. The online key must be in `keys` already.

        Raises:
            OperatorError: there is a registry already, or it cannot be written.
        """
        with self.changing() as seen:
            if seen is not None:
                raise OperatorError(f"{self.folder} holds a registry already")
            newest = first_newest(root=root, keys=self.keys, now=self._clock(), lifetimes=self._lifetimes)
            self.files.put(metadata_path("root", 1), root)
            self.files.put(metadata_path("targets", 1), targets)
            self.files.put(metadata_path("snapshot", 1), newest.snapshot)
            self.files.put_over(TIMESTAMP, newest.timestamp, tag=None)
            self._write_index(SearchIndex.load(None, self.roles()), number=1)

    def read(self, path: str) -> bytes | None:
        """A file that is served, by its path; None where there is none.

        Raises:
            OperatorError: it cannot be read.
            UpstreamError: the store does not answer.
        """
        return self.files.read(path)

    def roles(self) -> HostedRoles:
        """All that is signed, as it stands."""
        newest = self.read(TIMESTAMP)
        if newest is None:
            raise OperatorError(
                f"{self.folder} holds no registry", remedy=f"begin one: windlass registry init {self.folder}"
            )
        return HostedRoles(lambda path: newest if path == TIMESTAMP else self.read(path))

    def check(self, publication: Publication) -> None:
        """All that `accept` would check; nothing is changed. Raises Refused."""
        state = self.roles()
        self._check(publication, state, SearchIndex.load(self.read(INDEX), state))

    def accept(self, publication: Publication) -> None:
        """See `Publishing`."""
        with self.changing() as seen:
            state = self.roles()
            index = SearchIndex.load(self.read(INDEX), state)
            checked = self._check(publication, state, index)
            for digest, archive in publication.archives.items():
                self.files.put(archive_path(digest), archive)
            for digest, statement in publication.statements.items():
                self.files.put(statement_path(digest), statement)
            state, seen = self._write_roles(state, checked.roles, seen=seen)
            numbers = {name: version for name, (version, _) in checked.roles.items()}
            number = self._commit(state, numbers, seen=seen)
            self._write_index(index, checked.namespaces, number=number)

    def change_root(self, root: bytes, *, targets: bytes | None) -> None:
        """Put the next root there, and `targets` where another key signs it from now on.

        Killed in between, the registry is believed again after `refresh`, or the same change once more.

        Raises:
            Refused: they are not signed by those who may, or not the next ones.
            OperatorError: it cannot be written.
        """
        with self.changing() as seen:
            state = self.roles()
            index = SearchIndex.load(self.read(INDEX), state)
            changed = check_root(state, root, targets)
            numbers = {}
            if targets is not None:
                numbers["targets"] = state.versions["targets"] + 1
                written = {"targets": (numbers["targets"], targets)}
                state, seen = self._write_roles(state, written, seen=seen)
            self.files.put_over(metadata_path("root", changed.version), root, tag=None)
            number = self._commit(self.roles(), numbers, seen=seen)
            self._write_index(index, number=number)

    def refresh(self, *, is_forced: bool = False) -> bool:
        """Sign anew what is newest, where it is due; whether it was.

        Call it often (each hour): a registry whose timestamp runs out is believed by nobody.
        """
        if not is_forced and not self.roles().is_due(self._clock(), lifetimes=self._lifetimes):
            return False  # most calls: without waiting for who changes something
        with self.changing() as seen:
            state = self.roles()
            if not is_forced and not state.is_due(self._clock(), lifetimes=self._lifetimes):
                return False
            index = SearchIndex.load(self.read(INDEX), state)
            number = self._commit(state, {}, seen=seen)
            self._write_index(index, number=number)
            return True

    def _check(self, publication: Publication, state: HostedRoles, index: SearchIndex) -> Checked:
        checking = Checking(state, now=self._clock(), builtin=self._builtin, names=index.names())
        return checking.check(publication)

    def _write_roles(
        self, state: HostedRoles, new: Mapping[str, tuple[int, bytes]], *, seen: str | None
    ) -> tuple[HostedRoles, str | None]:
        """Write the next versions of roles, which nothing names yet; gives state and tag of the timestamp.

        Where such a version is there already, somebody was killed before it was named, or is about to name
        it. Signing the timestamp once more keeps the latter from that: what they saw is not there any more.
        """
        paths = {metadata_path(name, number): content for name, (number, content) in new.items()}
        left = {path: found.tag for path in paths if (found := self.files.find(path)) is not None}
        if left:
            again = state.sign_again(keys=self.keys, now=self._clock(), lifetimes=self._lifetimes)
            seen = self.files.put_over(TIMESTAMP, again, tag=seen)
            state = self.roles()
        for path, content in paths.items():
            self.files.put_over(path, content, tag=left.get(path))
        return state, seen

    def _commit(self, state: HostedRoles, numbers: Mapping[str, int], *, seen: str | None) -> int:
        """The one step that makes a change visible, after all that it names is there; gives the number of
        the snapshot. `numbers`: the versions of the roles that are new."""
        number = state.snapshot.version + 1
        while self.files.find(metadata_path("snapshot", number)) is not None:
            number += 1  # left by who was killed: a snapshot may skip numbers
        newest = state.sign_newest(
            {**state.versions, **numbers},
            number=number,
            keys=self.keys,
            now=self._clock(),
            lifetimes=self._lifetimes,
        )
        self.files.put_over(metadata_path("snapshot", number), newest.snapshot, tag=None)
        self.files.put_over(TIMESTAMP, newest.timestamp, tag=seen)
        self._prune({**numbers, "snapshot": number})
        return number

    def _prune(self, numbers: Mapping[str, int]) -> None:
        """Remove what no reader asks for any more. All versions of the root stay: readers go through each."""
        for name, number in numbers.items():
            old = number - KEPT_VERSIONS
            while old > 0 and self.files.find(path := metadata_path(name, old)) is not None:
                self.files.remove(path)
                old -= 1

    def _write_index(self, before: SearchIndex, namespaces: Collection[str] = (), *, number: int) -> None:
        """Write the index of what is newest. `before`: of the state before the snapshot of that number, in
        which these namespaces have changed."""
        for _ in range(_ATTEMPTS):
            there = self.files.find(INDEX)
            state = HostedRoles(self.read)
            if state.snapshot.version == number:
                index = before.updated(state, namespaces)
            else:  # somebody else has published since: theirs belongs in it too
                index = SearchIndex.load(self.read(INDEX), state)
            with suppress(Overtaken):
                self.files.put_over(INDEX, index.to_bytes(), tag=there.tag if there is not None else None)
                return

    @contextmanager
    def changing(self) -> Iterator[str | None]:
        """One change at a time on this machine. Gives the tag of the timestamp; None: there is none.

        Raises:
            OperatorError: the folder cannot be written to.
            Refused: another machine has changed the registry meanwhile.
        """
        try:
            private = self.folder / PRIVATE
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(private / "lock"):
                scratch = private / "unfinished"
                scratch.mkdir(exist_ok=True)
                sweep(scratch)
                self._refuse_moved()
                found = self.files.find(TIMESTAMP)
                yield found.tag if found is not None else None
        except OSError as error:
            raise OperatorError(
                f"cannot write to the registry {self.folder}: {error}", remedy=_REMEDY
            ) from error
        except Overtaken as error:
            raise Refused(
                "somebody else changed the registry in the same moment",
                why="outdated",
                remedy="fetch the newest state and make it again",
            ) from error

    def _refuse_moved(self) -> None:
        """What is written to where the files were, nobody would see."""
        if self._opened is not None and load_store(self.folder) != self._opened[0]:
            raise OperatorError(
                f"{self.folder / STORE} says since a while that the registry's files lie elsewhere",
                remedy="start the registry's server again",
            )
