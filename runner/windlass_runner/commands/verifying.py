"""Checks all that a lock pins, or one release, and shows the chain of each."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from windlass_registry.catalog import GitPackages
from windlass_registry.errors import OperatorError
from windlass_registry.lock import Pin
from windlass_registry.lockfile import LOCK_PATH, load_lock, parse_lock
from windlass_registry.refs import GitRef, RefError, parse_uses
from windlass_registry.sources.builtin import load_builtin
from windlass_registry.sources.registry import RegistrySource
from windlass_registry.trust.chain import Link, Standing, links_of
from windlass_registry.versions import Version, VersionError
from windlass_runner.commands.context import repository_root
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.paint import Paint
from windlass_runner.commands.registries import believed_registries, open_catalog, open_source
from windlass_runner.commands.wrong_words import WrongWords

_MARKS: Final[Mapping[Standing, tuple[str, str]]] = {
    "sound": ("✓", "green"),
    "doubtful": ("!", "yellow"),
    "broken": ("✗", "red"),
}


def verify(arguments: Namespace, invocation: Invocation) -> int:
    """See `windlass verify --help`."""
    sources = {
        each.registry.name: open_source(each.registry, invocation, is_offline=arguments.offline)
        for each in believed_registries(invocation, config=arguments.config, is_offline=arguments.offline)
    }
    git = None if arguments.offline else open_catalog(invocation).git
    pins = _wanted(arguments.what, sources, invocation)
    broken = 0
    for uses, pin in pins.items():
        if not arguments.json:
            _tell_head(uses, pin, invocation)
        for link in _links(uses, pin, sources, git):
            broken += link.standing == "broken"
            _tell(link, uses, arguments, invocation)
    if not arguments.json:
        what = "all of it holds" if not broken else f"{broken} check{'s' * (broken > 1)} failed"
        invocation.say(what if pins else "the lock pins nothing")
    return 1 if broken else 0


def _wanted(
    what: str | None, sources: Mapping[str, RegistrySource], invocation: Invocation
) -> Mapping[str, Pin]:
    if what is not None and "@" in what and not (invocation.folder / what).exists():
        return {what: _release(what, sources)}
    if what is not None:
        path = invocation.folder / Path(what).expanduser()
        try:
            return parse_lock(path.read_bytes(), what).pins
        except OSError as error:
            raise OperatorError(
                f"cannot read the lock {what}: {error.strerror}", remedy="name a lock, or NAME@VERSION"
            ) from error
    root = repository_root(invocation.folder)
    lock = load_lock(root) if root is not None else None
    if lock is None:
        raise OperatorError(f"there is no {LOCK_PATH} here", remedy="run 'windlass lock', or name a release")
    return lock.pins


def _release(what: str, sources: Mapping[str, RegistrySource]) -> Pin:
    """One release as if a lock pinned it, without a digest to compare."""
    name, _, text = what.partition("@")
    parts = name.split("/")
    host = parts.pop(0) if len(parts) == 3 else None
    try:
        version = str(Version.parse(text))
    except VersionError as error:
        raise WrongWords(str(error), remedy="name one release, as acme/train@1.2.0") from error
    full_name = "/".join(parts)
    having = [
        each
        for registry, each in sources.items()
        if (host is None or host == registry) and len(parts) == 2 and each.facts(full_name)
    ]
    if len(having) > 1:
        names = ", ".join(each.registry.name for each in having)
        raise OperatorError(f"several registries have '{full_name}': {names}", remedy="write one before it")
    source = having[0].registry.name if having else "builtin"
    return Pin(name=full_name, version=version, digest="", source=source)


def _links(
    uses: str, pin: Pin, sources: Mapping[str, RegistrySource], git: GitPackages | None
) -> Iterable[Link]:
    if pin.source == "builtin":
        return _of_builtin(pin)
    if pin.source in sources:
        return links_of(sources[pin.source], pin.name, pin.version or "", digest=pin.digest or None)
    if pin.version is None:
        return _of_git(uses, pin, git)
    text = f"no registry '{pin.source}' is known here: see 'windlass registry add'"
    return (Link(name="registry", standing="broken", text=text),)


def _of_git(uses: str, pin: Pin, git: GitPackages | None) -> Iterator[Link]:
    text = f"from git: the lock pins its content, {pin.digest[:19]}…; nobody signs for it"
    yield Link(name="git", standing="doubtful", text=text)
    try:
        ref = parse_uses(uses)
    except RefError:  # a lock that somebody wrote by hand
        return
    if git is not None and isinstance(ref, GitRef) and pin.commit is not None:
        moved = git.moved(ref, pin.commit, asks=True)
        if moved is not None:
            yield Link(name="tag", standing="broken", text=moved)


def _of_builtin(pin: Pin) -> Iterator[Link]:
    releases = load_builtin().releases(pin.name)
    same = [each for each in releases if str(each.version) == pin.version]
    if not same:
        there = ", ".join(str(each.version) for each in releases) or "none of that name"
        text = f"this Windlass brings {there}, not {pin.version}"
        yield Link(name="builtin", standing="broken", text=text)
    elif pin.digest and same[0].digest != pin.digest:
        text = f"this Windlass brings {same[0].digest}, the lock pins {pin.digest}"
        yield Link(name="builtin", standing="broken", text=text)
    else:
        yield Link(name="builtin", standing="sound", text="came with this Windlass")


def _tell_head(uses: str, pin: Pin, invocation: Invocation) -> None:
    paint = Paint(invocation.has_colour(invocation.out))
    digest = f"  {pin.digest[:19]}…" if pin.digest else ""
    invocation.print(f"{paint(uses, 'bold')} → {pin.name} {pin.version or ''}{digest}")


def _tell(link: Link, uses: str, arguments: Namespace, invocation: Invocation) -> None:
    if arguments.json:
        invocation.print_json({"uses": uses, **asdict(link)})
        return
    mark, colour = _MARKS[link.standing]
    paint = Paint(invocation.has_colour(invocation.out))
    invocation.print(f"  {paint(mark, colour)} {link.name:<10} {link.text}")
