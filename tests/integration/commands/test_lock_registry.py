"""`windlass lock` against a registry in a folder: signed releases, a cool-down, a replaced archive."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from registry_world import World, begin
from windlass_registry.archive import pack
from windlass_registry.trust.client import root_digest

ACTION = "name: %s\nruns:\n  using: composite\n  steps:\n%s"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A registry that began two months ago."""
    return begin(tmp_path / "world", now=datetime.now(UTC) - timedelta(days=60))


def publish(world: World, name: str, version: str, *uses: str) -> None:
    steps = "".join(f"    - uses: {each}\n" for each in uses)
    text = ACTION % (f"{name} {version}", steps + "    - run: echo hello\n      shell: bash\n")
    archive = pack(world.package(name, manifest=text))
    world.publish(f"acme/{name}", version, archive=archive, uses=uses)


def pass_time(world: World, *, days: float) -> None:
    """Days go by, and the registry says again what is newest."""
    world.later(days=days)
    world.registry.refresh(is_forced=True)


def believed(project: Any, world: World) -> None:
    words = ["registry", "add", str(world.folder / "registry"), "--root", root_digest(world.root)]
    answer = project.windlass(*words)
    assert answer.code == 0, answer.err


def test_a_lock_of_signed_releases_from_the_first_pin_to_the_upgrade(project: Any, world: World) -> None:
    publish(world, "eval", "1.0.0")
    publish(world, "train", "1.0.0", "acme/eval@v1")
    pass_time(world, days=40)
    publish(world, "train", "1.1.0", "acme/eval@v1")
    pass_time(world, days=20)
    believed(project, world)
    project.workflow("jobs: {a: {steps: [{uses: 'acme/train@v1.0'}, {uses: 'acme/train@v1'}]}}\n")

    found = json.loads(project.windlass("lock", "--json").out)
    assert found["pinned"] == ["acme/eval@v1", "acme/train@v1", "acme/train@v1.0"]
    assert [(each["what"], each["to"]) for each in found["changes"]] == [
        ("acme/eval@v1", "1.0.0"),
        ("acme/train@v1", "1.1.0"),
        ("acme/train@v1.0", "1.0.0"),
    ]

    publish(world, "train", "1.2.0", "acme/eval@v1")
    upgraded = project.windlass("lock", "--upgrade")
    assert upgraded.code == 0, upgraded.err
    assert "held back: acme/train@v1: 1.2.0 is younger than the cool-down" in upgraded.err
    assert "is up to date" in upgraded.err
    told = json.loads(project.windlass("lock", "--upgrade", "acme/train", "--no-cool-down", "--json").out)
    (change,) = told["changes"]
    assert (change["what"], change["from"], change["to"]) == ("acme/train@v1", "1.1.0", "1.2.0")
    assert [each["version"] for each in change["releases"]] == ["1.2.0"]

    (world.folder / "registry").rename(world.folder / "away")
    assert project.windlass("validate").code == 0
    assert project.windlass("lock", "--check").code == 0


def test_an_archive_that_was_replaced_is_told_at_the_uses(project: Any, world: World) -> None:
    publish(world, "eval", "1.0.0")
    pass_time(world, days=60)
    believed(project, world)
    for archive in (world.folder / "registry" / "packages").rglob("*.tar"):
        archive.write_bytes(b"x" * archive.stat().st_size)
    project.workflow("jobs:\n  a:\n    steps: [{uses: acme/eval@v1}]\n")
    answer = project.windlass("validate")
    assert answer.code == 2
    place, _, said = answer.out.partition(": ")
    assert place == ".windlass/workflows/w.yaml:3:20"
    assert said.startswith("acme/eval 1.0.0 is not what its publisher signed")
    assert "it was replaced" in answer.out


def settings_of(project: Any, world: World, *more: str, digest: str | None = None) -> None:
    lines = ["[[registry]]", f'url = "{world.folder}/registry"', 'name = "ours"', *more]
    project.write("windlass.toml", "\n".join([*lines, f'root = "{digest or root_digest(world.root)}"', ""]))


def test_commands_look_into_the_registries_of_the_settings_beside(project: Any, world: World) -> None:
    publish(world, "eval", "1.0.0")
    pass_time(world, days=60)
    project.workflow("jobs: {a: {image: x, steps: [{uses: 'acme/eval@v1'}]}}\n")
    assert "unknown action 'acme/eval@v1'" in project.windlass("lock", "--json").err
    settings_of(project, world, 'namespaces = ["acme"]')
    assert json.loads(project.windlass("lock", "--json").out)["pinned"] == ["acme/eval@v1"]
    assert 'source: "ours"' in (project.root / ".windlass/lock.yaml").read_text()
    assert "acme/eval@v1" in project.windlass("search", "eval").out
    assert "eval 1.0.0  acme/eval 1.0.0 (ours)" in project.windlass("info", "acme/eval").out
    verified = project.windlass("verify")
    assert (verified.code, "all of it holds" in verified.err) == (0, True), verified.out
    assert "ours  " in project.windlass("registry", "list").out

    elsewhere = project.root / "deep"
    elsewhere.mkdir()
    assert "unknown action" in project.windlass("info", "acme/eval", folder=elsewhere).err
    named = project.windlass("info", "acme/eval", "--config", "../windlass.toml", folder=elsewhere)
    assert named.code == 0, named.err

    (world.folder / "registry").rename(world.folder / "away")
    assert project.windlass("validate").code == 0
    assert project.windlass("verify", "--offline").code == 0


def test_what_the_user_was_told_of_a_registry_counts_before_what_a_folder_says(
    project: Any, world: World
) -> None:
    publish(world, "eval", "1.0.0")
    pass_time(world, days=60)
    believed(project, world)
    settings_of(project, world, digest="sha256:" + "0" * 64)
    assert project.windlass("info", "acme/eval").code == 0
    project.windlass("registry", "remove", "registry")
    refused = project.windlass("info", "acme/eval")
    assert refused.code == 3
    assert "ask its owner for the digest by another way" in refused.err
