"""New releases and security notices as a feed (Atom, RFC 4287), and a package's badge for a README. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from windlass_registry.advisories import Advisory
from windlass_registry.releases import ReleaseFacts, format_time
from windlass_registry.server.markup import Html, fill, join

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_CHAR: Final = 7


def atom(title: str, releases: Iterable[ReleaseFacts], *, url: str, path: str) -> str:
    """The feed of these releases, newest first. `url` is the registry's, `path` the page's below it."""
    known = list(releases)
    listed = sorted(known, key=lambda facts: facts.published, reverse=True)[:50]
    notices = {notice.id: (notice, facts) for facts in known for notice in facts.advisories}
    newest = max(
        (*(facts.published for facts in listed), *(notice.at for notice, _ in notices.values())),
        default=_EPOCH,
    )
    return fill(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>{title}</title>'
        '<id>{url}{path}</id><link href="{url}{path}"/><updated>{updated}</updated>{entries}</feed>\n',
        title=title,
        url=url,
        path=path,
        updated=format_time(newest),
        entries=join(
            (
                *(_notice(notice, facts, url=url) for notice, facts in notices.values()),
                *(_entry(facts, url=url) for facts in listed),
            )
        ),
    )


def _notice(notice: Advisory, facts: ReleaseFacts, *, url: str) -> Html:
    """A notice once, however many releases it is about; one that was taken back is no more in the feed."""
    return fill(
        "<entry><title>Security notice ({severity}): {name} {versions}: {title}</title>"
        "<id>{url}/{path}#{id}</id><link href='{url}/{release}#{id}'/><updated>{at}</updated>"
        "<author><name>{who}</name></author><content type='text'>{text}</content></entry>",
        severity=notice.severity,
        name=facts.name,
        versions=notice.versions,
        title=notice.title,
        url=url,
        path=facts.name,
        release=facts.path,
        id=notice.id,
        at=format_time(notice.at),
        who=facts.namespace,
        text=notice.text,
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
