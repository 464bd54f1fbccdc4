"""Reads a registry that is not believed: what comes back was signed by those who may, and is not old.

TUF's own client (`tuf.ngclient`) does the checking: rollback, freeze, mix-and-match, changes of keys. This
module tells it where the files are and what time it is, and says in plain words what it found.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from securesystemslib.signer import Key
from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, TargetFile, Targets
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.files import write_whole
from windlass_registry.layout import statement_path
from windlass_registry.names import is_namespace
from windlass_registry.releases import ReleaseError, ReleaseFacts
from windlass_registry.trust import roles
from windlass_registry.trust.explaining import TrustError, explain
from windlass_registry.trust.statements import LARGEST_BYTES, statement_digest
from windlass_registry.trust.transport import CacheTransport, MissingFile, Transport, read_bounded

ROOT_BYTES: Final = 512_000
_LIMITS: Final = UpdaterConfig(
    root_max_length=ROOT_BYTES, snapshot_max_length=8_000_000, targets_max_length=64_000_000
)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """All that is signed of one namespace. Before its first publication it has owner keys alone."""

    name: str
    badge: str | None
    owner_keys: Mapping[str, Key]
    """Who owns it, as the registry's owner says."""
    release_keys: Mapping[str, Key] = field(default_factory=dict)
    """Who may publish, as its owner says."""
    threshold: int = 1
    former_keys: Mapping[str, roles.FormerKey] = field(default_factory=dict)
    targets: Mapping[str, TargetFile] = field(default_factory=dict, repr=False)
    owner_version: int = 0
    version: int = 0
    """Of the list of releases: one more with every change."""

    def names(self) -> tuple[str, ...]:
        """The packages that it has, with the namespace in front."""
        return tuple(sorted({path.rpartition("/")[0] for path in self.targets}))

    def releases(self, full_name: str) -> tuple[ReleaseFacts, ...]:
        """The releases of a package, newest first; those that this version cannot read are left out."""
        found: list[ReleaseFacts] = []
        for path, target in self.targets.items():
            if path.rpartition("/")[0] == full_name:
                with suppress(ReleaseError):
                    found.append(roles.read_target(target))
        return tuple(sorted(found, key=lambda facts: facts.version, reverse=True))

    def readable_releases(self) -> Iterator[ReleaseFacts]:
        """Every release but those that this version cannot read."""
        for target in self.targets.values():
            with suppress(ReleaseError):
                yield roles.read_target(target)

    def all_releases(self) -> dict[str, ReleaseFacts]:
        """Every release, by path.

        Raises:
            ReleaseError: one of them was made by a newer Windlass.
        """
        return {path: roles.read_target(target) for path, target in self.targets.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRoles:
    """What a registry's owner signed last: whose keys the roles are, and who owns which namespace."""

    root: Root
    targets: Targets


def pin_root(transport: Transport, *, expected: str | None = None) -> bytes:
    """The first root of a registry, to be kept: all that is believed of it later begins here.

    Raises:
        TrustError: it is not the one with the digest `expected` (`sha256:…`).
        OperatorError: there is no registry.
    """
    try:
        content = read_bounded(transport, "metadata/1.root.json", at_most=ROOT_BYTES)
    except MissingFile as error:
        raise OperatorError(
            f"{transport.address} is no registry: it has no metadata/1.root.json", remedy="mend the address"
        ) from error
    found = root_digest(content)
    if expected is not None and found != expected:
        raise TrustError(
            f"the registry {transport.address} begins with the root {found}, not with {expected}",
            kind="root",
            remedy="ask its owner for the digest by another way, and do not use it until they are the same",
        )
    _check_root(content, transport.address)
    return content


def root_digest(content: bytes) -> str:
    """What people compare of a root."""
    return f"sha256:{sha256(content).hexdigest()}"


def _check_root(content: bytes, address: str) -> None:
    try:
        metadata = Metadata[Root].from_bytes(content)
        metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
    except (exceptions.RepositoryError, ValueError) as error:
        raise TrustError(
            f"the root of the registry {address} is not signed by its own keys",
            kind="root",
            remedy="ask its owner",
        ) from error


class RegistryClient:
    """One registry, read once: all that it gives belongs to the same moment.

    `cache` keeps what was believed last, so that nobody can show an older state; one folder for each root.
    `is_offline`: what was believed last is all that there is; its signatures and their ends count as ever.
    Not safe in several threads; several processes may share a cache.
    """

    def __init__(
        self, transport: Transport, *, root: bytes, cache: Path, clock: Clock, is_offline: bool = False
    ) -> None:
        self._cache = cache / root_digest(root).removeprefix("sha256:")[:16]
        if is_offline:
            transport = CacheTransport(self._cache, address=transport.address)
        self.transport = transport
        self.address = transport.address
        self._root = root
        self._clock = clock
        self._updater: Updater | None = None
        self._namespaces: dict[str, Namespace | None] = {}

    def refresh(self) -> None:
        """Fetch what is newest of the registry itself.

        Raises:
            TrustError: it is not believed; says which check failed.
            UpstreamError: it does not answer.
        """
        with self._exclusively(), self._explained():
            updater = Updater(
                metadata_dir=str(self._cache),
                metadata_base_url="metadata/",
                fetcher=_Fetcher(self.transport),
                config=_LIMITS,
                bootstrap=self._root,
            )
            # ngclient takes no clock, and reads the wall's when it is made.
            updater._trusted_set.reference_time = self._clock()
            updater.refresh()
            self._updater = updater
            self._namespaces = {}

    def names(self) -> tuple[str, ...]:
        """The namespaces that somebody owns, in order."""
        return tuple(sorted(roles.role_names(self.targets)))

    @property
    def targets(self) -> Targets:
        """What the registry's owner signed."""
        found = self._trusted("targets")
        assert found is not None
        return found

    @property
    def own_roles(self) -> OwnRoles:
        """What the registry's owner signed."""
        root = self._updated()._trusted_set.root
        assert isinstance(root, Root)
        return OwnRoles(root=root, targets=self.targets)

    def namespace(self, name: str) -> Namespace | None:
        """What is published in a namespace; None where nobody owns it.

        Raises:
            TrustError: what is there was not signed by those who may.
            UpstreamError: the registry does not answer.
        """
        if name not in self._namespaces:
            self._namespaces[name] = self._read(name) if is_namespace(name) else None
        return self._namespaces[name]

    def state_of(self, name: str) -> str | None:
        """Which signed lists say what is published in a namespace, by their versions: as long as these are
        the same, so is all that is published. None where nobody owns it. Raises as `refresh`."""
        if name not in roles.role_names(self.targets):
            return None
        listed = self._updated()._trusted_set.snapshot.meta
        files = (f"{name}.json", f"{roles.releases_role(name)}.json")
        versions = [self.targets.version, *(listed[each].version for each in files if each in listed)]
        return f"{name} {' '.join(map(str, versions))}"

    def believed_until(self, name: str) -> datetime:
        """When the lists of a namespace that was read run out."""
        files = (name, roles.releases_role(name))
        return min(each.expires for each in (self.targets, *map(self._trusted, files)) if each is not None)

    def seen(self, name: str) -> Namespace | None:
        """A namespace as it was read last; None where it was not. Never uses the network."""
        return self._namespaces.get(name)

    def statement(self, release: ReleaseFacts) -> bytes:
        """The provenance of a release: the very bytes whose digest was signed with it.

        Raises:
            TrustError: it is missing or another.
            UpstreamError: the registry does not answer.
        """
        kept = self._cache / statement_path(release.statement)
        content = b""
        with suppress(OSError):
            content = kept.read_bytes()
            if statement_digest(content) == release.statement:
                return content
        try:
            content = read_bounded(self.transport, statement_path(release.statement), at_most=LARGEST_BYTES)
        except MissingFile:
            problem = "is not there"
        else:
            problem = "was replaced"
        if statement_digest(content) != release.statement:
            raise TrustError(
                f"the provenance of {release.name} {release.version} {problem} at {self.address}",
                kind="statement",
                remedy="use another mirror, or tell the registry's owner",
            )
        with suppress(OSError):  # it is fetched again
            write_whole(kept, content)
        return content

    def _read(self, name: str) -> Namespace | None:
        if name not in roles.role_names(self.targets):
            return None
        first = Namespace(
            name=name,
            badge=roles.badges_of(self.targets).get(name),
            owner_keys=roles.keys_of(self.targets, name),
        )
        if f"{name}.json" not in self._updated()._trusted_set.snapshot.meta:
            return first
        with self._exclusively(), self._explained():
            # The walk to a target that does not exist loads and checks the roles on the way.
            self._updated().get_targetinfo(f"{name}/-/-")
        listed_name = roles.releases_role(name)
        believed = self._updated()._trusted_set
        # By their own owners, that is: a namespace may delegate to a role of any name.
        if not believed.contains(name, "targets") or not believed.contains(listed_name, name):
            return first
        owner, listed = self._trusted(name), self._trusted(listed_name)
        assert owner is not None
        assert listed is not None
        return replace(
            first,
            release_keys=roles.keys_of(owner, listed_name),
            threshold=owner.get_delegated_role(listed_name).threshold,
            former_keys=roles.former_keys_of(owner),
            # TUF's client would find no other path here, for no other is delegated.
            targets={path: each for path, each in listed.targets.items() if path.startswith(f"{name}/")},
            owner_version=owner.version,
            version=listed.version,
        )

    def _updated(self) -> Updater:
        if self._updater is None:
            self.refresh()
        assert self._updater is not None
        return self._updater

    def _trusted(self, role: str) -> Targets | None:
        found = self._updated()._trusted_set.get(role)
        return found if isinstance(found, Targets) else None

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """One process at a time writes into the cache: the client replaces several files in turn."""
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with (self._cache / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise OperatorError(
                f"cannot keep what is known of the registry {self.address} in {self._cache}: {error}",
                remedy="make room on the disk, or let this user write there",
            ) from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (exceptions.RepositoryError, exceptions.DownloadError, ValueError) as error:
            raise explain(error, address=self.address) from error


class _Fetcher(FetcherInterface):
    """Gives TUF's client the files of a transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield from self._transport.chunks(url)
        except MissingFile as error:
            raise exceptions.DownloadHTTPError(f"there is no {url}", 404) from error
