"""Makes a security notice, signs it with each release that it is about, or takes it back."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from windlass_registry.advisories import (
    NOTICES_AT_MOST,
    TEXT_CHARS,
    TITLE_CHARS,
    VERSIONS_CHARS,
    Advisory,
    affected,
    make_advisory,
)
from windlass_registry.errors import OperatorError
from windlass_registry.releases import ReleaseFacts, plain_text, whole_seconds
from windlass_registry.versions import VersionError
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.marking import sign_changes
from windlass_runner.commands.publishing_place import NamespacePlace, open_namespace
from windlass_runner.commands.registries import utc_now
from windlass_runner.commands.wrong_words import WrongWords


def advise(arguments: Namespace, invocation: Invocation) -> int:
    """Say of some releases that they are dangerous, and why."""
    missing = [word for word in ("versions", "severity", "title") if not getattr(arguments, word)]
    if missing:
        raise WrongWords(f"--{missing[0]} is missing", remedy="see 'windlass advise --help' for an example")
    place, releases = _open(arguments, invocation)
    meant = _meant(arguments.versions, releases)
    notice = make_advisory(
        arguments.package,
        severity=arguments.severity,
        title=_plain(arguments.title, TITLE_CHARS, what="title"),
        text=_text(arguments, invocation),
        versions=_plain(arguments.versions, VERSIONS_CHARS, what="range"),
        at=whole_seconds(utc_now()),
    )
    full = next((each for each in meant if len(each.advisories) >= NOTICES_AT_MOST), None)
    if full is not None:
        raise WrongWords(
            f"{full.name} {full.version} has {NOTICES_AT_MOST} notices already", remedy="yank it"
        )
    if not arguments.dry_run:
        changes = [replace(each, advisories=(*each.advisories, notice)) for each in meant]
        sign_changes(place, changes, arguments, invocation)
    _tell(notice, meant, releases, arguments, invocation)
    return 0


def withdraw(arguments: Namespace, invocation: Invocation) -> int:
    """Take a notice back."""
    place, releases = _open(arguments, invocation)
    having = [each for each in releases if any(one.id == arguments.withdraw for one in each.advisories)]
    if not having:
        known = {one.id: one.title for each in releases for one in each.advisories}
        there = ", ".join(f"{id} ({title})" for id, title in known.items()) or "none"
        raise WrongWords(
            f"{arguments.package} has no notice '{arguments.withdraw}'", remedy=f"there are: {there}"
        )
    changes = [
        replace(each, advisories=tuple(one for one in each.advisories if one.id != arguments.withdraw))
        for each in having
    ]
    if not arguments.dry_run:
        sign_changes(place, changes, arguments, invocation)
    versions = [str(each.version) for each in having]
    if arguments.json:
        invocation.print_json({"id": arguments.withdraw, "withdrawn": True, "releases": versions})
    else:
        done = "would be withdrawn from" if arguments.dry_run else "is withdrawn from"
        invocation.print(f"{arguments.withdraw} {done} {arguments.package} {', '.join(versions)}")
    return 0


def _open(arguments: Namespace, invocation: Invocation) -> tuple[NamespacePlace, tuple[ReleaseFacts, ...]]:
    place = open_namespace(arguments.package.partition("/")[0], arguments.registry, invocation)
    releases = place.signed.releases(arguments.package)
    if not releases:
        names = ", ".join(place.signed.names()) or "nothing"
        raise WrongWords(f"{arguments.package}: no such package is published", remedy=f"there is: {names}")
    return place, releases


def _meant(text: str, releases: Sequence[ReleaseFacts]) -> list[ReleaseFacts]:
    """The releases in the range. A notice about none would be read by nobody."""
    try:
        versions = affected(text, [each.version for each in releases])
    except VersionError as error:
        raise WrongWords(
            str(error), remedy="write it as '<1.2.0', '>=1.0.0 <1.2.0', '1.1.0' or 'v1'"
        ) from error
    found = [each for each in releases if each.version in versions]
    if not found:
        there = ", ".join(str(each.version) for each in releases[:10])
        raise WrongWords(f"no release of {releases[0].name} is in '{text}'", remedy=f"there are: {there}")
    return found


def _tell(
    notice: Advisory,
    meant: Sequence[ReleaseFacts],
    releases: Sequence[ReleaseFacts],
    arguments: Namespace,
    invocation: Invocation,
) -> None:
    versions = [str(each.version) for each in meant]
    others = [str(each.version) for each in releases if each not in meant and each.yanked is None]
    if arguments.json:
        said = {"id": notice.id, "severity": notice.severity, "title": notice.title}
        signed = not arguments.dry_run
        invocation.print_json({**said, "releases": versions, "not_affected": others, "signed": signed})
        return
    invocation.print(f"{notice.id} ({notice.severity}) is about {arguments.package} {', '.join(versions)}")
    if arguments.dry_run:
        invocation.say("nothing was signed (--dry-run)")
    elif others:
        invocation.say(f"not affected: {', '.join(others[:10])}")
    else:
        invocation.say("no other release is left to move to: publish one that mends it")


def _text(arguments: Namespace, invocation: Invocation) -> str:
    text = arguments.text or ""
    if arguments.file is not None:
        try:
            text = (invocation.folder / arguments.file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise OperatorError(f"cannot read the notice {arguments.file}: {error}") from error
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise WrongWords(
            "the notice has no text", remedy="say with --text or --file what can happen, and what to do"
        )
    if len(text) > TEXT_CHARS or not plain_text(text, has_lines=True):
        raise WrongWords(
            f"the text is not plain, of at most {TEXT_CHARS:,} letters", remedy="link to the rest"
        )
    return text


def _plain(given: str, at_most: int, *, what: str) -> str:
    text = " ".join(given.split())
    if not text or len(text) > at_most or not plain_text(text):
        raise WrongWords(f"the {what} is not a plain text of at most {at_most} letters", remedy="shorten it")
    return text
