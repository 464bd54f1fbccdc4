"""New releases as a feed (Atom, RFC 4287), and a package's newest version as a badge for a README. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from windlass_registry.releases import ReleaseFacts, format_time
from windlass_registry.server.markup import Html, fill, join

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_CHAR: Final = 7


def atom(title: str, releases: Iterable[ReleaseFacts], *, url: str, path: str) -> str:
    """The feed of these releases, newest first. `url` is the registry's, `path` the page's below it."""
    listed = sorted(releases, key=lambda facts: facts.published, reverse=True)[:50]
    newest = listed[0].published if listed else _EPOCH
    return fill(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>{title}</title>'
        '<id>{url}{path}</id><link href="{url}{path}"/><updated>{updated}</updated>{entries}</feed>\n',
        title=title,
        url=url,
        path=path,
        updated=format_time(newest),
        entries=join(_entry(facts, url=url) for facts in listed),
    )


def _entry(facts: ReleaseFacts, *, url: str) -> Html:
    what = f"Yanked: {facts.yanked.reason}" if facts.yanked is not None else facts.notes or facts.summary
    return fill(
        "<entry><title>{name} {version}</title><id>{url}/{path}#{digest}</id>"
        "<link href='{url}/{path}'/>"
        "<updated>{at}</updated><author><name>{who}</name></author>"
        "<content type='text'>{what}</content></entry>",
        name=facts.name,
        version=facts.version,
        url=url,
        path=facts.path,
        digest=facts.digest,
        at=format_time(facts.yanked.at if facts.yanked is not None else facts.published),
        who=facts.name.partition("/")[0],
        what=what,
    )


def badge_svg(name: str, version: str) -> str:
    """A small picture: the package, and its newest version."""
    left, right = len(name) * _CHAR + 12, len(version) * _CHAR + 14
    return fill(
        '<svg xmlns="http://www.w3.org/2000/svg" width="{all}" height="20" role="img"'
        ' aria-label="{name}: {version}">'
        '<rect width="{all}" height="20" rx="3" fill="#444"/>'
        '<path d="M{left} 0h{inner}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{inner}z" fill="#0969da"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        '<text x="6" y="14">{name}</text><text x="{x}" y="14">{version}</text></g></svg>',
        all=left + right,
        left=left,
        inner=right - 3,
        name=name,
        version=version,
        x=left + 7,
    )
