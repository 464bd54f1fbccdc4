"""What a machine hears of releases that it has pinned: once an hour, and never at the price of a run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import registry_world
from registry_world import World
from windlass_registry.advisories import make_advisory
from windlass_registry.index import Release


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A release that a reader knows of, and a notice that came after they read."""
    made = registry_world.begin(tmp_path)
    facts = made.publish()
    assert len(made.source().releases("acme/train")) == 1
    notice = make_advisory(
        "acme/train", severity="high", title="Logs the token", text="x", versions="all", at=made.now
    )
    namespace = made.namespace()
    signed = made.signed(namespace, [replace(facts, advisories=(notice,))], made.signers(namespace))
    made.registry.accept(signed)
    return made


def news(world: World) -> Release:
    """What a process hears that begins now."""
    (release,) = world.source().news("acme/train")
    return release


def test_within_the_hour_nobody_is_asked(world: World) -> None:
    world.later(minutes=59)
    assert news(world).advisories == ()


def test_after_an_hour_a_notice_is_heard_and_kept(world: World) -> None:
    world.later(minutes=61)
    assert [one.title for one in news(world).advisories] == ["Logs the token"]
    (known,) = world.source().known("acme/train")
    assert known.advisories


def test_a_registry_that_is_gone_is_asked_once_an_hour_and_what_is_known_counts(world: World) -> None:
    hidden = world.folder / "elsewhere"
    world.later(minutes=61)
    shutil.move(world.folder / "registry", hidden)
    assert news(world).advisories == ()
    shutil.move(hidden, world.folder / "registry")
    assert news(world).advisories == ()  # another process: it was asked already
    world.later(minutes=61)
    assert news(world).advisories
