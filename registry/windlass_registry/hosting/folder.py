"""A registry kept in a folder of this machine: read it, publish to it, keep it fresh.

Every change is checked, then written beside what is there, and becomes visible with the renaming of
`timestamp.json` (decision 0062). Two processes may work on one folder; one waits for the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.files import locked, sweep, write_whole
from windlass_registry.hosting.search_index import SearchIndex
from windlass_registry.layout import INDEX, TIMESTAMP, archive_path, metadata_path, statement_path
from windlass_registry.publication import Publication
from windlass_registry.trust.checking import Checked, Checking, check_root
from windlass_registry.trust.hosted import HostedRoles, Newest, first_newest
from windlass_registry.trust.keys import KeyRing
from windlass_registry.trust.roles import Lifetimes

PRIVATE: Final = "private"
KEPT_VERSIONS: Final = 20
"""How many versions of each role stay: a reader in the middle of reading needs those that were just replaced.
Each is a whole list: a namespace with thousands of releases would fill the disk otherwise."""
_REMEDY: Final = "make room on the disk, or let this user write there; nothing was changed"


class RegistryFolder:
    """A registry in a folder. Implements `Publishing`. Safe to use from several threads and processes."""

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

    @property
    def keys(self) -> KeyRing:
        """The keys of the online roles: never served."""
        return KeyRing(self.folder / PRIVATE)

    @property
    def _scratch(self) -> Path:
        return self.folder / PRIVATE / "unfinished"

    def exists(self) -> bool:
        """Whether there is a registry in the folder."""
        return (self.folder / TIMESTAMP).is_file()

    def is_ours(self) -> bool:
        """Whether this process may sign what is newest."""
        return any(os.access(path, os.R_OK) for path in self.keys.folder.glob("*.key")) and os.access(
            self.folder, os.W_OK
        )

    def begin(self, *, root: bytes, targets: bytes) -> None:
        """Put the first state there. The online key must be in `keys` already.

        Raises:
            OperatorError: there is a registry already, or the folder cannot be written to.
        """
        with self._changing():
            if self.exists():
                raise OperatorError(f"{self.folder} holds a registry already")
            now = self._clock()
            self._write(metadata_path("root", 1), root)
            self._write(metadata_path("targets", 1), targets)
            self._commit(first_newest(root=root, keys=self.keys, now=now, lifetimes=self._lifetimes))
            self._write_index(HostedRoles(self.read), ())

    def read(self, path: str) -> bytes | None:
        """A file that is served, by its path; None where there is none."""
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise OperatorError(f"cannot read the registry {self.folder}: {error}") from error

    def roles(self) -> HostedRoles:
        """All that is signed, as it stands."""
        if not self.exists():
            raise OperatorError(
                f"{self.folder} holds no registry", remedy=f"begin one: windlass registry init {self.folder}"
            )
        return HostedRoles(self.read)

    def check(self, publication: Publication) -> None:
        """All that `accept` would check; nothing is changed. Raises Refused."""
        state = self.roles()
        self._check(publication, state, SearchIndex.load(self.read(INDEX), state))

    def accept(self, publication: Publication) -> None:
        """See `Publishing`."""
        with self._changing():
            state = self.roles()
            index = SearchIndex.load(self.read(INDEX), state)
            checked = self._check(publication, state, index)
            self._write_files(publication, checked)
            versions = {**state.versions, **{name: version for name, (version, _) in checked.roles.items()}}
            self._commit_next(state, versions)
            self._write_index(HostedRoles(self.read), checked.namespaces, before=index)

    def change_root(self, root: bytes, *, targets: bytes | None) -> None:
        """Put the next root there, and `targets` where another key signs it from now on.

        Killed in between, the registry is believed again after `refresh`, or the same change once more.

        Raises:
            Refused: they are not signed by those who may, or not the next ones.
            OperatorError: the folder cannot be written to.
        """
        with self._changing():
            state = self.roles()
            changed = check_root(state, root, targets)
            versions = state.versions
            if targets is not None:
                versions["targets"] += 1
                self._write(metadata_path("targets", versions["targets"]), targets)
            self._write(metadata_path("root", changed.version), root)
            self._commit_next(self.roles(), versions)
            self._write_index(HostedRoles(self.read), ())

    def refresh(self, *, is_forced: bool = False) -> bool:
        """Sign anew what is newest, where it is due; whether it was.

        Call it often (each hour): a registry whose timestamp runs out is believed by nobody.
        """
        if not is_forced and not self.roles().is_due(self._clock(), lifetimes=self._lifetimes):
            return False  # most calls: without waiting for who changes something
        with self._changing():
            state = self.roles()
            if not is_forced and not state.is_due(self._clock(), lifetimes=self._lifetimes):
                return False
            self._commit_next(state, state.versions)
            self._write_index(HostedRoles(self.read), ())
            return True

    def _check(self, publication: Publication, state: HostedRoles, index: SearchIndex) -> Checked:
        checking = Checking(state, now=self._clock(), builtin=self._builtin, names=index.names())
        return checking.check(publication)

    def _commit_next(self, state: HostedRoles, versions: Mapping[str, int]) -> None:
        newest = state.sign_newest(versions, keys=self.keys, now=self._clock(), lifetimes=self._lifetimes)
        self._commit(newest)
        self._prune({**versions, "snapshot": newest.snapshot_version})

    def _prune(self, versions: Mapping[str, int]) -> None:
        """Remove what no reader asks for any more. All versions of the root stay: readers go through each."""
        for name, version in versions.items():
            old = version - KEPT_VERSIONS
            while old > 0 and (path := self.folder / metadata_path(name, old)).exists():
                path.unlink()
                old -= 1

    def _commit(self, newest: Newest) -> None:
        """The one step that makes a change visible, after all that it names is on the disk."""
        self._write(metadata_path("snapshot", newest.snapshot_version), newest.snapshot)
        self._write(TIMESTAMP, newest.timestamp)

    def _write_files(self, publication: Publication, checked: Checked) -> None:
        for digest, archive in publication.archives.items():
            self._write(archive_path(digest), archive)
        for digest, statement in publication.statements.items():
            self._write(statement_path(digest), statement)
        for name, (version, content) in checked.roles.items():
            self._write(metadata_path(name, version), content)

    def _write_index(
        self, state: HostedRoles, namespaces: Collection[str], *, before: SearchIndex | None = None
    ) -> None:
        index = before if before is not None else SearchIndex.load(self.read(INDEX), state)
        self._write(INDEX, index.updated(state, namespaces).to_bytes())

    def _write(self, path: str, content: bytes) -> None:
        write_whole(self.folder / path, content, scratch=self._scratch)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            private = self.folder / PRIVATE
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(private / "lock"):
                self._scratch.mkdir(exist_ok=True)
                sweep(self._scratch)
                yield
        except OSError as error:
            raise OperatorError(
                f"cannot write to the registry {self.folder}: {error}", remedy=_REMEDY
            ) from error
