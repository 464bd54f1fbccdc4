"""Releases of a registry: what its publishers signed, and the packages, compared while they are read.

Reading the roles (and importing what checks them) waits until a name of the registry is asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Literal

from windlass_registry.errors import AuthorError, OperatorError, Problem, WindlassError
from windlass_registry.facts_book import FactsBook, Releases
from windlass_registry.index import Release
from windlass_registry.layout import INDEX, archive_path
from windlass_registry.releases import ReleaseFacts
from windlass_registry.sources.packages import Package, load_package
from windlass_registry.store import Store

if TYPE_CHECKING:
    from windlass_registry.trust.client import Namespace, OwnRoles, RegistryClient
    from windlass_registry.trust.transport import Transport

Purpose = Literal["run", "subscribe"]
FRESH_FOR: Final = timedelta(seconds=10)
"""For so long a daemon does not ask again what is newest."""
NEWS_AFTER: Final = timedelta(hours=1)
"""So old may be what a machine knows of what it has pinned: yanks and security notices come later at most."""
_INDEX_BYTES: Final = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAddress:
    """One registry, as somebody has chosen to believe it."""

    name: str
    """How it is called here; what may stand before a namespace in a `uses`."""
    address: str
    """`https://…` or a folder."""
    root: bytes
    """Its first root: where believing begins."""


class RegistrySource:
    """Implements `index.Source` for one registry. Safe to use from several threads.

    Packages go into `store`; `cache` is the folder of what was believed last. `is_offline`: nothing but that
    is asked.
    """

    def __init__(
        self,
        registry: RegistryAddress,
        *,
        store: Store,
        cache: Path,
        clock: Callable[[], datetime],
        is_offline: bool = False,
    ) -> None:
        self.registry = registry
        self._is_offline = is_offline
        self._store = store
        self._cache = cache
        self._clock = clock
        self._mutex = RLock()
        self._client: RegistryClient | None = None
        self._asked_at: datetime | None = None
        self._books: dict[str, tuple[str, FactsBook]] = {}
        self._news_at: dict[str, float] = {}

    def names(self) -> tuple[str, ...]:
        """All names, as the registry's index for searching has them: for suggestions only."""
        return tuple(str(each.get("name", "")) for each in self.packages())

    def packages(self) -> tuple[Mapping[str, Any], ...]:
        """What the index for searching says of each package; nobody has signed it."""
        from windlass_registry.trust.transport import MissingFile, read_bounded

        try:
            value = json.loads(read_bounded(self._transport(), INDEX, at_most=_INDEX_BYTES))
            return tuple(each for each in value["packages"] if isinstance(each, dict))
        except (MissingFile, ValueError, KeyError, TypeError, RecursionError):
            return ()

    def releases(self, name: str) -> Sequence[Release]:
        """See `index.Source`. A release is made when it is looked at."""
        facts = self.facts(name)
        return Releases(facts, self._release) if facts else ()

    def news(self, name: str) -> Sequence[Release]:
        """See `index.Source`: asked for once an hour, by whichever process of the user comes first."""
        namespace = name.partition("/")[0]
        if not self._is_offline and self._is_news_due(namespace):
            self._note_asked(namespace)  # first: else every run would wait for what does not answer
            with suppress(WindlassError):
                return self.releases(name)
        return self.known(name)

    def known(self, name: str) -> Sequence[Release]:
        """See `index.Source`: what was believed last, in this process or another."""
        namespace = name.partition("/")[0]
        with self._mutex:
            found = self._books.get(namespace)
            book = found[1] if found is not None else FactsBook.load(self._book_path(namespace))
        return Releases(book.facts(name), self._release) if book is not None else ()

    def facts(self, name: str) -> Sequence[ReleaseFacts]:
        """All that is signed of a package's releases, newest first: actions and samples alike.

        Raises:
            TrustError: the registry is not believed.
            UpstreamError: it does not answer.
        """
        with self._mutex:
            book = self._book(name.partition("/")[0])
        return book.facts(name) if book is not None else ()

    def namespace(self, name: str, *, is_fresh: bool = False) -> Namespace | None:
        """All that is signed of a namespace, as new as the registry has it. Raises as `facts`.

        `is_fresh`: asked for just now, for somebody who signs on top of it.
        """
        with self._mutex:
            if is_fresh:
                self._asked_at = None
            return self._fresh_client().namespace(name)

    def own_roles(self) -> OwnRoles:
        """What the registry's owner signed, asked for just now. Raises as `facts`."""
        with self._mutex:
            self._asked_at = None
            return self._fresh_client().own_roles

    def statement(self, facts: ReleaseFacts) -> bytes:
        """The provenance of a release. Raises as `facts`."""
        with self._mutex:
            return self._fresh_client().statement(facts)

    def fetch(self, facts: ReleaseFacts, *, purpose: Purpose = "run") -> Path:
        """The folder of a release in the store, fetched where it is not there yet. `purpose` is told to the
        registry, which counts them.

        Raises:
            AuthorError, OperatorError: the bytes are not what was signed, or no package.
            UpstreamError: the registry does not answer.
        """
        if not self._store.has(facts.digest):
            self._store.add_archive(self._download(facts, purpose))
        return self._store.path(facts.digest)

    def verify_stored(self, facts: ReleaseFacts) -> bool:
        """Read a release's files again and compare; False where they are not here.

        Raises:
            OperatorError: they were changed on disk.
        """
        if not self._store.has(facts.digest):
            return False
        self._store.verify(facts.digest)
        return True

    def _download(self, facts: ReleaseFacts, purpose: Purpose) -> bytes:
        """The signed bytes; one more than the signed number of them ends it at once."""
        from windlass_registry.trust.explaining import ReplacedArchive, TrustError
        from windlass_registry.trust.transport import MissingFile

        shown = f"{facts.name} {facts.version}"
        transport = self._transport()
        is_counted = purpose != "run" and transport.address.startswith(("https://", "http://"))
        path = archive_path(facts.digest) + (f"?for={purpose}" if is_counted else "")
        parts: list[bytes] = []
        size, digest = 0, sha256()
        try:
            for chunk in transport.chunks(path):
                size += len(chunk)
                if size > facts.size_bytes:
                    break
                digest.update(chunk)
                parts.append(chunk)
        except MissingFile as error:
            raise TrustError(
                f"{shown} is not at {transport.address}, though it is signed: a mirror that is incomplete",
                kind="missing",
                remedy="copy it again, or read the registry itself",
            ) from error
        if size != facts.size_bytes or f"sha256:{digest.hexdigest()}" != facts.digest:
            raise ReplacedArchive(
                f"the archive of {shown} at {transport.address} is not the one that was signed: it was "
                "replaced",
                kind="tampered",
                remedy="use another mirror, and tell the registry's owner",
            )
        return b"".join(parts)

    def _release(self, facts: ReleaseFacts) -> Release:
        return Release(
            name=facts.name,
            version=facts.version,
            digest=facts.digest,
            source=self.registry.name,
            kind=facts.kind,
            uses=facts.uses,
            published=facts.published,
            notes=facts.notes,
            yanked=facts.yanked.reason if facts.yanked is not None else None,
            deprecated=_deprecated(facts),
            advisories=facts.advisories,
            measured=facts.measured,
            statement=facts.statement,
            load=partial(self._load, facts),
        )

    def _load(self, facts: ReleaseFacts) -> Package:
        folder = self.fetch(facts)
        package = load_package(folder, shown_as=facts.path)
        if package is None or package.digest != facts.digest:
            self._store.verify(facts.digest)
            raise OperatorError(f"{facts.name} {facts.version} holds no action", remedy="tell its publisher")
        if set(package.manifest.uses()) != set(facts.uses):
            message = "its manifest uses other actions than its publisher signed"
            raise AuthorError(
                Problem(path=facts.path, line=0, column=0, message=message, remedy="tell its publisher")
            )
        return package

    def _book(self, namespace: str) -> FactsBook | None:
        """All releases of a namespace. Its lists are read and checked where they are not those that the book
        on the disk was written from."""
        client = self._fresh_client()
        state = client.state_of(namespace)
        if state is None:
            return None
        kept = self._books.get(namespace)
        if kept is not None and kept[0] == state:
            return kept[1]
        path = self._book_path(namespace)
        book = FactsBook.load(path, key=state, now=self._clock())
        if book is None:
            read = client.namespace(namespace)
            if read is None:
                return None
            until = client.believed_until(namespace)
            book = FactsBook.save(path, read.readable_releases(), key=state, until=until)
        self._books[namespace] = (state, book)
        self._note_asked(namespace)
        return book

    def _is_news_due(self, namespace: str) -> bool:
        asked_at = self._news_at.get(namespace, float("-inf"))
        with suppress(OSError):
            asked_at = max(asked_at, self._book_path(namespace).stat().st_mtime)
        return not 0 <= self._clock().timestamp() - asked_at < NEWS_AFTER.total_seconds()

    def _note_asked(self, namespace: str) -> None:
        """The age of a book is when its registry was asked last, with an answer or without."""
        now = self._clock().timestamp()
        self._news_at[namespace] = now
        with suppress(OSError):
            os.utime(self._book_path(namespace), (now, now))

    def _book_path(self, namespace: str) -> Path:
        """One for each root: what somebody else's registry said is never read."""
        root = sha256(self.registry.root).hexdigest()[:16]
        return self._cache / "facts" / root / namespace

    def _fresh_client(self) -> RegistryClient:
        now = self._clock()
        client = self._client
        if client is None:
            from windlass_registry.trust.client import RegistryClient

            client = RegistryClient(
                self._transport(),
                root=self.registry.root,
                cache=self._cache,
                clock=self._clock,
                is_offline=self._is_offline,
            )
        if self._asked_at is None or not self._asked_at <= now < self._asked_at + FRESH_FOR:
            if not self._is_offline:
                self._keep_fresh()
            client.refresh()
            self._client, self._asked_at = client, now
        return client

    def _keep_fresh(self) -> None:
        """A registry of this very machine that nobody serves is signed anew by who uses it."""
        from windlass_registry.hosting.folder import RegistryFolder

        if "://" in self.registry.address:
            return
        folder = RegistryFolder(Path(self.registry.address), clock=self._clock)
        with suppress(WindlassError):  # reading says better what is wrong
            if folder.is_ours():
                folder.refresh()

    def _transport(self) -> Transport:
        from windlass_registry.trust.transport import open_transport

        return open_transport(self.registry.address)


def _deprecated(facts: ReleaseFacts) -> str | None:
    if facts.deprecated is None:
        return None
    return facts.deprecated.successor or facts.deprecated.reason
