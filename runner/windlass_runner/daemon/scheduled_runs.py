"""Decides about a time at which a schedule was due: a run, or the reason why there is none, exactly once.

The run, what becomes of those before it and the next due time are written in one transaction; the run's key
names the time, so that no crash and no clock that goes back makes a second one of it. Used by
`daemon.schedules`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.pushes import Drafted, Pushes, Source
from windlass_runner.daemon.workflows import FoundWorkflow, find_workflows
from windlass_runner.forges.git import Git
from windlass_runner.forges.git_objects import Commit
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord
from windlass_runner.ledger.schedules import Schedule
from windlass_runner.run.status_text import duration_text
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.due_times import DueTimes
from windlass_runner.workflow.events import Event

LEAST_DEADLINE_S: Final = 10.0
"""A shorter deadline counts as this: a busy host is late by a moment, too."""
_TOLD_LATE_S: Final = 60.0
_HEADS: Final = "refs/heads/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a repository's default branch stands, its commit being in the mirror."""

    ref: str
    sha: str
    mirror: Mirror


class _Overtaken(Exception):
    """Undoes a transaction: the schedule is another one by now, or somebody was faster."""


class ScheduledRuns:
    """Safe to use from several threads; one thread per repository at a time."""

    def __init__(self, *, ledger: Ledger, git: Git, pushes: Pushes, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._git = git
        self._pushes = pushes
        self._clock = clock
        self._journal = Journal("schedules")

    def decide(self, schedule: Schedule, head: Head) -> str | None:
        """Decide about the latest time at which it was due; the id of the run that may begin, if any.

        Raises:
            UpstreamError, OperatorError: it cannot be planned now; nothing is decided.
        """
        now = self._clock()
        times = DueTimes.of(schedule.cron, schedule.timezone)
        due = times.latest(_moment(schedule.due_at), _moment(now)).timestamp()
        following = times.after(_moment(now))
        if following is None:  # checked when it was read
            return None
        before = self._running(schedule)
        refusal = _too_late(schedule, due, now=now) or _in_the_way(schedule, before)
        draft = None if refusal else self._draft(schedule, head, due, now=now)
        if draft is None:
            note = refusal or "its workflow file is gone"
            if self._ledger.schedules.decide(
                schedule, last_due_at=due, due_at=following.timestamp(), run=None, note=note
            ):
                self._tell("schedule.skipped", schedule, due, reason=note)
            return None
        run_id = self._write(schedule, draft, before, due=due, due_at=following.timestamp())
        if run_id is not None:
            self._tell("schedule.taken", schedule, due, run=run_id, sha=head.sha)
        return run_id if draft.may_begin else None

    def _write(
        self, schedule: Schedule, draft: Drafted, before: Sequence[RunRecord], *, due: float, due_at: float
    ) -> str | None:
        key = "\n".join(
            (schedule.repository, "schedule", schedule.workflow_path, schedule.cron, schedule.timezone)
        )
        try:
            with self._ledger.transaction():
                run_id = self._pushes.create(draft, key=f"{key}\n{due:.0f}")
                if run_id is not None and schedule.policy == "replace":
                    for run in before:
                        self._cancel(run, because=f"replaced by run {run_id} of the same schedule")
                if not self._ledger.schedules.decide(schedule, last_due_at=due, due_at=due_at, run=run_id):
                    raise _Overtaken
        except _Overtaken:
            return None
        return run_id

    def _cancel(self, run: RunRecord, *, because: str) -> None:
        payload = {"run_id": run.id, "reason": because}
        self._ledger.requests.put("cancel", payload, at=self._clock())

    def _running(self, schedule: Schedule) -> list[RunRecord]:
        """What schedules of this workflow have started and has not ended."""
        if schedule.policy == "allow":
            return []
        return [
            run
            for run in self._ledger.runs.unfinished()
            if (run.repository, run.workflow_path) == (schedule.repository, schedule.workflow_path)
            and not run.is_cancel_requested
            and json.loads(self._ledger.runs.event(run.id))["kind"] == "schedule"
        ]

    def _draft(self, schedule: Schedule, head: Head, due: float, *, now: float) -> Drafted | None:
        """The run, planned; None: the commit has no such workflow."""
        mirror = head.mirror
        found = _of_path(find_workflows(self._git, mirror.path, head.sha), schedule.workflow_path)
        if found is None:
            return None
        event = _event(schedule, head, self._git.commit(mirror.path, head.sha))
        source = Source(mirror=mirror, objects=mirror.path)
        return self._pushes.draft(found, event, reason=_reason(schedule, due, now=now), source=source)

    def _tell(self, what: str, schedule: Schedule, due: float, **more: Any) -> None:
        self._journal.info(
            what,
            repository=schedule.repository,
            workflow=schedule.workflow_path,
            cron=schedule.cron,
            due=_moment(due).isoformat(),
            **more,
        )


def _event(schedule: Schedule, head: Head, commit: Commit) -> Event:
    """What came due, by GitHub's names."""
    name = schedule.repository.rstrip("/").removesuffix(".git").rpartition("/")[2]
    return Event(
        kind="schedule",
        repository=schedule.repository,
        ref=head.ref,
        sha=head.sha,
        actor=commit.author_name,
        head_message=commit.message,
        schedule=schedule.cron,
        payload={
            "schedule": schedule.cron,
            "workflow": schedule.workflow_path,
            "repository": {
                "name": name,
                "full_name": name,
                "url": schedule.repository,
                "default_branch": head.ref.removeprefix(_HEADS),
            },
        },
    )


def _of_path(found: Sequence[FoundWorkflow], path: str) -> FoundWorkflow | None:
    return next((one for one in found if one.path == path), None)


def _too_late(schedule: Schedule, due: float, *, now: float) -> str:
    deadline_s = schedule.deadline_s
    if deadline_s is None or now - due <= max(deadline_s, LEAST_DEADLINE_S):
        return ""
    late, allowed = duration_text(now - due), duration_text(deadline_s)
    return f"missed by {late}, and its starting-deadline is {allowed}"


def _in_the_way(schedule: Schedule, before: Sequence[RunRecord]) -> str:
    if schedule.policy != "forbid" or not before:
        return ""
    return f"run {before[-1].id} still went on, and its concurrency-policy is forbid"


def _reason(schedule: Schedule, due: float, *, now: float) -> str:
    zone = DueTimes.of(schedule.cron, schedule.timezone).zone
    when = f"{_moment(due).astimezone(zone):%Y-%m-%d %H:%M} {schedule.timezone}"
    late = f", {duration_text(now - due)} ago" if now - due >= _TOLD_LATE_S else ""
    return f"schedule '{schedule.cron}' was due at {when}{late}"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
