"""`index.json`: names and summaries, for searching. Generated from what is signed; trusted by nobody."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from windlass_registry.advisories import worst
from windlass_registry.releases import ReleaseFacts, format_time, newest_of
from windlass_registry.trust import roles
from windlass_registry.trust.hosted import HostedRoles


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchIndex:
    """What the index says, by full name of a package."""

    snapshot: int
    """The version of the snapshot that it was made of."""
    packages: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls, content: bytes | None, state: HostedRoles) -> SearchIndex:
        """The index as it is stored, or a new one where it is missing, damaged or of another state."""
        try:
            value = json.loads(content or b"")
            if value["snapshot"] == state.snapshot.version:
                return cls(
                    snapshot=value["snapshot"], packages={each["name"]: each for each in value["packages"]}
                )
        except (ValueError, KeyError, TypeError):
            pass
        return cls(snapshot=0, packages={}).updated(state, state.namespaces())

    def names(self) -> frozenset[str]:
        """Every package of the registry."""
        return frozenset(self.packages)

    def updated(self, state: HostedRoles, namespaces: Collection[str]) -> SearchIndex:
        """The index of a state in which these namespaces have changed."""
        badges = roles.badges_of(state.targets)
        packages: dict[str, Mapping[str, Any]] = {
            name: {**each, "badge": badges.get(name.partition("/")[0])}
            for name, each in self.packages.items()
        }
        for namespace in namespaces:
            packages.update(_of_namespace(namespace, state, badges.get(namespace)))
        return replace(self, snapshot=state.snapshot.version, packages=packages)

    def to_bytes(self) -> bytes:
        """The file's content."""
        listed = [self.packages[name] for name in sorted(self.packages)]
        value = {"snapshot": self.snapshot, "packages": listed}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _of_namespace(namespace: str, state: HostedRoles, badge: str | None) -> dict[str, Mapping[str, Any]]:
    role = state.role(roles.releases_role(namespace))
    found: dict[str, list[ReleaseFacts]] = {}
    for facts in roles.releases_of(role).values() if role is not None else ():
        found.setdefault(facts.name, []).append(facts)
    return {name: _package(releases, badge) for name, releases in found.items()}


def _package(releases: list[ReleaseFacts], badge: str | None) -> dict[str, Any]:
    releases.sort(key=lambda facts: facts.version, reverse=True)
    newest = newest_of(releases)
    notice = worst(newest.advisories)
    return {
        "name": newest.name,
        "kind": newest.kind,
        "summary": newest.summary,
        "picture": newest.picture or None,
        "version": str(newest.version),
        "published": format_time(newest.published),
        "versions": len(releases),
        "yanked": newest.yanked is not None,
        "deprecated": newest.deprecated is not None,
        "notice": notice.severity if notice is not None else None,
        "badge": badge,
    }
