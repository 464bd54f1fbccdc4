"""The graph of jobs: order, dependants, cycles. Pure, linear, and not recursive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Needs = Mapping[str, Sequence[str]]
"""Which jobs each job needs. Names that are no keys are left aside (they are reported elsewhere)."""


def order(needs: Needs) -> tuple[str, ...]:
    """The jobs, each after those it needs; otherwise in the order given. Those of cycles are left out."""
    waiting = {job: sum(need in needs for need in set(wanted)) for job, wanted in needs.items()}
    after = dependants(needs)
    ready = [job for job, count in waiting.items() if not count]
    for job in ready:
        for dependant in after[job]:
            waiting[dependant] -= 1
            if not waiting[dependant]:
                ready.append(dependant)
    return tuple(ready)


def dependants(needs: Needs) -> dict[str, tuple[str, ...]]:
    """Which jobs need each job directly."""
    found: dict[str, list[str]] = {job: [] for job in needs}
    for job, wanted in needs.items():
        for need in dict.fromkeys(wanted):
            if need in found:
                found[need].append(job)
    return {job: tuple(names) for job, names in found.items()}


def cycles(needs: Needs) -> Iterator[tuple[str, ...]]:
    """One cycle of each knot of jobs that wait for each other: (a, b, c) where a needs b needs c needs a."""
    stuck = dict.fromkeys(needs)
    for job in order(needs):
        del stuck[job]
    done: set[str] = set()
    for start in stuck:
        trail: dict[str, None] = {}
        at: str | None = start
        while at is not None and at not in trail and at not in done:
            trail[at] = None
            at = next((need for need in needs[at] if need in stuck), None)
        if at is not None and at in trail:
            names = list(trail)
            yield tuple(names[names.index(at) :])
        done.update(trail)
