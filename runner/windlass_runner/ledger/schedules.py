"""When what is to run by the clock is due next: kept, so that no downtime loses or doubles it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from windlass_runner.ledger.schedule_tables import schedule_sources, schedules
from windlass_runner.ledger.store import Row, Store
from windlass_runner.ledger.texts import storable

SchedulePolicy = Literal["allow", "forbid", "replace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """One schedule of a workflow file, and when it is due first where it was not known."""

    workflow_path: str
    workflow: str
    cron: str
    timezone: str
    policy: SchedulePolicy
    deadline_s: float | None
    due_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One schedule as it stands. `last_due_at`: the last time that was decided about; `note`: why that was
    no run, empty where it was `last_run`."""

    repository: str
    workflow_path: str
    workflow: str
    cron: str
    timezone: str
    policy: SchedulePolicy
    deadline_s: float | None
    due_at: float
    last_due_at: float | None
    last_run: str | None
    note: str


class Schedules:
    """What was read of each repository's default branch. A time is decided about once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def source(self, repository: str) -> tuple[str, str] | None:
        """The ref and commit of which the schedules were read."""
        query = select(schedule_sources).where(schedule_sources.c.repository == repository)
        row = next(iter(self._store.rows(query)), None)
        return None if row is None else (row["ref"], row["sha"])

    def replace(self, repository: str, wanted: Iterable[NewSchedule], *, source: tuple[str, str]) -> None:
        """Take over what a commit says. What stays as it was stays due when it was."""
        of_repository = schedules.c.repository == repository
        with self._store.write() as connection:
            known = {_key(row): row for row in self._rows(of_repository)}
            connection.execute(delete(schedules).where(of_repository))
            fresh: dict[tuple[str, str, str], dict[str, Any]] = {}
            for one in wanted:
                row = {"repository": repository, **_fields(one)}
                kept = ("due_at", "last_due_at", "last_run", "note")
                fresh[_key(row)] = row | {name: known[_key(row)][name] for name in kept if _key(row) in known}
            if fresh:
                connection.execute(insert(schedules), list(fresh.values()))
            connection.execute(delete(schedule_sources).where(schedule_sources.c.repository == repository))
            ref, sha = source
            connection.execute(insert(schedule_sources).values(repository=repository, ref=ref, sha=sha))

    def keep_only(self, repositories: Collection[str]) -> None:
        """Forget those of repositories that are no longer watched."""
        with self._store.write() as connection:
            for table in (schedules, schedule_sources):
                connection.execute(delete(table).where(table.c.repository.not_in(repositories)))

    def of(self, repository: str | None = None) -> tuple[Schedule, ...]:
        """All schedules, of that repository; the one due next first."""
        found = self._rows(*([] if repository is None else [schedules.c.repository == repository]))
        return tuple(Schedule(**row) for row in found)

    def next_due_at(self) -> float | None:
        """When anything is due next."""
        with self._store.read() as connection:
            return connection.execute(select(func.min(schedules.c.due_at))).scalar_one_or_none()

    def decide(
        self, schedule: Schedule, *, last_due_at: float, due_at: float, run: str | None, note: str = ""
    ) -> bool:
        """Note what became of a time, and when the next one is. False, and nothing written: somebody has
        decided about it already, or the schedule is another one by now.

        To lose and double nothing, create the run in the same `Ledger.transaction`.
        """
        same = [schedules.c[name] == getattr(schedule, name) for name in (*_KEY, "repository", "due_at")]
        values: dict[str, Any] = {"due_at": due_at, "last_due_at": last_due_at, "note": storable(note)}
        if run is not None:
            values["last_run"] = run
        with self._store.write() as connection:
            return bool(connection.execute(update(schedules).where(*same).values(values)).rowcount)

    def _rows(self, *conditions: ColumnElement[bool]) -> list[Row]:
        order = (schedules.c.due_at, schedules.c.repository, schedules.c.workflow_path, schedules.c.cron)
        return self._store.rows(select(schedules).where(*conditions).order_by(*order))


_KEY = ("workflow_path", "cron", "timezone")


def _key(row: Row) -> tuple[str, str, str]:
    return row["workflow_path"], row["cron"], row["timezone"]


def _fields(one: NewSchedule) -> dict[str, Any]:
    texts = {name: storable(getattr(one, name)) for name in (*_KEY, "workflow")}
    empty = {"last_due_at": None, "last_run": None, "note": ""}
    return {**texts, "policy": one.policy, "deadline_s": one.deadline_s, "due_at": one.due_at, **empty}
