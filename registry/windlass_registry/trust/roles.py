"""The roles of a registry as TUF metadata: made, signed, and read. Values in, bytes out; no files.

Who signs what, and why there are two tiers for a namespace: docs/decisions/0062.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from securesystemslib.signer import Key, Signer
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from windlass_registry.releases import ReleaseFacts, custom_of, format_time, parse_release, parse_time
from windlass_registry.trust.keys import key_of

Badge = Literal["verified", "official"]

_RELEASES: Final = ".releases"
_BADGES: Final = "x-windlass-badges"
_FORMER: Final = "x-windlass-former-keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerKey:
    """A release key that may sign no more."""

    key: Key
    until: datetime
    is_revoked: bool
    """Whether it got into other hands, as far as its owner knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """For how long signatures hold.

    Long where a person has to fetch a key from a safe, short where a server signs anew by itself: it is
    the timestamp that limits for how long somebody can hold news back.
    """

    root: timedelta = timedelta(days=5 * 365)
    targets: timedelta = timedelta(days=2 * 365)
    owner: timedelta = timedelta(days=5 * 365)
    releases: timedelta = timedelta(days=5 * 365)
    snapshot: timedelta = timedelta(days=30)
    timestamp: timedelta = timedelta(days=7)


def releases_role(namespace: str) -> str:
    """The role that signs a namespace's releases."""
    return namespace + _RELEASES


def namespace_of(role: str) -> str:
    """The reverse of `releases_role`; a namespace's own role is named as it is."""
    return role.removesuffix(_RELEASES)


def make_root(
    *, root: Sequence[Key], targets: Sequence[Key], online: Key, version: int, expires: datetime
) -> Root:
    """Who the others are: any one of the root's keys may change it."""
    made = Root(version=version, expires=expires, consistent_snapshot=True)
    for role, keys in {
        "root": root,
        "targets": targets,
        "snapshot": (online,),
        "timestamp": (online,),
    }.items():
        for key in keys:
            made.add_key(key, role)
    return made


def make_targets(*, version: int, expires: datetime) -> Targets:
    """The first `targets`: no namespace yet."""
    made = Targets(version=version, expires=expires)
    made.delegations = Delegations(keys={}, roles={})
    return made


def grant(targets: Targets, namespace: str, keys: Sequence[Key], *, badge: Badge | None) -> None:
    """Let these keys own a namespace, in place of any that did. The badge lies beside, in the same role."""
    assert targets.delegations is not None
    assert targets.delegations.roles is not None
    role = DelegatedRole(
        name=namespace, keyids=[], threshold=1, terminating=True, paths=[_paths_of(namespace)]
    )
    targets.delegations.roles[namespace] = role
    for key in keys:
        targets.add_key(key, namespace)
    badges: dict[str, str] = targets.unrecognized_fields.setdefault(_BADGES, {})
    badges.pop(namespace, None)
    if badge is not None:
        badges[namespace] = badge
    _drop_unused_keys(targets.delegations)


def make_owner(
    namespace: str,
    keys: Sequence[Key],
    *,
    threshold: int,
    former: Mapping[str, FormerKey],
    version: int,
    expires: datetime,
) -> Targets:
    """The role of a namespace's owner: which keys may sign releases, and how many of them must.

    `former` are the keys that could once, by id: what they signed can still be told apart.
    """
    made = Targets(version=version, expires=expires)
    if former:
        made.unrecognized_fields[_FORMER] = {keyid: _former_to_json(each) for keyid, each in former.items()}
    name = releases_role(namespace)
    role = DelegatedRole(
        name=name, keyids=[], threshold=threshold, terminating=True, paths=[_paths_of(namespace)]
    )
    made.delegations = Delegations(keys={}, roles={name: role})
    for key in keys:
        made.add_key(key, name)
    return made


def make_releases(releases: Iterable[ReleaseFacts], *, version: int, expires: datetime) -> Targets:
    """The role that lists a namespace's releases."""
    targets = {each.path: _target_of(each) for each in releases}
    return Targets(version=version, expires=expires, targets=targets)


def make_snapshot(versions: Mapping[str, int], *, version: int, expires: datetime) -> Snapshot:
    """Which version of each role belongs together. `versions` by role name."""
    meta = {f"{role}.json": MetaFile(version=number) for role, number in sorted(versions.items())}
    return Snapshot(version=version, expires=expires, meta=meta)


def make_timestamp(snapshot_version: int, *, version: int, expires: datetime) -> Timestamp:
    """Which snapshot is the newest."""
    return Timestamp(version=version, expires=expires, snapshot_meta=MetaFile(version=snapshot_version))


def sign(signed: Root | Targets | Snapshot | Timestamp, signers: Iterable[Signer]) -> bytes:
    """The signed role as it lies on disk."""
    metadata: Metadata[Any] = Metadata(signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes(JSONSerializer(compact=True))


def releases_of(targets: Targets) -> dict[str, ReleaseFacts]:
    """Every release that a role lists, by path. Raises ReleaseError."""
    return {path: read_target(target) for path, target in targets.targets.items()}


def read_target(target: TargetFile) -> ReleaseFacts:
    """One target as a release. Raises ReleaseError."""
    return parse_release(
        target.path,
        digest=f"sha256:{target.hashes.get('sha256', '')}",
        size_bytes=target.length,
        custom=target.custom,
    )


def badges_of(targets: Targets) -> dict[str, str]:
    """The badge of each namespace that has one."""
    found = targets.unrecognized_fields.get(_BADGES)
    if not isinstance(found, Mapping):
        return {}
    return {str(name): str(badge) for name, badge in found.items() if badge in ("verified", "official")}


def former_keys_of(owner: Targets) -> dict[str, FormerKey]:
    """The keys that could once sign a namespace's releases, by id; those that cannot be read left out."""
    found = owner.unrecognized_fields.get(_FORMER)
    keys: dict[str, FormerKey] = {}
    for keyid, each in (found if isinstance(found, Mapping) else {}).items():
        try:
            keys[keyid] = FormerKey(
                key=key_of(each["public"]),
                until=parse_time(each["until"]),
                is_revoked=each["revoked"] is True,
            )
        except (ValueError, KeyError, TypeError):
            continue
    return keys


def role_names(targets: Targets) -> tuple[str, ...]:
    """The roles that it delegates to."""
    if targets.delegations is None or targets.delegations.roles is None:
        return ()
    return tuple(targets.delegations.roles)


def keys_of(delegator: Targets, role: str) -> dict[str, Key]:
    """The keys that may sign a role, by id."""
    if delegator.delegations is None:
        return {}
    keyids = delegator.get_delegated_role(role).keyids
    return {
        keyid: delegator.delegations.keys[keyid] for keyid in keyids if keyid in delegator.delegations.keys
    }


def _target_of(facts: ReleaseFacts) -> TargetFile:
    return TargetFile(
        length=facts.size_bytes,
        hashes={"sha256": facts.digest.removeprefix("sha256:")},
        path=facts.path,
        unrecognized_fields={"custom": custom_of(facts)},
    )


def _former_to_json(former: FormerKey) -> dict[str, Any]:
    return {
        "public": former.key.keyval["public"],
        "until": format_time(former.until),
        "revoked": former.is_revoked,
    }


def _paths_of(namespace: str) -> str:
    return f"{namespace}/*/*"


def _drop_unused_keys(delegations: Delegations) -> None:
    used = {keyid for role in (delegations.roles or {}).values() for keyid in role.keyids}
    for keyid in set(delegations.keys) - used:
        del delegations.keys[keyid]
