"""Tags that locks pin are looked after beside the runs, which wait for none of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from windlass_registry.errors import UpstreamError
from windlass_registry.refs import GitRef, parse_uses
from windlass_registry.sources.git_tags import PERIOD_S, TagWatch, moved_tag

PINNED, OTHER = "a" * 40, "b" * 40


class Server:
    """Git servers by address; one without refs does not answer."""

    def __init__(self, **tags: str) -> None:
        self.refs: Mapping[str, str] | None = {f"refs/tags/{name}": commit for name, commit in tags.items()}
        self.asked: list[str] = []

    def ls_remote(self, url: str) -> Mapping[str, str]:
        self.asked.append(url)
        if self.refs is None:
            raise UpstreamError("nobody answers")
        return self.refs


def ref(text: str) -> GitRef:
    found = parse_uses(f"github.com/acme/setup@{text}")
    assert isinstance(found, GitRef)
    return found


def test_what_is_locked_is_planned_without_a_question_and_the_move_is_known_after_the_next_turn() -> None:
    server, now, woken = Server(v1=OTHER), [0.0], list[str]()
    watch = TagWatch(server, clock=lambda: now[0], on_new=lambda: woken.append("tags"))
    assert watch.moved(ref("v1"), PINNED) is None
    assert (server.asked, woken) == ([], ["tags"])
    assert watch.turn() == PERIOD_S
    assert f"the lock pins commit {PINNED}, and it is at {OTHER} now" in (
        watch.moved(ref("v1"), PINNED) or ""
    )
    assert watch.moved(ref("v1"), OTHER) is None
    assert woken == ["tags"]

    now[0] += PERIOD_S / 2
    assert watch.turn() == PERIOD_S / 2
    assert len(server.asked) == 1
    now[0] += PERIOD_S / 2
    server.refs = None  # away: what was seen last counts
    assert watch.turn() == PERIOD_S
    assert len(server.asked) == 2
    assert watch.moved(ref("v1"), PINNED) is not None


def test_asked_at_once_where_that_is_wanted_and_silence_is_no_move() -> None:
    server = Server(v1=OTHER)
    watch = TagWatch(server, clock=lambda: 0.0)
    assert watch.moved(ref("v1"), PINNED, asks=True) is not None
    assert watch.moved(ref("v2"), PINNED, asks=True) is not None
    assert len(server.asked) == 1
    server.refs = None
    assert TagWatch(server, clock=lambda: 0.0).moved(ref("v1"), PINNED, asks=True) is None
    assert watch.moved(ref(PINNED), PINNED, asks=True) is None
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("text", "refs", "words"),
    [
        ("v1", {"refs/tags/v1": PINNED}, None),
        ("v1", {"refs/tags/v1": OTHER}, "was moved"),
        ("refs/tags/v1", {"refs/tags/v1": OTHER}, "was moved"),
        ("main", {"refs/heads/main": OTHER}, None),
        ("refs/heads/main", {"refs/heads/main": OTHER}, None),
        ("main", {"refs/heads/main": PINNED, "refs/tags/main": OTHER}, "was moved"),
        ("v1", {"refs/heads/main": OTHER}, "has no tag or branch 'v1' any more"),
    ],
)
def test_a_tag_must_not_move_and_a_branch_may(text: str, refs: dict[str, str], words: str | None) -> None:
    found = moved_tag(ref(text), PINNED, refs)
    assert (found is None) if words is None else (words in (found or ""))
