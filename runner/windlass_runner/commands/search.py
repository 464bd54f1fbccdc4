"""`windlass search`: packages of the registries that are believed here, and what is built in."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass search train
windlass search --kind sample
windlass info acme/train       # all about one
"""


def configure(parser: ArgumentParser) -> None:
    """What to look for."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="beginnings of words; all (everything)")
    parser.add_argument("--kind", choices=("action", "sample"), help="only these")
    parser.add_argument("--registry", metavar="NAME", help="only this one")
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """A line for each package, the best match first."""
    from windlass_registry.searching import search

    packages = _built_in() if arguments.registry is None else []
    packages += list(_published(arguments, invocation))
    found = search(packages, " ".join(arguments.words), kind=arguments.kind)
    if arguments.json:
        for package in found:
            invocation.print_json(package)
        return 0
    _print(found, invocation)
    if not found:
        invocation.say("nothing found; 'windlass registry list' tells where was looked")
    return 0


def _print(found: list[Mapping[str, Any]], invocation: Invocation) -> None:
    from windlass_runner.commands.paint import Paint, clip, tame

    paint = Paint(invocation.has_colour(invocation.out))
    names = [tame(f"{package['name']}@v{str(package['version']).partition('.')[0]}") for package in found]
    width = max(map(len, names), default=0)
    for package, name in zip(found, names, strict=True):
        marks = [str(package["badge"])] if package.get("badge") else []
        marks += [mark for mark in ("deprecated", "yanked") if package.get(mark)]
        marks += ["sample"] if package.get("kind") == "sample" else []
        shown = f" ({', '.join(marks)})" if marks else ""
        danger = f" (security notice: {tame(str(package['notice']))})" if package.get("notice") else ""
        room = max(20, invocation.width(invocation.out) - width - len(shown) - len(danger) - 12)
        summary = clip(tame(str(package.get("summary", ""))), room)
        version = f"{tame(str(package['version'])):<8}"
        marked = f"{paint(danger, 'red')}{paint(shown, 'dim')}"
        invocation.print(f"{paint(f'{name:<{width}}', 'bold')}  {version} {summary}{marked}")


def _built_in() -> list[Mapping[str, Any]]:
    from windlass_registry.samples.releases import BuiltinSamples
    from windlass_registry.sources.builtin import load_builtin

    actions, samples = load_builtin(), BuiltinSamples.installed()
    found: list[Mapping[str, Any]] = []
    for name in actions.names():
        release = actions.releases(name)[0]
        summary = release.load().manifest.description
        found.append(_entry(name, "action", str(release.version), summary))
    for name in samples.names():
        sample = samples.releases(name)[0]
        found.append(_entry(name, "sample", str(sample.version), sample.summary))
    return found


def _entry(name: str, kind: str, version: str, summary: str) -> dict[str, Any]:
    entry = {"name": name, "kind": kind, "version": version, "summary": summary, "badge": "official"}
    return {**entry, "registry": "builtin"}


def _published(arguments: Namespace, invocation: Invocation) -> Iterator[Mapping[str, Any]]:
    from windlass_runner.commands.registries import believed_registries, chosen_registry, open_source

    known = believed_registries(invocation, config=arguments.config)
    if arguments.registry is not None:
        known = (chosen_registry(arguments.registry, invocation, among=known),)
    for each in known:
        for package in open_source(each.registry, invocation).packages():
            if isinstance(package.get("name"), str) and isinstance(package.get("version"), str):
                yield {**package, "registry": each.registry.name}
