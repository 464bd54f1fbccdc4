"""Facts that were believed once are read again without their lists, as long as nothing changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from registry_world import World, begin
from windlass_registry.facts_book import FactsBook
from windlass_registry.releases import ReleaseFacts, Yank
from windlass_registry.trust.client import Namespace
from windlass_registry.versions import Version

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


def facts(name: str, version: str, **changes: Any) -> ReleaseFacts:
    made = ReleaseFacts(
        name=name,
        version=Version.parse(version),
        digest="sha256:" + "a" * 64,
        size_bytes=7,
        summary="tab\\tand ümlaut",
        uses=("acme/b@v1",),
        published=NOW,
        notes="one\n\ttwo",
        statement="sha256:" + "b" * 64,
    )
    return replace(made, **changes)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return begin(tmp_path)


def test_what_is_written_is_read_newest_first(tmp_path: Path) -> None:
    old, new = facts("acme/a", "1.9.0"), facts("acme/a", "1.10.0", yanked=Yank(reason="x", at=NOW))
    FactsBook.save(tmp_path / "book", [old, new, facts("acme/b", "1.0.0")], key="1 2", until=LATER)
    book = FactsBook.load(tmp_path / "book", key="1 2", now=NOW)
    assert book is not None
    assert book.names() == ("acme/a", "acme/b")
    assert list(book.facts("acme/a")) == [new, old]
    assert book.facts("acme/a")[-1:] == (old,)
    assert len(book.facts("acme/c")) == 0


def test_a_book_of_other_lists_or_out_of_date_or_torn_is_none(tmp_path: Path) -> None:
    path = tmp_path / "book"
    assert FactsBook.load(path) is None
    FactsBook.save(path, [facts("acme/a", "1.0.0")], key="1 2", until=LATER)
    assert FactsBook.load(path, key="1 3") is None
    assert FactsBook.load(path, key="1 2", now=LATER) is None
    assert FactsBook.load(path) is not None
    path.write_bytes(path.read_bytes()[:-2])
    assert FactsBook.load(path) is None
    path.write_bytes(b"\xff\n\nend")
    assert FactsBook.load(path) is None


def test_a_namespace_is_not_read_again_while_nothing_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish()
    world.source().releases("acme/train")
    read: list[str] = []
    whole = Namespace.readable_releases

    def noted(namespace: Namespace) -> object:
        read.append(namespace.name)
        return whole(namespace)

    monkeypatch.setattr(Namespace, "readable_releases", noted)
    assert len(world.source().releases("acme/train")) == 1
    assert read == []
    world.publish(version="1.0.1")
    assert [str(each.version) for each in world.source().releases("acme/train")] == ["1.0.1", "1.0.0"]
    assert read == ["acme"]


def test_another_process_knows_what_was_believed_without_asking(world: World) -> None:
    world.publish()
    world.source().releases("acme/train")
    offline = world.source(address=world.folder / "nothing")
    assert [str(each.version) for each in offline.known("acme/train")] == ["1.0.0"]
    assert len(offline.known("other/train")) == 0
