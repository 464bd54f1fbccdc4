"""What a publisher and the owners sign: the next state of a role, made from the one that was read.

Pure: the signers are given, and what comes out is a `Publication` to hand to a registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from securesystemslib.signer import Key, Signer
from tuf.api.metadata import Root, Targets

from windlass_registry.errors import OperatorError
from windlass_registry.names import check_namespace
from windlass_registry.publication import Publication
from windlass_registry.releases import ReleaseFacts, whole_seconds
from windlass_registry.trust import roles
from windlass_registry.trust.client import Namespace
from windlass_registry.trust.roles import Badge, FormerKey, Lifetimes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseKeys:
    """Which keys may sign a namespace's releases from now on."""

    keys: Sequence[Key]
    threshold: int = 1
    former: Mapping[str, FormerKey] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """What signs. `owner` is empty where the owner's key stays in its safe."""

    release: Sequence[Signer]
    owner: Sequence[Signer] = ()


def next_publication(
    namespace: Namespace,
    changes: Iterable[ReleaseFacts],
    *,
    signers: Signers,
    now: datetime,
    keys: ReleaseKeys | None = None,
    archives: Mapping[str, bytes] | None = None,
    statements: Mapping[str, bytes] | None = None,
    lifetimes: Lifetimes | None = None,
) -> Publication:
    """The namespace with these releases new or changed, and with `keys` where they change.

    Raises:
        ReleaseError: it holds releases that this version of Windlass cannot write again.
        OperatorError: a role would lack signatures.
    """
    lives = lifetimes or Lifetimes()
    releases = {**namespace.all_releases(), **{each.path: each for each in changes}}
    signed: dict[str, bytes] = {}
    if keys is not None:
        _enough(signers.owner, namespace.owner_keys, 1, f"the owner of '{namespace.name}'")
        owner = roles.make_owner(
            namespace.name,
            keys.keys,
            threshold=keys.threshold,
            former=keys.former,
            version=namespace.owner_version + 1,
            expires=now + lives.owner,
        )
        signed[namespace.name] = roles.sign(owner, signers.owner)
    allowed = {key.keyid: key for key in keys.keys} if keys is not None else namespace.release_keys
    threshold = keys.threshold if keys is not None else namespace.threshold
    _enough(signers.release, allowed, threshold, f"the releases of '{namespace.name}'")
    listed = roles.make_releases(
        releases.values(), version=namespace.version + 1, expires=now + lives.releases
    )
    signed[roles.releases_role(namespace.name)] = roles.sign(listed, signers.release)
    return Publication(roles=signed, archives=archives or {}, statements=statements or {})


def grant_publication(
    targets: Targets,
    namespace: str,
    keys: Sequence[Key],
    *,
    badge: Badge | None,
    signers: Sequence[Signer],
    now: datetime,
    claim: Publication | None = None,
    lifetimes: Lifetimes | None = None,
) -> Publication:
    """The registry with a namespace that these keys own. `targets` is the role as it was read.

    `claim` is what the new owner signed (see `claim_publication`), where somebody else owned it before.
    """
    check_namespace(namespace)
    fresh = Targets.from_dict(targets.to_dict())
    roles.grant(fresh, namespace, keys, badge=badge)
    fresh.version += 1
    fresh.expires = now + (lifetimes or Lifetimes()).targets
    claimed = claim.roles if claim is not None else {}
    return Publication(roles={**claimed, "targets": roles.sign(fresh, signers)})


def claim_publication(
    namespace: Namespace, owner: Signer, release: Signer, *, now: datetime, lifetimes: Lifetimes | None = None
) -> Publication:
    """All that is published in a namespace, signed by keys that shall own it from now on.

    Worth nothing by itself: the registry's owner has to grant the namespace to `owner` in the same step.
    """
    key = owner.public_key
    former = {
        **namespace.former_keys,
        **{
            keyid: FormerKey(key=each, until=whole_seconds(now), is_revoked=False)
            for keyid, each in namespace.release_keys.items()
        },
    }
    return next_publication(
        replace(namespace, owner_keys={key.keyid: key}),
        [],
        signers=Signers(release=[release], owner=[owner]),
        now=now,
        keys=ReleaseKeys(keys=[release.public_key], former=former),
        lifetimes=lifetimes,
    )


def first_roles(
    *, root: Signer, targets: Signer, online: Key, now: datetime, lifetimes: Lifetimes | None = None
) -> tuple[bytes, bytes]:
    """The root and the targets of a new registry."""
    lives = lifetimes or Lifetimes()
    made = roles.make_root(
        root=[root.public_key],
        targets=[targets.public_key],
        online=online,
        version=1,
        expires=now + lives.root,
    )
    empty = roles.make_targets(version=1, expires=now + lives.targets)
    return roles.sign(made, [root]), roles.sign(empty, [targets])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKeys:
    """What replaces the keys of a registry's own roles; None: as before."""

    root: Signer | None = None
    targets: Signer | None = None
    online: Key | None = None


def next_root(
    current: Root,
    targets: Targets,
    new: NewKeys,
    *,
    signer: Signer,
    now: datetime,
    lifetimes: Lifetimes | None = None,
) -> tuple[bytes, bytes | None]:
    """The root after `current`, signed with `signer` (a key of `current`'s) and the new root key; and
    `targets` with its new key, where it has one."""
    lives = lifetimes or Lifetimes()
    made = Root.from_dict(current.to_dict())
    made.version += 1
    made.expires = now + lives.root
    replaced = {
        "root": new.root.public_key if new.root is not None else None,
        "targets": new.targets.public_key if new.targets is not None else None,
        "snapshot": new.online,
        "timestamp": new.online,
    }
    for role, key in replaced.items():
        if key is not None:
            for keyid in list(made.get_delegated_role(role).keyids):
                made.revoke_key(keyid, role)
            made.add_key(key, role)
    signers = [signer] if new.root is None else [signer, new.root]
    content = roles.sign(made, signers)
    if new.targets is None:
        return content, None
    again = Targets.from_dict(targets.to_dict())
    again.version += 1
    again.expires = now + lives.targets
    return content, roles.sign(again, [new.targets])


def _enough(signers: Sequence[Signer], allowed: Mapping[str, Key], threshold: int, what: str) -> None:
    usable = {signer.public_key.keyid for signer in signers} & set(allowed)
    if len(usable) < threshold:
        raise OperatorError(
            f"{what} takes {threshold} signature{'s' * (threshold > 1)}, and this machine has "
            f"{len(usable)} of the keys",
            remedy="'windlass keys list' shows which keys are here",
        )
