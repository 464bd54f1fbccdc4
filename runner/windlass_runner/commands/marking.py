"""`windlass yank`, `deprecate`: what may change of a release that is out, signed by its publisher."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from windlass_registry.errors import OperatorError
from windlass_registry.refs import RefError, parse_uses
from windlass_registry.releases import (
    REASON_CHARS,
    Deprecation,
    ReleaseFacts,
    Yank,
    plain_text,
    whole_seconds,
)
from windlass_registry.trust.publishing import Signers, next_publication
from windlass_registry.versions import Version, VersionError
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.passphrases import read_passphrase
from windlass_runner.commands.publishing_place import NamespacePlace, open_namespace
from windlass_runner.commands.registries import key_ring, utc_now
from windlass_runner.commands.wrong_words import WrongWords


def yank(arguments: Namespace, invocation: Invocation) -> int:
    """Withdraw one release from new use, or take that back."""
    place, releases = _find(arguments, invocation, needs_version=True)
    mark = None
    if not arguments.undo:
        mark = Yank(reason=_reason(arguments.reason), at=whole_seconds(utc_now()))
    changes = [replace(each, yanked=mark) for each in releases]
    sign_changes(place, changes, arguments, invocation)
    done = "is no longer yanked" if mark is None else "is yanked: ranges pass it over, locks keep it"
    _tell(changes, done, arguments, invocation)
    return 0


def deprecate(arguments: Namespace, invocation: Invocation) -> int:
    """Name what to use instead, or take that back."""
    mark = None
    if not arguments.undo:
        if arguments.successor is None and not arguments.reason:
            raise WrongWords(
                "neither a successor nor a reason is given", remedy="give --successor or --reason"
            )
        mark = Deprecation(successor=_successor(arguments.successor), reason=_reason(arguments.reason))
    place, releases = _find(arguments, invocation, needs_version=False)
    changes = [replace(each, deprecated=mark) for each in releases]
    sign_changes(place, changes, arguments, invocation)
    done = "is no longer deprecated"
    if mark is not None:
        done = "is deprecated: " + (f"use {mark.successor}" if mark.successor else mark.reason)
    _tell(changes, done, arguments, invocation)
    return 0


def _find(
    arguments: Namespace, invocation: Invocation, *, needs_version: bool
) -> tuple[NamespacePlace, tuple[ReleaseFacts, ...]]:
    name, at, text = arguments.release.partition("@")
    if needs_version and not at:
        raise WrongWords(f"{arguments.release}: no version is named", remedy=f"write it as {name}@1.2.0")
    place = open_namespace(name.partition("/")[0], arguments.registry, invocation)
    releases = place.signed.releases(name)
    if not releases:
        names = ", ".join(place.signed.names()) or "nothing"
        raise WrongWords(f"{arguments.release}: no such package is published", remedy=f"there is: {names}")
    if not at:
        return place, releases
    try:
        version = Version.parse(text)
    except VersionError as error:
        raise WrongWords(str(error), remedy="write one release, as acme/train@1.2.0") from error
    found = tuple(each for each in releases if each.version == version)
    if not found:
        there = ", ".join(str(each.version) for each in releases[:10])
        raise WrongWords(f"{arguments.release}: no such release is published", remedy=f"there are: {there}")
    return place, found


def sign_changes(
    place: NamespacePlace, changes: Sequence[ReleaseFacts], arguments: Namespace, invocation: Invocation
) -> None:
    """Send these releases, changed, signed with the keys that are here. Raises OperatorError, Refused."""
    ring = key_ring(invocation)
    names = ring.find(place.signed.release_keys)
    if not names:
        raise OperatorError(
            f"no release key of '{place.signed.name}' is on this machine", remedy="do this where it is"
        )
    passphrase = read_passphrase(arguments, invocation)
    signers = Signers(release=[ring.signer(name, passphrase=passphrase) for name in names])
    place.publishing.accept(next_publication(place.signed, changes, signers=signers, now=utc_now()))


def _tell(changes: Sequence[ReleaseFacts], done: str, arguments: Namespace, invocation: Invocation) -> None:
    for each in changes:
        if arguments.json:
            invocation.print_json(
                {
                    "name": each.name,
                    "version": str(each.version),
                    "yanked": each.yanked.reason if each.yanked is not None else None,
                    "successor": each.deprecated.successor if each.deprecated is not None else None,
                }
            )
        else:
            invocation.print(f"{each.name}@{each.version} {done}")


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    if len(reason) > REASON_CHARS or not plain_text(reason):
        raise WrongWords(
            f"the reason is not a plain text of at most {REASON_CHARS} letters", remedy="shorten it"
        )
    return reason


def _successor(text: str | None) -> str | None:
    if text is not None:
        try:
            parse_uses(text)
        except RefError as error:
            raise WrongWords(error.message, remedy=error.remedy or "write it as in a 'uses'") from error
    return text
