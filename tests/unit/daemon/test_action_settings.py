"""`[actions]` of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass_runner.daemon.settings import parse_settings
from windlass_runner.daemon.toml_reader import SettingsError


def node_images(text: str) -> dict[str, str]:
    settings = parse_settings(text, path=Path("windlass.toml"), environ={})
    return dict(settings.actions.node_images)


def test_one_image_serves_all_javascript_actions_or_each_kind_has_its_own() -> None:
    assert node_images("") == {}
    assert node_images('[actions]\nnode_image = "n:1"') == dict.fromkeys(
        ("node12", "node16", "node20", "node24"), "n:1"
    )
    assert node_images('[actions]\nnode_image.node20 = "n:20"') == {"node20": "n:20"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[actions]\nnode_image.node18 = "x"', "unknown key 'node18' in [actions.node_image]"),
        ("[actions]\nnode_image = 3", "'actions.node_image' must be a table, not 3"),
        ('[actions]\nnode = "x"', "unknown key 'node' in [actions]; known here: node_image"),
        ('[actions]\nnode_image = ""', "'actions.node_image'"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        node_images(text)
    assert problem in str(caught.value)
    assert "windlass.toml:2:" in str(caught.value)
