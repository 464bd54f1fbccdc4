"""The state words, the same everywhere: notes, `--json`, API, pages."""

from __future__ import annotations

from collections.abc import Iterable

from windlass_runner.ledger.records import FINAL, State

__all__ = ["FINAL", "State", "result_word", "run_state"]


def run_state(jobs: Iterable[State]) -> State:
    """The state of a run whose jobs are all final: the worst of them. An allowed failure keeps it
    from being green; a run of which everything was skipped is skipped."""
    found = set(jobs)
    worst_first: tuple[State, ...] = ("failure", "timed_out", "cancelled", "neutral", "success")
    for word in worst_first:
        if word in found:
            return word
    return "skipped" if found else "success"


def result_word(states: Iterable[State]) -> str:
    """`needs.<job>.result`: one of GitHub's four words for all jobs of a matrix together."""
    found = set(states)
    if "failure" in found or "timed_out" in found:
        return "failure"
    if "cancelled" in found:
        return "cancelled"
    return "skipped" if found == {"skipped"} else "success"
