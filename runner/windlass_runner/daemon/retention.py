"""Removes what is old, in the background: runs, logs, artifacts, mirrors of repositories no longer watched.

One round an hour, in small pieces with pauses between them, so that nobody notices it. What it does may be
cut off at any line; the next round takes it up. Which runs may go is decided in `daemon.retention_rule`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Final

from windlass_registry.errors import WindlassError
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.mirror_upkeep import MirrorUpkeep
from windlass_runner.daemon.output_retention import DAY_S, Deadline, deadlines
from windlass_runner.daemon.retention_rule import that_may_go
from windlass_runner.daemon.settings import StorageSettings
from windlass_runner.daemon.storage_use import StorageUse, measuring
from windlass_runner.ledger.errors import UnknownRun
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import FINAL, RunRecord
from windlass_runner.plan.codec import loads
from windlass_runner.plan.model import Plan
from windlass_runner.run.removal import left_half_removed, remove_files, remove_run
from windlass_runner.run.storage import Storage

FIRST_ROUND_AFTER_S: Final = 60.0
_ROUND_S: Final = 3600.0
_PIECE_S: Final = 0.05
_PAUSE_S: Final = 0.45
_KEYS_KEPT_S: Final = 365 * DAY_S
_PAGE: Final = 500
_END: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """How it fares. `use` None: not measured yet. `to_remove`: runs of this round that still lie there."""

    use: StorageUse | None = None
    looked_at: float | None = None
    to_remove: int = 0
    removed: int = 0
    problem: str | None = None


class Retention:
    """Call `turn` from one thread; `state` from any."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        storage: Storage,
        keeps: StorageSettings,
        upkeep: MirrorUpkeep,
        mirror_keys: Callable[[], frozenset[str]],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        first_after_s: float = FIRST_ROUND_AFTER_S,
    ) -> None:
        """`mirror_keys`: of the repositories that are watched, or have runs that have not ended."""
        self._ledger = ledger
        self._storage = storage
        self._keeps = keeps
        self._upkeep = upkeep
        self._mirror_keys = mirror_keys
        self._clock = clock
        self._monotonic = monotonic
        self._journal = Journal("retention")
        self._begins = monotonic() + first_after_s
        self._round: Iterator[None] | None = None
        self._state = Retained()
        self._problem: str | None = None
        self._deadlines: dict[str, tuple[Deadline, ...]] = {}

    def state(self) -> Retained:
        """What it found and did."""
        return self._state

    def turn(self) -> float:
        """Do a little; gives the seconds until there is more to do."""
        began = self._monotonic()
        if began < self._begins:
            return self._begins - began
        self._round = self._round or self._pieces()
        while self._monotonic() - began < _PIECE_S:
            if next(self._round, _END) is _END:
                self._round, self._begins = None, self._monotonic() + _ROUND_S
                return _ROUND_S
        return _PAUSE_S

    def _pieces(self) -> Iterator[None]:
        self._problem = None
        for work in (self._half_removed, self._runs, self._files, self._outputs, self._mirrors):
            yield from self._attempted(work())
        use = yield from measuring(self._storage)
        self._ledger.removal.forget_keys(before=self._clock() - _KEYS_KEPT_S)
        self._state = replace(self._state, use=use, looked_at=self._clock(), problem=self._problem)

    def _attempted(self, work: Iterator[None]) -> Iterator[None]:
        """What cannot be done keeps nobody from the rest."""
        try:
            yield from work
        except (WindlassError, OSError) as error:
            self._note(error)

    def _note(self, error: WindlassError | OSError) -> None:
        if self._problem is None:
            self._problem = str(error)
            self._journal.warning("retention.waits", reason=error)

    def _half_removed(self) -> Iterator[None]:
        yield from self._removing(left_half_removed(self._storage))

    def _runs(self) -> Iterator[None]:
        yield from self._removing((yield from self._older_than(self._keeps.keep_runs_days)))

    def _removing(self, run_ids: list[str]) -> Iterator[None]:
        for done, run_id in enumerate(run_ids):
            self._state = replace(self._state, to_remove=len(run_ids) - done)
            try:
                if remove_run(self._ledger, self._storage, run_id, at=self._clock()) is None:
                    self._state = replace(self._state, removed=self._state.removed + 1)
                    self._journal.info("run.removed", run=run_id)
            except WindlassError as error:  # a ledger that is full: the files of the next one make room
                self._note(error)
            yield
        self._state = replace(self._state, to_remove=0)

    def _files(self) -> Iterator[None]:
        """Logs and artifacts that may go before their runs."""
        for days, name in (
            (self._keeps.keep_logs_days, "logs"),
            (self._keeps.keep_artifacts_days, "outputs"),
        ):
            for run_id in (yield from self._older_than(days, keeps_bases=False)):
                remove_files(self._storage.run(run_id) / name)
                yield

    def _older_than(self, days: int, *, keeps_bases: bool = True) -> Generator[None, None, list[str]]:
        """Runs that nobody needs; none where they are kept for ever. Where only files are looked for, without
        those that have none: they would be looked at again every hour."""
        found: list[str] = []
        if not days:
            return found
        before = self._clock() - days * DAY_S
        for run in that_may_go(all_runs(self._ledger), before=before, keeps_bases=keeps_bases):
            if keeps_bases or self._storage.run(run.id).is_dir():
                found.append(run.id)
            yield
        return found

    def _outputs(self) -> Iterator[None]:
        """What their authors want kept for some days only, unless it is being run again."""
        present = [place.name for place in self._storage.runs.glob("*") if (place / "outputs").is_dir()]
        self._deadlines = {run_id: self._deadlines[run_id] for run_id in present if run_id in self._deadlines}
        again = {
            (run.repository, run.workflow_path) for run in self._ledger.runs.unfinished() if run.rerun_of
        }
        for run_id in present:
            yield
            with contextlib.suppress(UnknownRun):  # of another ledger
                due = [each for each in self._deadlines_of(run_id) if each.at <= self._clock()]
                run = self._ledger.runs.get(run_id) if due else None
                if run is not None and (run.repository, run.workflow_path) not in again:
                    for each in due:
                        remove_files(self._storage.outputs(run_id, each.job_key) / each.name)

    def _deadlines_of(self, run_id: str) -> tuple[Deadline, ...]:
        """Read once: a run that has ended puts out nothing more."""
        if run_id not in self._deadlines:
            if self._ledger.runs.get(run_id).state not in FINAL:
                return ()
            found: tuple[Deadline, ...] = ()
            with contextlib.suppress(ValueError):  # the plan of a program of another age
                plan = loads(Plan, self._ledger.runs.plan(run_id))
                found = tuple(deadlines(plan, self._ledger.runs.jobs(run_id)))
            self._deadlines[run_id] = found
        return self._deadlines[run_id]

    def _mirrors(self) -> Iterator[None]:
        for key in self._upkeep.removing(self._mirror_keys(), now=self._clock()):
            self._journal.info("mirror.removed", mirror=key)
            yield
        yield from self._upkeep.repacking()


def all_runs(ledger: Ledger) -> Iterator[RunRecord]:
    """Every run, newest first, read a page at a time."""
    page = ledger.runs.list(limit=_PAGE)
    while page:
        yield from page
        page = ledger.runs.list(limit=_PAGE, before=page[-1].id)
