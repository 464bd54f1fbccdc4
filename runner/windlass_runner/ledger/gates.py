"""The gates at which jobs wait, and what people answered to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import literal, select, tuple_

from windlass_runner.ledger.gate_records import Answer, Gate, WaitingGate
from windlass_runner.ledger.gate_tables import gate_answers, gates
from windlass_runner.ledger.schema import jobs, runs
from windlass_runner.ledger.store import Row, Store
from windlass_runner.ledger.texts import from_json, storable, to_json

GateList = list[Gate]
WaitingList = list[WaitingGate]


class Gates:
    """Whether a job still stands at its gate says the job's own state, `waiting`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, run_id: str, gate: Gate) -> None:
        """Write down that a job waits there. Of one that is there already nothing changes."""
        row = {
            "run_id": run_id,
            "job_key": gate.job_key,
            "environment": gate.environment,
            "message": storable(gate.message),
            "approvers": to_json(gate.approvers),
            "approvals": gate.approvals,
            "opened_at": gate.opened_at,
            "not_before": gate.not_before,
            "ends_at": gate.ends_at,
        }
        with self._store.write() as connection:
            connection.execute(self._store.insert(gates).values(row).on_conflict_do_nothing())

    def answer(self, run_id: str, job_key: str, answer: Answer) -> bool:
        """Write down what somebody said, in place of what they said before. False, and nothing written:
        no job waits there any more."""
        stands = (jobs.c.run_id == run_id) & (jobs.c.key == job_key) & (jobs.c.state == "waiting")
        said = {
            "actor": storable(answer.actor),
            "is_approval": answer.is_approval,
            "comment": storable(answer.comment),
            "via": answer.via,
            "at": answer.at,
        }
        row = {"run_id": run_id, "job_key": job_key, "person": person(answer.actor), **said}
        with self._store.write() as connection:
            if connection.execute(select(jobs.c.key).where(stands)).first() is None:
                return False
            statement = self._store.insert(gate_answers).values(row)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[gate_answers.c.run_id, gate_answers.c.job_key, gate_answers.c.person],
                    set_=said,
                )
            )
        return True

    def of_run(self, run_id: str) -> GateList:
        """All gates that jobs of a run came to, with the answers, in the order in which they did."""
        answers = self._answers([run_id])
        query = select(gates).where(gates.c.run_id == run_id).order_by(gates.c.opened_at, gates.c.job_key)
        return [_gate(row, answers.get((run_id, row["job_key"]), ())) for row in self._store.rows(query)]

    def waiting(
        self,
        *,
        within: Collection[str] | None = None,
        limit: int = 50,
        after: tuple[str, str] | None = None,
    ) -> WaitingList:
        """Those at which a job waits now, of the oldest run first, at most `limit`. `within`: only of these
        repositories; `after`: the run and the job of the last one of the page before."""
        place = (gates.c.run_id, gates.c.job_key)
        query = (
            select(gates, runs.c.repository, runs.c.ref, runs.c.sha, runs.c.workflow)
            .join(jobs, (jobs.c.run_id == gates.c.run_id) & (jobs.c.key == gates.c.job_key))
            .join(runs, runs.c.id == gates.c.run_id)
            .where(jobs.c.state == "waiting")
            .order_by(*place)
            .limit(limit)
        )
        if within is not None:
            query = query.where(runs.c.repository.in_(within))
        if after is not None:
            query = query.where(tuple_(*place) > tuple_(literal(after[0]), literal(after[1])))
        rows = self._store.rows(query)
        answers = self._answers({row["run_id"] for row in rows})
        return [_waiting(row, answers.get((row["run_id"], row["job_key"]), ())) for row in rows]

    def waiting_runs(self) -> frozenset[str]:
        """The runs of which a job waits at a gate now."""
        at_job = (jobs.c.run_id == gates.c.run_id) & (jobs.c.key == gates.c.job_key)
        query = select(gates.c.run_id).join(jobs, at_job).where(jobs.c.state == "waiting").distinct()
        return frozenset(str(row["run_id"]) for row in self._store.rows(query))

    def _answers(self, run_ids: Collection[str]) -> dict[tuple[str, str], list[Answer]]:
        """What was said, by run and job, the oldest first."""
        found: dict[tuple[str, str], list[Answer]] = {}
        said = select(gate_answers).where(gate_answers.c.run_id.in_(run_ids)).order_by(gate_answers.c.at)
        for row in self._store.rows(said):
            found.setdefault((row["run_id"], row["job_key"]), []).append(_answer(row))
        return found


def person(actor: str) -> str:
    """A name as it is compared: no forge tells `Ada` from `ada`."""
    return storable(actor).casefold()


def _gate(row: Row, answers: Iterable[Answer]) -> Gate:
    names = ("job_key", "environment", "message", "approvals", "opened_at", "not_before", "ends_at")
    told: dict[str, Any] = {name: row[name] for name in names}
    return Gate(**told, approvers=tuple(from_json(row["approvers"])), answers=tuple(answers))


def _waiting(row: Row, answers: Iterable[Answer]) -> WaitingGate:
    names = ("run_id", "repository", "ref", "sha", "workflow")
    told: dict[str, Any] = {name: row[name] for name in names}
    return WaitingGate(**told, gate=_gate(row, answers))


def _answer(row: Row) -> Answer:
    return Answer(
        actor=row["actor"],
        is_approval=bool(row["is_approval"]),
        comment=row["comment"],
        via=row["via"],
        at=row["at"],
    )
