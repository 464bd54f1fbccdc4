"""Packages as the API tells them: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from windlass_registry.advisories import advisory_to_json
from windlass_registry.measurements import measured_to_json
from windlass_registry.releases import ReleaseFacts, format_time, newest_of
from windlass_registry.server.accounts import Fetched


def package_view(
    releases: Sequence[ReleaseFacts], *, badge: str | None, counts: Iterable[Fetched]
) -> dict[str, Any]:
    """One package: its releases (newest first), and how often they were fetched."""
    newest = newest_of(releases)
    counted = list(counts)
    return {
        "name": newest.name,
        "kind": newest.kind,
        "summary": newest.summary,
        "badge": badge,
        "version": str(newest.version),
        "uses": f"{newest.name}@v{newest.version.major}",
        "downloads": sum(one.count for one in counted),
        "subscribers": sum(one.count for one in counted if one.purpose == "subscribe"),
        "releases": [
            {
                **_release(facts),
                "downloads": sum(one.count for one in counted if one.version == str(facts.version)),
            }
            for facts in releases
        ],
    }


def _release(facts: ReleaseFacts) -> dict[str, Any]:
    deprecated = facts.deprecated
    return {
        "version": str(facts.version),
        "digest": facts.digest,
        "size_bytes": facts.size_bytes,
        "published": format_time(facts.published),
        "summary": facts.summary,
        "notes": facts.notes,
        "uses": list(facts.uses),
        "statement": facts.statement,
        "yanked": facts.yanked.reason if facts.yanked is not None else None,
        "deprecated": None
        if deprecated is None
        else {"successor": deprecated.successor, "reason": deprecated.reason},
        "advisories": [advisory_to_json(each, format_time(each.at)) for each in facts.advisories],
        "measured": None if facts.measured is None else measured_to_json(facts.measured),
    }
