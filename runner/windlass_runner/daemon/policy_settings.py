"""`[policy]` of the settings: which actions and images the owner of the machine lets run."""

from __future__ import annotations

from typing import Final

from windlass_registry.advisories import SEVERITIES, severity_of
from windlass_registry.policy import Policy
from windlass_runner.daemon.toml_reader import Section

GIT_ADDRESSES: Final = ("https://", "ssh://")
"""Where actions may come from by default. Not from this machine's own disk: other people's repositories lie
there too."""


def read_policy(section: Section) -> Policy:
    """What is not said is allowed."""
    namespaces = section.texts("namespaces") if "namespaces" in section.data else None
    images = section.texts("image_registries") if "image_registries" in section.data else None
    yanked = section.choice("yanked", ("warn", "refuse"))
    moved = section.choice("moved_tags", ("warn", "refuse"))
    severity = section.choice("refuse_advisories", SEVERITIES)
    policy = Policy(
        namespaces=None if namespaces is None else frozenset(namespaces),
        require_signatures=section.flag("require_signatures") or False,
        image_registries=images,
        git_sources=_git_sources(section),
        require_lock=section.flag("require_lock") or False,
        moved_tags="refuse" if moved == "refuse" else "warn",
        yanked="refuse" if yanked == "refuse" else "warn",
        refuse_advisories=severity_of(severity),
    )
    section.finish()
    return policy


def _git_sources(section: Section) -> tuple[str, ...]:
    """true, false, or the beginnings of addresses; `github.com/acme` stands for its full address."""
    if isinstance(section.data.get("git_sources"), bool):
        return GIT_ADDRESSES if section.flag("git_sources") else ()
    if "git_sources" not in section.data:
        return GIT_ADDRESSES
    return tuple(each if "://" in each else f"https://{each}" for each in section.texts("git_sources"))
