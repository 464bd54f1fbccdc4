"""`windlass info`: one action: what it takes and gives, its releases, and who vouches for it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

if TYPE_CHECKING:
    from windlass_registry.index import Release
    from windlass_registry.manifest import ActionManifest

EXAMPLE = """
windlass info python
windlass info acme/train@v1 --json
"""


def configure(parser: ArgumentParser) -> None:
    """Which one."""
    parser.add_argument("action", metavar="NAME[@VERSION]", help="an action, as in `uses`")
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Its newest release in the range, in full; the others a line each."""
    from windlass_registry.catalog import Catalog
    from windlass_registry.errors import OperatorError
    from windlass_registry.refs import RefError, RegistryRef, parse_uses
    from windlass_registry.sources.builtin import load_builtin
    from windlass_registry.versions import VersionRange
    from windlass_runner.commands.registries import open_registries

    name, _, version = arguments.action.partition("@")
    try:
        ref = parse_uses(f"{name}@{version or 'v1'}")
    except RefError as error:
        raise OperatorError(str(error)) from error
    if not isinstance(ref, RegistryRef):
        raise OperatorError(f"'{name}' lies in no registry", remedy="read its folder's README")
    catalog = Catalog(builtin=load_builtin(), registries=open_registries(invocation, config=arguments.config))
    try:
        releases = list(catalog.releases(ref))
    except RefError as error:
        raise OperatorError(error.message, remedy=error.remedy or f"windlass search {name}") from error
    allowed = ref.version if version and isinstance(ref.version, VersionRange) else None
    if allowed is not None:
        fitting = [release for release in releases if allowed.contains(release.version)]
    else:
        fitting = [release for release in releases if not release.is_yanked] or releases
    if not fitting:
        there = ", ".join(str(release.version) for release in releases[:10])
        raise OperatorError(f"no release of '{name}' matches '{version}'", remedy=f"there are: {there}")
    manifest = fitting[0].load().manifest
    if arguments.json:
        invocation.print_json(_facts(fitting[0], manifest, releases))
    else:
        _print(fitting[0], manifest, releases, invocation)
    return 0


def _print(
    release: Release, manifest: ActionManifest, releases: list[Release], invocation: Invocation
) -> None:
    from windlass_registry.measurements import tell_measured
    from windlass_runner.commands.paint import Paint, tame

    paint = Paint(invocation.has_colour(invocation.out))
    uses = f"{release.name}@v{release.version.major}"
    invocation.print(
        f"{paint(tame(manifest.name), 'bold')}  {release.name} {release.version} ({release.source})"
    )
    invocation.print(tame(manifest.description))
    for notice in release.advisories:
        invocation.print(paint(tame(notice.line()), "red"))
        for line in notice.text.splitlines():
            invocation.print(f"  {tame(line)}".rstrip())
    if release.yanked is not None:
        invocation.print(paint(f"yanked: {tame(release.yanked)}", "red"))
    if release.deprecated is not None:
        invocation.print(paint(f"deprecated: use {tame(release.deprecated)}", "yellow"))
    invocation.print(f"\n  uses: {uses}\n")
    for title, rows in (("inputs", _inputs(manifest)), ("outputs", _outputs(manifest))):
        width = max((len(name) for name, _ in rows), default=0)
        if rows:
            invocation.print(f"{title}:")
        for name, about in rows:
            invocation.print(f"  {name:<{width}}  {tame(about)}".rstrip())
    for number, line in enumerate(_jobs(manifest)):
        invocation.print(f"jobs:\n  {tame(line)}" if number == 0 else f"  {tame(line)}")
    if release.measured is not None:
        told = ", ".join(f"{title} {text}" for title, text in tell_measured(release.measured))
        invocation.print(f"measured: {told}")
    invocation.print(f"{release.digest}")
    for one in releases[:10]:
        day = f"  {one.published:%Y-%m-%d}" if one.published is not None else ""
        mark = "  yanked" if one.is_yanked else "  deprecated" if one.deprecated else ""
        note = tame(one.notes.partition("\n")[0])
        danger = paint("  security notice", "red") if one.advisories else ""
        invocation.print(f"  {one.version!s:<10}{day}{danger}{paint(mark, 'yellow')}  {note}".rstrip())


def _inputs(manifest: ActionManifest) -> list[tuple[str, str]]:
    rows = []
    for one in manifest.inputs.values():
        kind = " | ".join(map(str, one.options)) or one.type or "text"
        need = (
            "required"
            if one.required
            else f"default {one.default}"
            if one.default is not None
            else "optional"
        )
        rows.append((one.name, f"{one.description} ({kind}, {need})".strip()))
    return rows


def _jobs(manifest: ActionManifest) -> list[str]:
    """The jobs of a graph, each after those that it needs; none of any other action."""
    from windlass_registry.manifest import GraphRuns
    from windlass_runner.workflow.graph import order
    from windlass_runner.workflow.graphs import inspect_graph

    graph = inspect_graph(manifest.runs).graph if isinstance(manifest.runs, GraphRuns) else None
    if graph is None:
        return []
    jobs = graph.workflow.jobs
    lines = []
    for name in order({job.id: job.needs for job in jobs.values()}):
        job = jobs[name]
        what = job.uses or f"{len(job.steps)} {'step' if len(job.steps) == 1 else 'steps'}"
        needs = f"  needs {', '.join(job.needs)}" if job.needs else ""
        lines.append(f"{name}  {what}{needs}")
    return lines


def _outputs(manifest: ActionManifest) -> list[tuple[str, str]]:
    return [(one.name, one.description) for one in manifest.outputs.values()]


def _facts(release: Release, manifest: ActionManifest, releases: list[Release]) -> dict[str, Any]:
    from windlass_registry.measurements import measured_to_json

    return {
        "name": release.name,
        "title": manifest.name,
        "description": manifest.description,
        "version": str(release.version),
        "digest": release.digest,
        "source": release.source,
        "yanked": release.yanked,
        "deprecated": release.deprecated,
        "advisories": _notices(release),
        "measured": None if release.measured is None else measured_to_json(release.measured),
        "uses": f"{release.name}@v{release.version.major}",
        "inputs": {
            one.name: {
                "description": one.description,
                "type": one.type,
                "required": one.required,
                "default": one.default,
                "options": list(one.options),
            }
            for one in manifest.inputs.values()
        },
        "outputs": {one.name: one.description for one in manifest.outputs.values()},
        "jobs": _jobs(manifest),
        "releases": [
            {
                "version": str(one.version),
                "digest": one.digest,
                "yanked": one.yanked,
                "notes": one.notes,
                "advisories": [each.id for each in one.advisories],
            }
            for one in releases
        ],
    }


def _notices(release: Release) -> list[Mapping[str, Any]]:
    from windlass_registry.advisories import advisory_to_json
    from windlass_registry.releases import format_time

    return [advisory_to_json(each, format_time(each.at)) for each in release.advisories]
