"""The chain from a registry's root to one package, a link at a time: what `windlass verify` shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from windlass_registry.errors import WindlassError
from windlass_registry.releases import ReleaseFacts
from windlass_registry.sources.registry import RegistrySource
from windlass_registry.trust.client import Namespace, root_digest
from windlass_registry.trust.keys import Key, fingerprint
from windlass_registry.trust.release_checks import is_about
from windlass_registry.trust.statements import Provenance, read_statement, signed_by

Standing = Literal["sound", "doubtful", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One check and how it ended. `doubtful` fails nothing, but somebody should look."""

    name: str
    standing: Standing
    text: str


def links_of(source: RegistrySource, name: str, version: str, *, digest: str | None) -> Iterator[Link]:
    """Every check of a release, from the root on; ends with the first that is broken.

    `digest` is what a lock pins; None: whatever is signed.
    """
    root = root_digest(source.registry.root)
    try:
        namespace = source.namespace(name.partition("/")[0])
    except WindlassError as error:
        yield Link(name="registry", standing="broken", text=str(error))
        return
    yield Link(
        name="registry", standing="sound", text=f"{source.registry.address}, from the root {root[:19]}…"
    )
    if namespace is None:
        yield Link(name="owner", standing="broken", text="nobody owns the namespace there")
        return
    yield from _keys(namespace)
    facts = next((each for each in namespace.releases(name) if str(each.version) == version), None)
    yield from _release(facts, digest)
    if facts is None or (digest is not None and facts.digest != digest):
        return
    for notice in facts.advisories:
        yield Link(name="notice", standing="doubtful", text=notice.line())
    yield from _package(source, facts)
    yield from _statement(source, namespace, facts)


def _keys(namespace: Namespace) -> Iterator[Link]:
    owners = ", ".join(fingerprint(keyid) for keyid in namespace.owner_keys)
    badge = f" ({namespace.badge})" if namespace.badge else ""
    yield Link(name="owner", standing="sound", text=f"'{namespace.name}' belongs to {owners}{badge}")
    keys = ", ".join(fingerprint(keyid) for keyid in namespace.release_keys)
    text = f"its owner lets {keys} publish"
    if namespace.threshold > 1:
        text += f", {namespace.threshold} of them together"
    yield Link(name="publisher", standing="sound", text=text)


def _release(facts: ReleaseFacts | None, digest: str | None) -> Iterator[Link]:
    if facts is None:
        yield Link(name="release", standing="broken", text="no such release is signed")
        return
    if digest is not None and facts.digest != digest:
        text = f"signed is {facts.digest}, the lock pins {digest}"
        yield Link(name="release", standing="broken", text=text)
        return
    text = f"signed, published on {facts.published:%Y-%m-%d %H:%M} UTC"
    if facts.yanked is not None:
        text = f"yanked on {facts.yanked.at:%Y-%m-%d}: {facts.yanked.reason}"
        yield Link(name="release", standing="doubtful", text=text)
        return
    if facts.deprecated is not None:
        instead = facts.deprecated.successor or facts.deprecated.reason
        yield Link(name="release", standing="doubtful", text=f"{text}; deprecated: {instead}")
        return
    yield Link(name="release", standing="sound", text=text)


def _package(source: RegistrySource, facts: ReleaseFacts) -> Iterator[Link]:
    try:
        is_here = source.verify_stored(facts)
    except WindlassError as error:
        yield Link(name="package", standing="broken", text=str(error))
        return
    text = (
        f"the files here are those of {facts.digest[:19]}…" if is_here else "not fetched to this machine yet"
    )
    yield Link(name="package", standing="sound", text=text)


def _statement(source: RegistrySource, namespace: Namespace, facts: ReleaseFacts) -> Iterator[Link]:
    try:
        content = source.statement(facts)
        keys: dict[str, Key] = {keyid: each.key for keyid, each in namespace.former_keys.items()}
        keys.update(namespace.release_keys)
        said = read_statement(content, tuple(keys.values()), threshold=1, shown=facts.path)
    except WindlassError as error:
        yield Link(name="provenance", standing="broken", text=str(error))
        return
    if not is_about(said, facts):
        yield Link(name="provenance", standing="broken", text="it speaks of another release")
        return
    revoked = [
        keyid
        for keyid in signed_by(content)
        if keyid in namespace.former_keys and namespace.former_keys[keyid].is_revoked
    ]
    if revoked:
        since = namespace.former_keys[revoked[0]].until
        text = (
            f"signed with {fingerprint(revoked[0])}, which its owner revoked on {since:%Y-%m-%d}: "
            "ask whether this release is theirs"
        )
        yield Link(name="provenance", standing="doubtful", text=text)
    yield _told(said)


def _told(said: Provenance) -> Link:
    if said.commit is None:
        text = f"published by {said.publisher}, from files that lay in no git repository"
        return Link(name="provenance", standing="doubtful", text=text)
    folder = f", folder {said.folder}" if said.folder else ""
    where = said.repository or "a repository without an address"
    text = f"published by {said.publisher}, from {where} at {said.commit}{folder}"
    if said.is_dirty:
        text += ", with changes that are not committed"
    is_sound = not said.is_dirty and said.repository is not None
    return Link(name="provenance", standing="sound" if is_sound else "doubtful", text=text)
