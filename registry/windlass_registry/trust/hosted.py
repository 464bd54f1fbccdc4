"""The newest roles of a registry that is kept here, read from its own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from windlass_registry.errors import OperatorError
from windlass_registry.layout import TIMESTAMP, metadata_path
from windlass_registry.trust import roles
from windlass_registry.trust.keys import CryptoSigner, KeyRing

Role = TypeVar("Role", Root, Targets, Snapshot, Timestamp)
Read = Callable[[str], bytes | None]
"""Gives the content of a file of the registry, None where there is none."""

ONLINE_KEY: Final = "online"


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The two roles that say what is newest, signed, and what they say."""

    snapshot: bytes
    timestamp: bytes
    snapshot_version: int


class HostedRoles:
    """The roles as they stand. Reads each once; make a new one after a change."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._targets: dict[str, Targets] = {}
        newest = self._load_signed(TIMESTAMP, Timestamp)
        self.timestamp = newest.signed
        self.snapshot = self._load(metadata_path("snapshot", self.timestamp.snapshot_meta.version), Snapshot)
        self.root = self._newest_root()
        self.is_signed_by_root = _is_signed(self.root, newest)
        """Whether the timestamp is signed by the key that the root names: not so after a change of it."""

    @property
    def versions(self) -> dict[str, int]:
        """Which version of each role belongs to this state."""
        return {name.removesuffix(".json"): meta.version for name, meta in self.snapshot.meta.items()}

    @property
    def targets(self) -> Targets:
        """What the registry's owner signed."""
        found = self.role("targets")
        assert found is not None
        return found

    def role(self, name: str) -> Targets | None:
        """A role that lists or delegates; None where there is none yet."""
        meta = self.snapshot.meta.get(f"{name}.json")
        if meta is None:
            return None
        if name not in self._targets:
            self._targets[name] = self._load(metadata_path(name, meta.version), Targets)
        return self._targets[name]

    def namespaces(self) -> tuple[str, ...]:
        """Those that have something published."""
        return tuple(name for name in roles.role_names(self.targets) if f"{name}.json" in self.snapshot.meta)

    def ends(self) -> dict[str, datetime]:
        """Until when each role is signed. `snapshot` is signed anew with `timestamp`, and left out."""
        found = {"root": self.root.expires, "timestamp": self.timestamp.expires}
        for name in self.versions:
            role = self.role(name)
            assert role is not None
            found[name] = role.expires
        return found

    def is_due(self, now: datetime, *, lifetimes: roles.Lifetimes) -> bool:
        """Whether the timestamp or the snapshot has lived half of its life, or has another key now."""
        return (
            not self.is_signed_by_root
            or self.timestamp.expires - now < lifetimes.timestamp / 2
            or self.snapshot.expires - now < lifetimes.snapshot / 2
        )

    def sign_newest(
        self,
        versions: Mapping[str, int],
        *,
        keys: KeyRing,
        now: datetime,
        lifetimes: roles.Lifetimes,
        number: int | None = None,
    ) -> Newest:
        """A snapshot of these versions of the roles (the next one, or of a later number), and the timestamp
        that names it."""
        snapshot = roles.make_snapshot(
            versions, version=number or self.snapshot.version + 1, expires=now + lifetimes.snapshot
        )
        return _sign_newest(
            snapshot, self.timestamp.version + 1, root=self.root, keys=keys, now=now, lifetimes=lifetimes
        )

    def sign_again(self, *, keys: KeyRing, now: datetime, lifetimes: roles.Lifetimes) -> bytes:
        """The next timestamp, which names the same snapshot."""
        timestamp = roles.make_timestamp(
            self.snapshot.version, version=self.timestamp.version + 1, expires=now + lifetimes.timestamp
        )
        return roles.sign(timestamp, [_online_signer(self.root, keys)])

    def _newest_root(self) -> Root:
        found: Root | None = None
        while (content := self._read(metadata_path("root", found.version + 1 if found else 1))) is not None:
            found = self._parse(content, "root", Root).signed
        if found is None:
            raise OperatorError("the registry has lost its root", remedy="restore it from a backup")
        return found

    def _load(self, path: str, kind: type[Role]) -> Role:
        return self._load_signed(path, kind).signed

    def _load_signed(self, path: str, kind: type[Role]) -> Metadata[Role]:
        content = self._read(path)
        if content is None:
            raise OperatorError(f"the registry lacks its file {path}", remedy="restore it from a backup")
        return self._parse(content, path, kind)

    def _parse(self, content: bytes, shown: str, kind: type[Role]) -> Metadata[Role]:
        try:
            return parse_role(content, kind)
        except RoleError as error:
            raise OperatorError(
                f"the registry's file {shown} is damaged: {error}", remedy="restore it from a backup"
            ) from error


def first_newest(*, root: bytes, keys: KeyRing, now: datetime, lifetimes: roles.Lifetimes) -> Newest:
    """Snapshot and timestamp of a registry that has nothing but `targets`."""
    snapshot = roles.make_snapshot({"targets": 1}, version=1, expires=now + lifetimes.snapshot)
    first = parse_role(root, Root).signed
    return _sign_newest(snapshot, 1, root=first, keys=keys, now=now, lifetimes=lifetimes)


class RoleError(ValueError):
    """The bytes are no signed role of the kind."""


def parse_role(content: bytes, kind: type[Role]) -> Metadata[Role]:
    """Read a signed role. Its signatures are not checked.

    Raises:
        RoleError: it is none.
    """
    try:
        found = Metadata[kind].from_bytes(content)  # type: ignore[valid-type]
    except (RepositoryError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RoleError(f"it is no signed role ({error})") from error
    if not isinstance(found.signed, kind):
        raise RoleError(f"it is a role of another kind ({found.signed.type})")
    return found


def believed_until(timestamp: bytes) -> datetime:
    """Until when readers take what is newest. Raises RoleError."""
    return parse_role(timestamp, Timestamp).signed.expires


def _is_signed(root: Root, newest: Metadata[Timestamp]) -> bool:
    try:
        root.verify_delegate("timestamp", newest.signed_bytes, newest.signatures)
    except RepositoryError:
        return False
    return True


def _sign_newest(
    snapshot: Snapshot,
    timestamp_version: int,
    *,
    root: Root,
    keys: KeyRing,
    now: datetime,
    lifetimes: roles.Lifetimes,
) -> Newest:
    signer = _online_signer(root, keys)
    timestamp = roles.make_timestamp(
        snapshot.version, version=timestamp_version, expires=now + lifetimes.timestamp
    )
    return Newest(
        snapshot=roles.sign(snapshot, [signer]),
        timestamp=roles.sign(timestamp, [signer]),
        snapshot_version=snapshot.version,
    )


def _online_signer(root: Root, keys: KeyRing) -> CryptoSigner:
    names = keys.find(root.get_delegated_role("timestamp").keyids)
    if not names:
        raise OperatorError(
            f"the key that signs what is newest is not in {keys.folder}",
            remedy="bring it back, or change it: windlass registry rekey --online",
        )
    return keys.signer(names[0])
