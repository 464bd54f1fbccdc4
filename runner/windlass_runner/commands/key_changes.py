"""`windlass keys rotate`, `revoke`: which keys may sign a namespace's releases from now on."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import replace

from windlass_registry.errors import OperatorError
from windlass_registry.releases import ReleaseFacts, Yank, whole_seconds
from windlass_registry.trust.client import Namespace as SignedNamespace
from windlass_registry.trust.keys import Key, KeyRing, PublicKey, fingerprint
from windlass_registry.trust.publishing import ReleaseKeys, Signers, next_publication
from windlass_registry.trust.roles import FormerKey
from windlass_registry.trust.statements import signed_by
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.passphrases import read_passphrase
from windlass_runner.commands.publishing_place import RELEASE, NamespacePlace, open_namespace
from windlass_runner.commands.registries import key_ring, utc_now

STOLEN = "signed with a key that got into other hands"


def rotate(arguments: Namespace, invocation: Invocation) -> int:
    """Let another key sign, in place of one or beside those that do."""
    place = open_namespace(arguments.namespace, arguments.registry, invocation)
    signed = place.signed
    _refuse_unpublished(signed)
    ring, passphrase = key_ring(invocation), read_passphrase(arguments, invocation)
    goes = () if arguments.add else (_key_to_replace(signed, arguments.key, ring),)
    comes = _new_key(signed.name, arguments.to, ring, passphrase)
    stay = [key for keyid, key in signed.release_keys.items() if keyid not in goes]
    keys = _release_keys(signed, [*stay, comes.key], goes, is_revoked=False, threshold=arguments.threshold)
    _change(place, keys, (), ring, passphrase)
    if arguments.json:
        invocation.print_json({"namespace": signed.name, "key": comes.name, "replaced": list(goes)})
        return 0
    invocation.print(f"{comes.name} signs the releases of '{signed.name}' from now on: {comes.fingerprint}")
    for keyid in goes:
        invocation.print(f"  {fingerprint(keyid)} signs no more; what it signed stays valid")
    return 0


def renew(arguments: Namespace, invocation: Invocation) -> int:
    """Sign anew, with the keys that there are, for as long as at the beginning."""
    place = open_namespace(arguments.namespace, arguments.registry, invocation)
    signed = place.signed
    _refuse_unpublished(signed)
    ring, passphrase = key_ring(invocation), read_passphrase(arguments, invocation)
    keys = _release_keys(signed, list(signed.release_keys.values()), (), is_revoked=False, threshold=None)
    _change(place, keys, (), ring, passphrase)
    if arguments.json:
        invocation.print_json({"namespace": signed.name})
    else:
        invocation.print(f"who may publish in '{signed.name}' is signed anew")
    return 0


def revoke(arguments: Namespace, invocation: Invocation) -> int:
    """Take a key away that got into other hands, and show what it signed.

    Also one that signs no more since another came in its place: what it signed before may not be its owner's.
    """
    ring = key_ring(invocation)
    name = arguments.namespace or _namespace_of(arguments.key, ring)
    place = open_namespace(name, arguments.registry, invocation)
    signed = place.signed
    _refuse_unpublished(signed)
    keyid = _find(signed, arguments.key, ring, among=[*signed.release_keys, *signed.former_keys])
    passphrase = read_passphrase(arguments, invocation)
    suspects = _signed_with(keyid, place)
    stay = [key for other, key in signed.release_keys.items() if other != keyid]
    added = None
    if not stay or arguments.to is not None:
        added = _new_key(signed.name, arguments.to, ring, passphrase)
        stay.append(added.key)
    keys = _release_keys(signed, stay, (keyid,), is_revoked=True, threshold=None)
    yanked = _yank(suspects) if arguments.yank else []
    _change(place, keys, yanked, ring, passphrase)
    if arguments.json:
        listed = [{"release": each.path, "published": each.published.isoformat()} for each in suspects]
        invocation.print_json({"revoked": keyid, "signed": listed, "yanked": [each.path for each in yanked]})
        return 0
    _tell_revoked(keyid, signed.name, suspects, yanked, added, invocation)
    return 0


def _tell_revoked(
    keyid: str,
    namespace: str,
    suspects: Sequence[ReleaseFacts],
    yanked: Sequence[ReleaseFacts],
    added: PublicKey | None,
    invocation: Invocation,
) -> None:
    invocation.print(f"{fingerprint(keyid)} signs nothing of '{namespace}' any more")
    if added is not None:
        invocation.print(f"{added.name} signs from now on: {added.fingerprint}")
    if not suspects:
        invocation.print("it signed no release that is there")
        return
    invocation.print(f"it signed, since {suspects[0].published:%Y-%m-%d %H:%M} UTC:")
    gone = {each.path for each in yanked}
    for each in suspects:
        mark = "  yanked" if each.path in gone or each.yanked is not None else ""
        invocation.print(f"  {each.published:%Y-%m-%d %H:%M}  {each.name}@{each.version}{mark}")
    if not yanked:
        invocation.say(
            "look at each: is it yours? For those that are not: windlass yank NAME@VERSION --reason "
            f"'{STOLEN}'"
        )


def _change(
    place: NamespacePlace,
    keys: ReleaseKeys,
    changes: Iterable[ReleaseFacts],
    ring: KeyRing,
    passphrase: bytes | None,
) -> None:
    owners = ring.find(place.signed.owner_keys)
    if not owners:
        raise OperatorError(
            f"the key of the owner of '{place.signed.name}' is not here",
            remedy="bring it back from its safe for a moment: NAME.owner.key, NAME.owner.pub",
        )
    wanted = {key.keyid for key in keys.keys}
    signers = Signers(
        release=[ring.signer(name, passphrase=passphrase) for name in ring.find(wanted)],
        owner=[ring.signer(name, passphrase=passphrase) for name in owners],
    )
    place.publishing.accept(
        next_publication(place.signed, changes, signers=signers, now=utc_now(), keys=keys)
    )


def _release_keys(
    signed: SignedNamespace,
    keys: Sequence[Key],
    goes: Iterable[str],
    *,
    is_revoked: bool,
    threshold: int | None,
) -> ReleaseKeys:
    now = whole_seconds(utc_now())
    former = dict(signed.former_keys)
    for keyid in goes:
        if (key := signed.release_keys.get(keyid)) is not None:
            former[keyid] = FormerKey(key=key, until=now, is_revoked=is_revoked)
        else:
            former[keyid] = replace(former[keyid], is_revoked=is_revoked)
    return ReleaseKeys(keys=keys, threshold=threshold or min(signed.threshold, len(keys)), former=former)


def _signed_with(keyid: str, place: NamespacePlace) -> list[ReleaseFacts]:
    """What a key signed, the oldest first."""
    found = [
        facts
        for facts in place.signed.all_releases().values()
        if keyid in signed_by(place.source.statement(facts))
    ]
    return sorted(found, key=lambda facts: facts.published)


def _yank(suspects: Iterable[ReleaseFacts]) -> list[ReleaseFacts]:
    now = whole_seconds(utc_now())
    return [replace(each, yanked=Yank(reason=STOLEN, at=now)) for each in suspects if each.yanked is None]


def _new_key(namespace: str, name: str | None, ring: KeyRing, passphrase: bytes | None) -> PublicKey:
    """The key that signs from now on: one that is here, or a new one."""
    here = {each.name: each for each in ring.public()}
    if name is not None:
        if name not in here:
            raise OperatorError(f"no key '{name}' is here", remedy="'windlass keys list' shows which are")
        return here[name]
    key = ring.create_next(f"{namespace}{RELEASE}", passphrase=passphrase).public_key
    return next(each for each in ring.public() if each.key.keyid == key.keyid)


def _key_to_replace(signed: SignedNamespace, wanted: str | None, ring: KeyRing) -> str:
    if wanted is not None:
        return _find(signed, wanted, ring, among=list(signed.release_keys))
    if len(signed.release_keys) == 1:
        return next(iter(signed.release_keys))
    shown = ", ".join(fingerprint(keyid)[:9] for keyid in signed.release_keys)
    raise OperatorError(f"'{signed.name}' has several release keys: {shown}", remedy="name one with --key")


def _namespace_of(wanted: str, ring: KeyRing) -> str:
    """Whose a release key is, as the name says that it has here."""
    names = {each.name for each in ring.public() if _is_meant(wanted, each.name, each.key.keyid)}
    namespaces = {name.partition(RELEASE)[0] for name in names or {wanted} if RELEASE in name}
    if len(namespaces) == 1:
        return namespaces.pop()
    raise OperatorError(f"nothing here tells whose key '{wanted}' is", remedy="say it with --namespace NAME")


def _is_meant(wanted: str, name: str | None, keyid: str) -> bool:
    """Whether a key is named: by its name here, or by the beginning of its fingerprint."""
    letters = wanted.replace(" ", "").lower()
    return name == wanted or (len(letters) >= 8 and keyid.startswith(letters))


def _find(signed: SignedNamespace, wanted: str, ring: KeyRing, *, among: Sequence[str]) -> str:
    """One of these keys of the namespace, by its name here or the beginning of its fingerprint."""
    named = {each.key.keyid: each.name for each in ring.public()}
    found = [keyid for keyid in among if _is_meant(wanted, named.get(keyid), keyid)]
    if len(found) == 1:
        return found[0]
    raise OperatorError(
        f"'{wanted}' is not a key that signs the releases of '{signed.name}'",
        remedy="name it as 'windlass keys list' does, or by 8 or more letters of its fingerprint",
    )


def _refuse_unpublished(signed: SignedNamespace) -> None:
    if not signed.release_keys:
        raise OperatorError(
            f"'{signed.name}' has no release key yet", remedy="the first publication names one"
        )
