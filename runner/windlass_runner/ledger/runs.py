"""Runs, their jobs and attempts: created once, changed together with the events that tell of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import IntegrityError

from windlass_runner.ledger import ids
from windlass_runner.ledger.errors import UnknownJob, UnknownRun
from windlass_runner.ledger.records import (
    UNFINISHED,
    AttemptRecord,
    AttemptUpdate,
    EventDraft,
    JobRecord,
    JobUpdate,
    NewJob,
    NewRun,
    RunRecord,
    RunUpdate,
    State,
)
from windlass_runner.ledger.rows import (
    attempt_record,
    attempt_row,
    event_row,
    job_change,
    job_record,
    job_rows,
    run_record,
    run_row,
)
from windlass_runner.ledger.run_statements import RunStatements
from windlass_runner.ledger.schema import attempts, jobs, removed_runs, run_documents, runs
from windlass_runner.ledger.store import Store

RunList = list[RunRecord]
JobList = list[JobRecord]
AttemptList = list[AttemptRecord]


class Runs:
    """The runs of a ledger. Every method may be called from any thread."""

    def __init__(self, store: Store, *, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._store = store
        self._random_bits = random_bits
        self._statements = RunStatements(store)

    def create(
        self,
        run: NewRun,
        *,
        at: float,
        key: str | None = None,
        report: bool = False,
        wanted_id: str | None = None,
    ) -> str | None:
        """Write down a run with its jobs and the event `run.created`, all or nothing; its id.

        `key` says what the run is for (repository, ref, commit, workflow, generation): None is
        returned, and nothing done, where there is a run for it already, or was. `report` as in `record`.
        `wanted_id` is taken where it is greater than all before it.
        """
        write = self._statements
        with self._store.write() as connection:
            if key is not None and _exists(connection, key):
                return None
            latest = connection.execute(select(func.max(runs.c.id))).scalar_one()
            run_id = wanted_id
            if run_id is None or (latest is not None and run_id <= latest):
                run_id = ids.next_run_id(latest, at=at, random_bits=self._random_bits)
            counted = {"repository": run.repository, "workflow": run.workflow, "last": 1}
            number = int(write.count_run.run(connection, counted).scalar_one())
            write.insert_run.run(connection, run_row(run, id=run_id, key=key, number=number, at=at))
            documents = {"run_id": run_id, "plan": run.plan, "event": run.event}
            write.insert_documents.run(connection, documents)
            if run.jobs:
                write.insert_job.run_many(connection, job_rows(run_id, run.jobs, first=0))
            told = {"notes": list(run.notes)} if run.notes else {}
            created = EventDraft(kind="run.created", data={"name": run.name, "number": number, **told})
            write.insert_event.run(connection, event_row(run_id, created, at=at))
            if report:
                self._mark(connection, run_id, at=at)
        return run_id

    def record(
        self,
        run_id: str,
        *,
        run: RunUpdate | None = None,
        jobs: Sequence[JobUpdate] = (),
        attempts: Sequence[AttemptUpdate] = (),
        events: Sequence[EventDraft] = (),
        add_jobs: Sequence[NewJob] = (),
        at: float,
        report: bool = False,
    ) -> None:
        """Write down what happened to a run: everything in one transaction, or nothing.

        `report`: the status of its commit has to be posted again.

        Raises:
            UnknownRun, UnknownJob: nothing was written.
        """
        try:
            with self._store.write() as connection:
                if run is not None:
                    self._change_run(connection, run_id, run)
                if add_jobs:
                    self._add_jobs(connection, run_id, add_jobs)
                if jobs:
                    self._change_jobs(connection, run_id, jobs)
                if attempts:
                    rows = [attempt_row(run_id, attempt) for attempt in attempts]
                    self._statements.upsert_attempt.run_many(connection, rows)
                if events:
                    drafts = [event_row(run_id, draft, at=at) for draft in events]
                    self._statements.insert_event.run_many(connection, drafts)
                if report:
                    self._mark(connection, run_id, at=at)
        except IntegrityError as exc:
            self.get(run_id)
            keys = (*(new.key for new in add_jobs), *(attempt.job_key for attempt in attempts))
            raise UnknownJob(run_id, keys) from exc

    def get(self, run_id: str) -> RunRecord:
        """That run. Raises `UnknownRun`."""
        found = self._list(select(runs).where(runs.c.id == run_id))
        if not found:
            raise UnknownRun(run_id)
        return found[0]

    def find(self, prefix: str) -> RunRecord:
        """The one run whose id begins so. Raises `UnknownRun` where there is none, or more than one."""
        if not ids.is_prefix(prefix):
            raise UnknownRun(prefix)
        least, greatest = ids.prefix_bounds(prefix)
        found = self._list(select(runs).where(runs.c.id.between(least, greatest)).limit(2))
        if not found:
            raise UnknownRun(prefix)
        if len(found) > 1:
            message = f"more than one run begins with '{prefix}'"
            raise UnknownRun(prefix, message=message, remedy="write more of its id")
        return found[0]

    def id_of(self, key: str) -> str | None:
        """The run that was created with that key; None: there is none."""
        with self._store.read() as connection:
            return connection.execute(select(runs.c.id).where(runs.c.key == key)).scalar_one_or_none()

    def plan(self, run_id: str) -> str:
        """The plan it was created with, as JSON text. Raises `UnknownRun`."""
        return self._document(run_id, "plan")

    def event(self, run_id: str) -> str:
        """The event it was created for, as JSON text. Raises `UnknownRun`."""
        return self._document(run_id, "event")

    def jobs(self, run_id: str) -> JobList:
        """Its jobs, in the order in which they were added."""
        query = select(jobs).where(jobs.c.run_id == run_id).order_by(jobs.c.position)
        return [job_record(row) for row in self._store.rows(query)]

    def attempts(self, run_id: str) -> AttemptList:
        """All attempts of all its jobs, by job and number."""
        query = select(attempts).where(attempts.c.run_id == run_id)
        query = query.order_by(attempts.c.job_key, attempts.c.number)
        return [attempt_record(row) for row in self._store.rows(query)]

    def unfinished(self) -> RunList:
        """All runs that have not ended, oldest first."""
        return self._list(select(runs).where(runs.c.state.in_(UNFINISHED)).order_by(runs.c.id))

    def list(
        self,
        *,
        repository: str | None = None,
        workflow: str | None = None,
        state: State | None = None,
        ref: str | None = None,
        sha: str | None = None,
        within: Collection[str] | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> RunList:
        """The newest runs first, at most `limit`; `before` is the id of the last one of the page before.
        `within`: only of these repositories."""
        query = select(runs).order_by(runs.c.id.desc()).limit(limit)
        if within is not None:
            query = query.where(runs.c.repository.in_(within))
        wanted = {"repository": repository, "workflow": workflow, "state": state, "ref": ref, "sha": sha}
        for name, value in wanted.items():
            if value is not None:
                query = query.where(runs.c[name] == value)
        if before is not None:
            query = query.where(runs.c.id < before)
        return self._list(query)

    def of_commit(self, repository: str, sha: str) -> RunList:
        """All runs of a commit, newest first: the first one of each workflow is the one that counts."""
        query = select(runs).where(runs.c.repository == repository, runs.c.sha == sha)
        return self._list(query.order_by(runs.c.id.desc()))

    def request_cancel(self, run_id: str, *, at: float) -> None:
        """Set `is_cancel_requested`, with an event the first time. Raises `UnknownRun`."""
        with self._store.write() as connection:
            asked = select(runs.c.is_cancel_requested).where(runs.c.id == run_id)
            is_requested = connection.execute(asked).scalar_one_or_none()
            if is_requested is None:
                raise UnknownRun(run_id)
            if not is_requested:
                self._statements.cancel_run.run(connection, {"run_id": run_id})
                draft = EventDraft(kind="run.cancel_requested")
                self._statements.insert_event.run(connection, event_row(run_id, draft, at=at))

    def _change_run(self, connection: Connection, run_id: str, change: RunUpdate) -> None:
        row = {
            "run_id": run_id,
            "state": change.state,
            "reason": change.reason,
            "started_at": change.started_at,
            "ended_at": change.ended_at,
        }
        if not self._statements.update_run.run(connection, row).rowcount:
            raise UnknownRun(run_id)

    def _change_jobs(self, connection: Connection, run_id: str, changes: Sequence[JobUpdate]) -> None:
        rows = [job_change(run_id, change) for change in changes]
        if self._statements.update_job.run_many(connection, rows) != len(rows):
            raise UnknownJob(run_id, tuple(change.key for change in changes))

    def _add_jobs(self, connection: Connection, run_id: str, added: Sequence[NewJob]) -> None:
        count = select(func.count()).select_from(jobs).where(jobs.c.run_id == run_id)
        first = connection.execute(count).scalar_one()
        self._statements.insert_job.run_many(connection, job_rows(run_id, added, first=first))

    def _mark(self, connection: Connection, run_id: str, *, at: float) -> None:
        marked = {"run_id": run_id, "marked_at": at, "due_at": at}
        if not self._statements.mark_run.run(connection, marked).rowcount:
            raise UnknownRun(run_id)

    def _document(self, run_id: str, name: str) -> str:
        query = select(run_documents.c[name]).where(run_documents.c.run_id == run_id)
        with self._store.read() as connection:
            text = connection.execute(query).scalar_one_or_none()
        if text is None:
            raise UnknownRun(run_id)
        return str(text)

    def _list(self, query: Select[Any]) -> RunList:
        return [run_record(row) for row in self._store.rows(query)]


def _exists(connection: Connection, key: str) -> bool:
    present = select(runs.c.key).where(runs.c.key == key)
    removed = select(removed_runs.c.key).where(removed_runs.c.key == key)
    return connection.execute(present.union_all(removed)).first() is not None
