"""Copies of a registry: checked before they show anything, whole at every moment."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import registry_world
from integration.registry.served import serving
from registry_world import World
from windlass_registry.archive import pack
from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_registry.hosting.mirror import Mirrored, mirror
from windlass_registry.releases import ReleaseFacts
from windlass_registry.trust.client import TrustError
from windlass_registry.trust.transport import FolderTransport, Transport, open_transport


@pytest.fixture
def world(tmp_path: Path) -> World:
    return registry_world.begin(tmp_path)


def copy(
    world: World,
    source: Transport | None = None,
    *,
    wanted: Callable[[ReleaseFacts], bool] = lambda facts: True,
) -> Mirrored:
    return mirror(
        source or open_transport(str(world.folder / "registry")),
        world.folder / "mirror",
        root=world.root,
        cache=world.folder / "mirror-cache",
        clock=world.clock,
        wanted=wanted,
    )


def versions(world: World, reader: str) -> list[str]:
    source = world.source(reader, address=world.folder / "mirror")
    return [str(release.version) for release in source.releases("acme/train")]


def test_a_copy_is_read_as_the_registry_itself(world: World) -> None:
    world.publish(version="1.0.0")
    made = copy(world)
    assert (made.packages, made.fetched) == (1, 1)
    (release,) = world.source("far", address=world.folder / "mirror").releases("acme/train")
    assert release.load().manifest.name == "Train"
    assert not (world.folder / "mirror" / "private").exists()


def test_a_copy_over_http_is_the_same(world: World) -> None:
    world.publish()
    with serving(world) as served:
        assert copy(world, open_transport(served.address)).fetched == 1
    assert versions(world, "far") == ["1.0.0"]


def test_what_is_there_is_not_fetched_again(world: World) -> None:
    world.publish(version="1.0.0")
    copy(world)
    world.publish(version="1.1.0", archive=pack(world.package(more="x")))
    made = copy(world)
    assert (made.packages, made.fetched) == (2, 1)
    assert versions(world, "far") == ["1.1.0", "1.0.0"]


def test_an_older_state_is_not_copied(world: World) -> None:
    world.publish(version="1.0.0")
    old = world.copy("old")
    world.publish(version="1.1.0")
    copy(world)
    with pytest.raises(TrustError):
        copy(world, open_transport(str(old)))
    assert versions(world, "far") == ["1.1.0", "1.0.0"]


def test_a_replaced_archive_is_not_copied_and_the_copy_stays_as_it_was(world: World) -> None:
    world.publish(version="1.0.0")
    copy(world)
    facts = world.publish(version="1.1.0", archive=pack(world.package(more="x")))
    digest = facts.digest.removeprefix("sha256:")
    place = world.folder / "registry" / "packages" / "sha256" / digest[:2] / f"{digest[2:]}.tar"
    place.write_bytes(place.read_bytes()[:-1] + b"!")
    with pytest.raises(OperatorError, match="it was replaced"):
        copy(world)
    assert versions(world, "far") == ["1.0.0"]


def test_only_what_is_wanted_is_copied_and_the_rest_is_told_as_missing(world: World) -> None:
    world.grant("other")
    world.publish(version="1.0.0")
    world.publish("other/tool", "1.0.0", archive=pack(world.package("tool", more="y")))
    made = copy(world, wanted=lambda facts: facts.name.startswith("acme/"))
    assert (made.packages, made.left_out) == (1, 1)
    source = world.source("far", address=world.folder / "mirror")
    (release,) = source.releases("other/tool")
    with pytest.raises(TrustError, match="a mirror that is incomplete"):
        release.load()


class Breaking:
    """A source that stops answering after so many files."""

    def __init__(self, folder: Path, files: int) -> None:
        self._inner = FolderTransport(folder)
        self._left = files
        self.address = self._inner.address

    def chunks(self, path: str) -> Iterator[bytes]:
        content = list(self._inner.chunks(path))  # a missing file is no answer that counts
        if self._left == 0:
            raise UpstreamError("cut off")
        self._left -= 1
        yield from content


def test_cut_off_anywhere_the_copy_shows_the_old_state_or_the_new_one(world: World) -> None:
    world.publish(version="1.0.0")
    copy(world)
    before = world.folder / "before"
    shutil.copytree(world.folder / "mirror", before)
    world.publish(version="1.1.0", archive=pack(world.package(more="x")))
    world.publish(version="1.2.0", archive=pack(world.package(more="y")))
    for files in range(30):
        shutil.rmtree(world.folder / "mirror")
        shutil.copytree(before, world.folder / "mirror")
        try:
            copy(world, Breaking(world.folder / "registry", files))
        except WindlassError:
            assert versions(world, f"reader-{files}") == ["1.0.0"]
        else:
            assert versions(world, f"reader-{files}") == ["1.2.0", "1.1.0", "1.0.0"]
            break
    else:
        raise AssertionError("it never came to its end")


def test_a_folder_that_is_no_registry_is_told_so(world: World, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UpstreamError, match=r"lacks metadata/timestamp\.json"):
        copy(world, open_transport(str(tmp_path / "empty")))
