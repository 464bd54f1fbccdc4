"""Runs that wait for an approval: a fork's, until somebody who may write approves that one commit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, JobUpdate, RunRecord, RunUpdate
from windlass_runner.workflow.events import Event

_MOST_WAITING: Final = 1000


class Approvals:
    """Safe to use from several threads. What waits is in state `waiting`, in the ledger alone."""

    def __init__(self, *, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock

    def is_held(self, run: RunRecord) -> bool:
        """Whether a run waits as a whole: nothing of it was begun. Of others a job waits at its gate."""
        return run.state == "waiting" and run.id not in self._ledger.gates.waiting_runs()

    def hold(self, run_id: str, event: Event, *, why: str = "it comes from a fork") -> None:
        """Let a new run wait."""
        reason = (
            f"{why}: somebody who may write looks at it and then "
            f"approves it (the button, or the comment `/ok-to-test {event.sha}`)"
        )
        self._ledger.runs.record(
            run_id,
            run=RunUpdate(state="waiting", reason=reason),
            events=[EventDraft(kind="run.waiting", data={"reason": reason})],
            at=self._clock(),
            report=True,
        )

    def approve(self, repository: str, sha: str, *, actor: str) -> tuple[str, ...]:
        """Let begin what waits on that commit, and on that commit only; the runs' ids."""
        at = self._clock()
        approved = []
        with self._ledger.transaction():
            for run in self._ledger.runs.of_commit(repository, sha):
                if self.is_held(run):
                    self._ledger.runs.record(
                        run.id,
                        run=RunUpdate(state="queued", reason=""),
                        events=[EventDraft(kind="run.approved", data={"actor": actor})],
                        at=at,
                        report=True,
                    )
                    approved.append(run.id)
        return tuple(reversed(approved))

    def withdraw(self, event: Event) -> None:
        """End what waits of a pull request that was closed, or that has a newer commit."""
        is_closed = event.action == "closed"
        reason = "the pull request was closed" if is_closed else f"{event.sha[:12]} came after it"
        for run in self._ledger.runs.list(repository=event.repository, state="waiting", limit=_MOST_WAITING):
            if self.is_held(run) and (run.sha != event.sha or is_closed):
                about = Event.from_json(json.loads(self._ledger.runs.event(run.id)))
                if about.number == event.number:
                    self.end(run, reason=reason)

    def end(self, run: RunRecord, *, reason: str) -> None:
        """Cancel a run that waits; nothing of it was begun."""
        at = self._clock()
        jobs = self._ledger.runs.jobs(run.id)
        self._ledger.runs.record(
            run.id,
            run=RunUpdate(state="cancelled", reason=reason, ended_at=at),
            jobs=[JobUpdate(key=job.key, state="cancelled", ended_at=at) for job in jobs],
            events=[EventDraft(kind="run.ended", data={"state": "cancelled", "reason": reason})],
            at=at,
            report=True,
        )
