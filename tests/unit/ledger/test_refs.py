from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass_runner.ledger.ledger import Ledger

MAIN = "refs/heads/main"
_NUMBERS = itertools.count()


class World:
    """A ref that moves, a poller that reads it, and a ledger that hears of it. Time is a counter."""

    def __init__(self, ledger: Ledger, start: str) -> None:
        self.refs = ledger.refs
        self.name = f"r{next(_NUMBERS)}"
        self.history = [start]
        self.now = 1.0
        self.runs: Counter[str] = Counter()
        self.refs.note_move(self.name, MAIN, None, start, observed=True, at=self.now)
        self.refs.observe(self.name, {MAIN: start}, at=self.now)

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    def push(self, sha: str) -> None:
        self.history.append(sha)

    def hook(self, index: int) -> None:
        """The webhook of the push number `index` arrives now."""
        self._note(self.history[index - 1], self.history[index], observed=False, at=self.tick())

    def read(self) -> tuple[str, float]:
        """The poller reads the ref; what it saw is told later."""
        return self.history[-1], self.tick()

    def tell(self, reading: tuple[str, float]) -> bool:
        """The poller tells what it read. Whether it had anything to tell."""
        sha, at = reading
        last = self.refs.observed(self.name).get(MAIN)
        if sha != last:
            self._note(last, sha, observed=True, at=at)
        self.refs.observe(self.name, {MAIN: sha}, at=at)
        return sha != last

    def _note(self, before: str | None, after: str, *, observed: bool, at: float) -> None:
        if self.refs.note_move(self.name, MAIN, before, after, observed=observed, at=at) is not None:
            self.runs[after] += 1


@pytest.fixture(scope="module")
def shared() -> Iterator[Ledger]:
    """One ledger for all examples of a property; each has a repository of its own."""
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.db") as ledger:
        yield ledger


def test_a_push_heard_of_by_hook_and_poller_is_new_once(ledger: Ledger) -> None:
    move = ledger.refs.note_move
    assert move("r", MAIN, None, "a", observed=False, at=1.0) == 0
    assert move("r", MAIN, None, "a", observed=True, at=2.0) is None
    assert move("r", MAIN, "a", "b", observed=True, at=3.0) == 0
    assert move("r", MAIN, "a", "b", observed=False, at=4.0) is None
    assert ledger.refs.heads("r") == {MAIN: "b"}
    assert ledger.refs.heads("other") == {}


def test_the_same_commit_on_another_ref_is_another_push(ledger: Ledger) -> None:
    assert ledger.refs.note_move("r", MAIN, None, "a", observed=False, at=1.0) == 0
    assert ledger.refs.note_move("r", "refs/heads/b", None, "a", observed=False, at=2.0) == 0
    assert ledger.refs.note_move("s", MAIN, None, "a", observed=False, at=3.0) == 0


def test_each_forced_move_back_is_a_push_of_the_next_generation(ledger: Ledger) -> None:
    move = ledger.refs.note_move
    heard = [("a", "b", False), ("b", "a", False), ("a", "b", False), ("b", "a", True)]
    assert move("r", MAIN, None, "a", observed=False, at=1.0) == 0
    noted = [move("r", MAIN, b, a, observed=o, at=n + 2.0) for n, (b, a, o) in enumerate(heard)]
    assert noted == [0, 1, 1, 2]
    assert ledger.refs.heads("r") == {MAIN: "a"}


def test_a_late_delivery_of_an_old_push_is_no_move_back(ledger: Ledger) -> None:
    move = ledger.refs.note_move
    for at, (before, after) in enumerate([(None, "a"), ("a", "b"), ("b", "c")]):
        move("r", MAIN, before, after, observed=False, at=float(at))
    assert move("r", MAIN, "a", "b", observed=False, at=9.0) is None
    assert ledger.refs.heads("r") == {MAIN: "c"}


def test_a_hook_that_overtakes_its_predecessor_still_ends_at_the_newest_head(ledger: Ledger) -> None:
    move = ledger.refs.note_move
    assert move("r", MAIN, None, "a", observed=False, at=1.0) == 0
    assert move("r", MAIN, "c", "d", observed=False, at=2.0) == 0
    assert move("r", MAIN, "b", "c", observed=False, at=3.0) == 0
    assert ledger.refs.heads("r") == {MAIN: "a"}
    assert move("r", MAIN, "a", "b", observed=False, at=4.0) == 0
    assert ledger.refs.heads("r") == {MAIN: "d"}
    for before, after in [("c", "d"), ("b", "c"), ("a", "b")]:
        assert move("r", MAIN, before, after, observed=False, at=5.0) is None
    assert move("r", MAIN, "d", "a", observed=False, at=6.0) == 1


def test_a_reading_older_than_the_head_moves_nothing_and_is_not_kept(ledger: Ledger) -> None:
    refs = ledger.refs
    refs.note_move("r", MAIN, None, "a", observed=True, at=1.0)
    refs.observe("r", {MAIN: "a"}, at=1.0)
    refs.note_move("r", MAIN, "a", "b", observed=False, at=2.0)
    refs.note_move("r", MAIN, "b", "c", observed=False, at=4.0)
    assert refs.note_move("r", MAIN, "a", "b", observed=True, at=3.0) is None
    refs.observe("r", {MAIN: "b"}, at=3.0)
    assert refs.heads("r") == {MAIN: "c"}
    assert refs.observed("r") == {}
    assert refs.note_move("r", MAIN, None, "b", observed=True, at=5.0) == 1
    refs.observe("r", {MAIN: "b"}, at=5.0)
    assert refs.observed("r") == {MAIN: "b"}


def test_observations_are_replaced_as_a_whole(ledger: Ledger) -> None:
    ledger.refs.observe("r", {"one": "1", "two": "2"}, at=1.0)
    ledger.refs.observe("s", {"one": "9"}, at=1.0)
    ledger.refs.observe("r", {"two": "3", "four": "4"}, at=2.0)
    assert ledger.refs.observed("r") == {"two": "3", "four": "4"}
    assert ledger.refs.observed("s") == {"one": "9"}
    assert ledger.refs.heads("r") == {}


@settings(deadline=None, max_examples=60)
@given(data=st.data(), count=st.integers(1, 6))
def test_every_push_heard_of_runs_once_however_its_reports_are_shuffled(
    shared: Ledger, data: st.DataObject, count: int
) -> None:
    """New commits only: hooks dropped, doubled, late and out of order; readings told late."""
    here = World(shared, "start")
    heard: set[str] = set()
    readings: list[tuple[str, float]] = []
    for _ in range(data.draw(st.integers(1, 4 * count))):
        pushed = len(here.history) - 1
        match data.draw(st.sampled_from(["push", "hook", "read", "tell"])):
            case "push" if pushed < count:
                here.push(f"commit-{pushed + 1}")
            case "hook" if pushed:
                index = data.draw(st.integers(1, pushed))
                here.hook(index)
                heard.add(here.history[index])
            case "read" if not readings:
                readings.append(here.read())
            case "tell" if readings:
                reading = readings.pop()
                if here.tell(reading):
                    heard |= {reading[0]} - {"start"}
            case _:
                pass
    assert here.runs == Counter(heard)
    here.tell(here.read())
    heard |= {here.history[-1]} - {"start"}
    assert here.runs == Counter(heard)
    assert here.refs.heads(here.name) == {MAIN: here.history[-1]}


@settings(deadline=None, max_examples=60)
@given(data=st.data(), targets=st.lists(st.sampled_from("abc"), min_size=1, max_size=8))
def test_every_move_back_that_is_heard_of_runs_again(
    shared: Ledger, data: st.DataObject, targets: list[str]
) -> None:
    """Forced moves among a few commits, each heard of before the next, by one way or by both."""
    here = World(shared, "a")
    expected: Counter[str] = Counter()
    stale = here.read()
    for target in targets:
        if target == here.history[-1]:
            continue
        here.push(target)
        expected[target] += 1
        index = len(here.history) - 1
        ways = data.draw(st.permutations(["hook", "again", "poll"]).flatmap(_some))
        for way in ways:
            if way == "poll":
                here.tell(here.read())
            else:
                here.hook(index)
        if data.draw(st.booleans()):
            here.tell(stale)
            stale = here.read()
        else:
            stale = here.read()
    assert here.runs == expected
    assert here.refs.heads(here.name) == {MAIN: here.history[-1]}


def _some(ways: list[str]) -> st.SearchStrategy[list[str]]:
    return st.integers(1, len(ways)).map(lambda count: ways[:count])
