"""`windlass samples`: sample workflows to subscribe to; with a name, all about one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

if TYPE_CHECKING:
    from windlass_registry.samples.manifest import SampleManifest
    from windlass_registry.samples.releases import SampleRelease
    from windlass_registry.samples.subscriptions import Subscription

EXAMPLE = """
windlass samples                # what there is
windlass samples classify       # one of them: parameters, licence, agreement
windlass subscribe classify@v1 --param epochs=5
"""


def configure(parser: ArgumentParser) -> None:
    """All, or one."""
    parser.add_argument("sample", nargs="?", metavar="NAME[@VERSION]", help="show this one")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """A line for each sample, or one of them in full."""
    from windlass_registry.samples.releases import find_sample
    from windlass_runner.commands.sample_sources import look_up_sample, sample_sources

    if arguments.sample is not None:
        _show(look_up_sample(arguments.sample, invocation), invocation, as_json=arguments.json)
        return 0
    sources = sample_sources(invocation)
    names = sorted({name for source in sources for name in source.names()})
    releases = [find_sample(name, sources) for name in names]
    subscribed = _subscribed(invocation)
    news = _updates(subscribed, invocation)
    if arguments.json:
        for release in releases:
            invocation.print_json(
                {**_facts(release, subscribed), "updates": _named(release, subscribed, news)}
            )
        return 0
    _print_list(releases, subscribed, news, invocation)
    return 0


def _updates(subscribed: dict[str, Subscription], invocation: Invocation) -> dict[str, SampleRelease]:
    """The newer release that each subscription could take, in the range that it was made with."""
    from windlass_registry.errors import AuthorError
    from windlass_runner.commands.sample_sources import newer_release

    found: dict[str, SampleRelease] = {}
    for name, one in subscribed.items():
        try:
            release = newer_release(one, invocation)
        except AuthorError:  # its sample is gone; what was written works on
            continue
        if release is not None:
            found[name] = release
    return found


def _named(
    release: SampleRelease, subscribed: dict[str, Subscription], news: dict[str, SampleRelease]
) -> list[dict[str, str]]:
    return [
        {"name": name, "from": subscribed[name].version, "to": str(newer.version)}
        for name, newer in news.items()
        if newer.name == release.name
    ]


def _print_list(
    releases: list[SampleRelease],
    subscribed: dict[str, Subscription],
    news: dict[str, SampleRelease],
    invocation: Invocation,
) -> None:
    from windlass_runner.commands.paint import Paint, clip, tame

    paint = Paint(invocation.has_colour(invocation.out))
    width = max((len(release.name) for release in releases), default=0)
    room = invocation.width(invocation.out) - width - 12
    for release in releases:
        is_mine = any(one.sample.partition("@")[0] == release.name for one in subscribed.values())
        mark = " subscribed" if is_mine else ""
        summary = clip(tame(release.summary), max(20, room - len(mark)))
        version = f"{release.version!s:<8}"
        invocation.print(
            f"{paint(f'{release.name:<{width}}', 'bold')}  {version} {summary}{paint(mark, 'green')}"
        )
    for name, newer in news.items():
        old = subscribed[name].version
        invocation.print(f"update  {name}: {old} → {newer.version}  (windlass subscribe --update {name})")
    invocation.say("")
    invocation.say(
        "'windlass samples NAME' tells more, 'windlass subscribe NAME' brings one into this repository"
    )


def _show(release: SampleRelease, invocation: Invocation, *, as_json: bool) -> None:
    from windlass_runner.commands.paint import Paint, tame

    sample = release.load()
    manifest = sample.manifest
    if as_json:
        facts = _facts(release, _subscribed(invocation))
        facts["parameters"] = dict(manifest.parameters.schema)
        facts["agreement"] = manifest.agreement
        facts["files"] = sorted(sample.files)
        invocation.print_json(facts)
        return
    paint = Paint(invocation.has_colour(invocation.out))
    invocation.print(
        f"{paint(tame(manifest.title), 'bold')}  {release.name} {release.version} ({release.source})"
    )
    invocation.print(tame(manifest.description))
    invocation.print(
        f"licence: {tame(manifest.license)}" + (f", by {tame(manifest.author)}" if manifest.author else "")
    )
    for line in _parameter_table(manifest):
        invocation.print(line)
    if sample.files:
        invocation.print("\nfiles: " + ", ".join(tame(path) for path in sorted(sample.files)))
    if manifest.agreement:
        invocation.print("\nagreement, to be accepted:\n" + tame(manifest.agreement).rstrip())


def _parameter_table(manifest: SampleManifest) -> list[str]:
    from windlass_registry.samples.filling import as_text
    from windlass_runner.commands.paint import tame

    form = manifest.parameters.form()
    if not form:
        return []
    width = max(len(one.name) for one in form)
    lines = ["", "parameters:"]
    for one in form:
        kind = " | ".join(as_text(choice) for choice in one.choices) or one.type
        default = (
            "required"
            if one.is_required and one.default is None
            else f"default {as_text(one.default) or '—'}"
        )
        lines.append(
            f"  {one.name:<{width}}  {tame(one.description or one.title)} ({tame(kind)}, {tame(default)})"
        )
    return lines


def _facts(release: SampleRelease, subscribed: dict[str, Subscription]) -> dict[str, Any]:
    here = [name for name, one in subscribed.items() if one.sample.partition("@")[0] == release.name]
    return {
        "name": release.name,
        "version": str(release.version),
        "digest": release.digest,
        "source": release.source,
        "summary": release.summary,
        "subscribed": here,
    }


def _subscribed(invocation: Invocation) -> dict[str, Subscription]:
    from windlass_registry.samples.subscriptions import load_subscriptions
    from windlass_runner.commands.context import repository_root

    root = repository_root(invocation.folder)
    return {} if root is None else load_subscriptions(root)
