from __future__ import annotations

from pathlib import Path

import pytest

from registry_world import World, begin
from windlass_runner.commands.registry_check import check_own


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = begin(tmp_path)
    world.publish()
    return world


def test_a_registry_that_is_fine_says_until_when(world: World) -> None:
    check = check_own(world.registry, world.now)
    assert check.state == "ok"
    assert "1 namespace; 'targets' is signed until 2028-02-29" in check.text


def test_looking_at_it_signs_anew_what_is_due(world: World) -> None:
    world.later(days=30)
    assert check_own(world.registry, world.now).state == "ok"
    assert world.source().releases("acme/train")


def test_who_has_to_go_to_a_safe_hears_of_it_before(world: World) -> None:
    world.later(days=2 * 365 - 60)
    check = check_own(world.registry, world.now)
    assert (check.state, check.remedy) == ("warn", "with its owner's keys: windlass registry rekey")
    world.later(days=61)
    assert check_own(world.registry, world.now).state == "fail"


def test_a_registry_whose_online_key_is_away_runs_out(world: World) -> None:
    for path in world.registry.keys.folder.glob("*.key"):
        path.unlink()
    world.later(days=8)
    check = check_own(world.registry, world.now)
    assert (check.state, check.remedy) == ("fail", "windlass registry refresh")


def test_a_private_folder_that_others_can_read_is_told(world: World) -> None:
    world.registry.keys.folder.chmod(0o755)
    check = check_own(world.registry, world.now)
    assert check.state == "fail"
    assert "chmod 700" in (check.remedy or "")


def test_a_registry_that_lost_a_file_says_which(world: World) -> None:
    (world.registry.folder / "metadata" / "1.acme.json").unlink()
    check = check_own(world.registry, world.now)
    assert check.state == "fail"
    assert "1.acme.json" in check.text
