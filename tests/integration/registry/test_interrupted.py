"""A registry whose process is killed at any step, that has no room, or that two processes change at once."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from registry_world import World, begin
from windlass_registry.archive import Entry, pack
from windlass_registry.errors import OperatorError
from windlass_registry.hosting import files
from windlass_registry.publication import Refused
from windlass_registry.store import Store
from windlass_registry.whole_files import write_whole


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = begin(tmp_path)
    world.publish()
    return world


def in_a_process(act: Callable[[], object]) -> int:
    """Do it in a process of its own; gives its exit status, as `os.waitpid` has it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except Refused:
            code = 2
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Do it in a process that is killed before its `step`th change of the disk; whether it came that far."""

    def doomed() -> None:
        left = step

        def count() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        fsync, rename, mkdir, unlink = os.fsync, Path.rename, Path.mkdir, Path.unlink
        os.fsync = lambda descriptor: (count(), fsync(descriptor))[1]  # type: ignore[assignment]
        Path.rename = lambda path, target: (count(), rename(path, target))[1]  # type: ignore[method-assign]
        Path.mkdir = lambda path, *a, **k: (count(), mkdir(path, *a, **k))[1]  # type: ignore[method-assign]
        Path.unlink = lambda path, *a, **k: (count(), unlink(path, *a, **k))[1]  # type: ignore[method-assign]
        replace = Path.replace
        Path.replace = lambda path, target: (count(), replace(path, target))[1]  # type: ignore[method-assign]
        act()

    status = in_a_process(doomed)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert status == 0
    return False


def versions(world: World, reader: str) -> list[str]:
    releases = world.source(reader).releases("acme/train")
    for release in releases:
        release.load()
    return [str(each.version) for each in releases]


def test_a_publication_that_is_killed_at_any_step_is_there_or_not(world: World) -> None:
    _, publication = world.draft(version="1.1.0", archive=pack(world.package(more="x")))
    whole = world.folder / "whole"
    (world.folder / "registry").rename(whole)
    steps, seen = 0, set()
    while True:
        shutil.rmtree(world.folder / "registry", ignore_errors=True)
        shutil.copytree(whole, world.folder / "registry")
        was_killed = killed_at(steps, lambda: world.registry.accept(publication))
        found = tuple(versions(world, f"reader-{steps}"))
        seen.add(found)
        assert found in ((("1.0.0",)), ("1.1.0", "1.0.0"))
        if found == ("1.0.0",):
            world.registry.accept(publication)  # the very same again
        else:
            with pytest.raises(Refused):
                world.registry.accept(publication)
        assert versions(world, f"again-{steps}") == ["1.1.0", "1.0.0"]
        assert not list((world.folder / "registry").rglob(".new-*"))
        if not was_killed:
            break
        steps += 1
    assert steps > 15
    assert len(seen) == 2


def test_a_refresh_that_is_killed_at_any_step_leaves_a_registry_that_is_believed(world: World) -> None:
    world.later(days=5)
    steps = 0
    while killed_at(steps, lambda: world.registry.refresh(is_forced=True)):
        assert versions(world, f"reader-{steps}") == ["1.0.0"]
        steps += 1
    world.later(days=6)
    assert versions(world, "late") == ["1.0.0"]


def test_a_fetch_that_is_killed_at_any_step_leaves_a_store_that_is_whole(world: World) -> None:
    steps = 0

    def fetch() -> None:
        (release,) = world.source().releases("acme/train")
        release.load()

    while killed_at(steps, fetch):
        store = world.folder / "reader" / "store" / "sha256"
        whole = [path for path in store.glob("*/*") if not path.name.startswith(".")]
        assert all((path / "action.yml").is_file() for path in whole)
        steps += 1
    assert steps > 5
    assert versions(world, "reader") == ["1.0.0"]


def test_a_full_disk_changes_nothing_and_says_so(world: World, small_disk: Path) -> None:
    shutil.move(world.folder / "registry", small_disk / "registry")
    (world.folder / "registry").symlink_to(small_disk / "registry")
    big = world.package()
    (big / "big").write_bytes(os.urandom(9 << 20))
    _, fits = world.draft(version="1.1.0", archive=pack(big))
    world.registry.accept(fits)
    (big / "big").write_bytes(os.urandom(9 << 20))
    _, too_much = world.draft(version="1.2.0", archive=pack(big))
    with pytest.raises(OperatorError, match="No space left") as caught:
        world.registry.accept(too_much)
    assert "nothing was changed" in (caught.value.remedy or "")
    assert [str(each.version) for each in world.source().releases("acme/train")] == ["1.1.0", "1.0.0"]
    (big / "big").unlink()
    _, small = world.draft(version="1.2.0", archive=pack(big))
    world.registry.accept(small)


def test_what_a_full_disk_cuts_off_leaves_nothing_on_it(small_disk: Path) -> None:
    store, too_much = Store(small_disk / "store"), os.urandom(64 << 20)
    with pytest.raises(OperatorError, match="No space left"):
        store.add_entries([Entry(name="action.yml"), Entry(name="big", content=too_much)], shown_as="big")
    with pytest.raises(OperatorError, match="No space left") as caught:
        write_whole(small_disk / "folder" / "lock.yaml", too_much)
    assert caught.value.remedy == "make room on the disk"
    assert [each.name for each in small_disk.rglob("*") if each.is_file()] == [".lock"]
    store.add_entries([Entry(name="action.yml", content=too_much[: 4 << 20])], shown_as="small")


def test_two_processes_that_publish_at_once_do_not_mix(world: World) -> None:
    def publish(version: str) -> None:
        for _ in range(20):
            try:
                world.publish(version=version)
                return
            except Refused as error:
                if error.why != "outdated":
                    raise
        os._exit(7)

    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                own = World(world.folder, now=world.now, root=world.root)
                own._made = 100 * (number + 1)
                world = own
                publish(f"2.{number}.0")
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
    assert versions(world, "reader") == ["2.3.0", "2.2.0", "2.1.0", "2.0.0", "1.0.0"]


def test_who_waits_for_the_lock_gets_it_when_its_holder_is_killed(world: World) -> None:
    ready, told = os.pipe()

    def hold() -> None:
        with files.locked(world.registry.folder / "private" / "lock"):
            os.write(told, b"x")
            time.sleep(60)

    child = os.fork()
    if child == 0:
        try:
            hold()
        finally:
            os._exit(0)
    os.read(ready, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert world.registry.refresh(is_forced=True)


def test_a_publication_over_a_lost_index_is_taken(world: World) -> None:
    (world.registry.folder / "index.json").unlink()
    world.publish(version="1.1.0")
    assert world.source().names() == ("acme/train",)


def test_a_reader_who_began_before_a_publication_reads_the_state_before_it(world: World) -> None:
    client = world.client()
    client.refresh()
    world.publish(version="1.1.0")
    found = client.namespace("acme")
    assert found is not None
    assert [str(each.version) for each in found.releases("acme/train")] == ["1.0.0"]


def test_a_registry_that_may_not_be_written_to_says_so(world: World) -> None:
    _, publication = world.draft(version="1.1.0")
    (world.registry.folder / "private" / "lock").unlink()
    (world.registry.folder / "private" / "lock").mkdir()
    with pytest.raises(OperatorError, match="cannot write to the registry"):
        world.registry.accept(publication)
