"""The statements that write runs, compiled once for a ledger. The hot path of the daemon.

An update writes all columns and keeps those whose parameter is NULL: one statement for every
mixture of changes, so that nothing is built while jobs run.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Table, bindparam, case, func, insert, select, update
from sqlalchemy.sql.expression import ColumnElement

from windlass_runner.ledger.schema import (
    attempts,
    events,
    jobs,
    outbox,
    run_documents,
    run_numbers,
    runs,
)
from windlass_runner.ledger.store import Store

_RUN_CHANGES = ("state", "reason", "started_at", "ended_at")
_JOB_CHANGES = (
    "state",
    "reason",
    "attempt",
    "outputs",
    "metrics",
    "summary",
    "annotations",
    "started_at",
    "ended_at",
    "exit_code",
)


class RunStatements:
    """Prepared statements; their parameters are named like the columns."""

    def __init__(self, store: Store) -> None:
        self.insert_run = store.prepare(insert(runs).values(_parameters(runs)))
        self.insert_documents = store.prepare(insert(run_documents).values(_parameters(run_documents)))
        self.insert_job = store.prepare(insert(jobs).values(_parameters(jobs)))
        self.insert_event = store.prepare(insert(events).values(_parameters(events, without=("id",))))
        self.count_run = store.prepare(_count_run(store))
        self.update_run = store.prepare(
            update(runs).where(runs.c.id == bindparam("run_id")).values(_changes(runs, _RUN_CHANGES))
        )
        self.update_job = store.prepare(
            update(jobs)
            .where(jobs.c.run_id == bindparam("of_run"), jobs.c.key == bindparam("of_key"))
            .values(_changes(jobs, _JOB_CHANGES))
        )
        self.upsert_attempt = store.prepare(_upsert_attempt(store))
        self.mark_run = store.prepare(mark_commit(store, of_run=True))
        self.cancel_run = store.prepare(
            update(runs).where(runs.c.id == bindparam("run_id")).values(is_cancel_requested=True)
        )


def mark_commit(store: Store, *, of_run: bool) -> Any:
    """Put a commit (or that of the run `run_id`) into the outbox, or count its version up there."""
    values: tuple[Any, ...] = (
        bindparam("version", 1),
        bindparam("tries", 0),
        _bind(outbox.c.marked_at),
        _bind(outbox.c.due_at),
    )
    names = ("repository", "sha", "version", "tries", "marked_at", "due_at")
    if of_run:
        commit = select(runs.c.repository, runs.c.sha, *values).where(runs.c.id == bindparam("run_id"))
        statement = store.insert(outbox).from_select(names, commit)
    else:
        columns = (_bind(outbox.c.repository), _bind(outbox.c.sha), *values)
        statement = store.insert(outbox).values(dict(zip(names, columns, strict=True)))
    return statement.on_conflict_do_update(
        index_elements=[outbox.c.repository, outbox.c.sha],
        set_={"version": outbox.c.version + 1},
    )


def _count_run(store: Store) -> Any:
    statement = store.insert(run_numbers).values(_parameters(run_numbers))
    return statement.on_conflict_do_update(
        index_elements=[run_numbers.c.repository, run_numbers.c.workflow],
        set_={"last": run_numbers.c.last + 1},
    ).returning(run_numbers.c.last)


def _upsert_attempt(store: Store) -> Any:
    statement = store.insert(attempts).values(_parameters(attempts))
    new = statement.excluded
    state = case(
        (attempts.c.state == "ended", attempts.c.state),
        ((attempts.c.state == "started") & (new.state == "created"), attempts.c.state),
        else_=new.state,
    )
    replaced = {
        name: func.coalesce(new[name], attempts.c[name])
        for name in ("lane", "container", "host", "exit_code", "cause", "detail")
    }
    kept = {name: func.coalesce(attempts.c[name], new[name]) for name in ("started_at", "ended_at")}
    return statement.on_conflict_do_update(
        index_elements=[attempts.c.run_id, attempts.c.job_key, attempts.c.number],
        set_={"state": state, **replaced, **kept},
    )


def _changes(table: Table, names: tuple[str, ...]) -> dict[str, ColumnElement[Any]]:
    return {name: func.coalesce(_bind(table.c[name]), table.c[name]) for name in names}


def _parameters(table: Table, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {column.name: _bind(column) for column in table.c if column.name not in without}


def _bind(column: Column[Any]) -> Any:
    return bindparam(column.name, type_=column.type)
