"""`[actions]` of the settings: where actions run that bring no image of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from windlass_runner.daemon.toml_reader import Section
from windlass_runner.plan.steps import NODE_IMAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSettings:
    """What the owner of the machine decides about actions."""

    node_images: Mapping[str, str] = field(default_factory=dict)
    """Images of JavaScript actions by their `runs.using`; those not listed have the program's own."""


def read_actions(root: Section) -> ActionSettings:
    """`node_image` is one image for all, or a table of them: `node_image.node20 = "…"`."""
    section = root.table("actions")
    if isinstance(section.data.get("node_image"), str):
        images = dict.fromkeys(NODE_IMAGES, section.text("node_image") or "")
    else:
        table = section.table("node_image")
        images = {using: image for using in NODE_IMAGES if (image := table.text(using))}
        table.finish()
    section.finish()
    return ActionSettings(node_images=images)
