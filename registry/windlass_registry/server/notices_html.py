"""Security notices and what was measured, as a package's page shows them. Pure."""

from __future__ import annotations

from windlass_registry.advisories import SEVERITIES, Advisory
from windlass_registry.measurements import Measured, tell_measured
from windlass_registry.server.layout_html import NOTHING
from windlass_registry.server.markup import Html, fill, join
from windlass_registry.server.shown import ShownPackage, ShownRelease


def notices_html(shown: ShownPackage, *, base: str) -> Html:
    """The notices of the release that is shown, the worst first, each in a red box."""
    release = shown.release
    ordered = sorted(release.advisories, key=lambda each: (SEVERITIES.index(each.severity), each.at))
    return join(_notice(each, _way_out(shown), shown, base=base) for each in reversed(ordered))


def notice_mark(release: ShownRelease) -> Html:
    """The mark of a release in a list of releases."""
    if not release.advisories:
        return NOTHING
    return Html('<span class="mark danger">security notice</span>')


def measured_html(measured: Measured | None) -> Html:
    """The measured card: what the examples took on their publisher's machine."""
    if measured is None:
        return NOTHING
    return fill(
        '<span class="measured" title="Its publisher ran its {count}, and signed this">{rows}</span>',
        count="example" if measured.examples == 1 else f"{measured.examples} examples",
        rows=join(
            fill("<span>{title} <b>{text}</b></span>", title=title, text=text)
            for title, text in tell_measured(measured)
        ),
    )


def _notice(notice: Advisory, way_out: ShownRelease | None, shown: ShownPackage, *, base: str) -> Html:
    instead = (
        fill(
            ' Not affected: <a href="{base}{path}/{version}">{version}</a>.',
            base=base,
            path=shown.card.path,
            version=way_out.version,
        )
        if way_out is not None
        else Html(" No release is known that is not affected.")
    )
    return fill(
        '<section class="notice danger" id="{id}"><h2><span class="mark danger">{severity}</span>{title}</h2>'
        '<p class="text">{text}</p>'
        '<p class="quiet">Security notice {id} of {day}, for {versions}.{instead}</p></section>',
        id=notice.id,
        severity=notice.severity,
        title=notice.title,
        text=notice.text,
        day=f"{notice.at:%d %B %Y}",
        versions="all releases" if notice.versions == "all" else notice.versions,
        instead=instead,
    )


def _way_out(shown: ShownPackage) -> ShownRelease | None:
    """The newest release that one could take instead."""
    usable = (each for each in shown.releases if not each.advisories and each.yanked is None)
    return next(usable, None)
