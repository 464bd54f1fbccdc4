"""What was deployed where, by which job of which run, and how that went."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, select, update

from windlass_runner.ledger.gate_records import DeploymentRecord, DeploymentState, NewDeployment
from windlass_runner.ledger.gate_tables import deployments
from windlass_runner.ledger.outbox import Outbox
from windlass_runner.ledger.records import RunRecord, State
from windlass_runner.ledger.store import Row, Store
from windlass_runner.ledger.texts import from_json, storable, storable_or_none, to_json

DeploymentList = list[DeploymentRecord]


class Deployments:
    """Written with the state of the jobs that they tell of; they outlive the runs."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox

    def begin(self, run: RunRecord, new: NewDeployment, *, at: float) -> None:
        """Write one down. Of a job's that is there already nothing changes."""
        row = {
            "run_id": run.id,
            "job_key": new.job_key,
            "environment": storable(new.environment),
            "repository": run.repository,
            "ref": run.ref,
            "sha": run.sha,
            "workflow": run.workflow,
            "actor": storable(new.actor),
            "state": new.state,
            "reason": storable(new.reason),
            "url": new.url,
            "approved_by": "[]",
            "created_at": at,
            "changed_at": at,
        }
        with self._store.write() as connection:
            connection.execute(self._store.insert(deployments).values(row).on_conflict_do_nothing())

    def change(
        self,
        run_id: str,
        job_key: str,
        *,
        state: State,
        reason: str,
        at: float,
        url: str | None = None,
        approved_by: Sequence[str] | None = None,
        report: bool = False,
    ) -> None:
        """Its job is in another state. What a success replaces becomes inactive; `report`: and the status
        of its commit has to be posted again."""
        values = {"state": state, "reason": storable(reason), "changed_at": at}
        if url is not None:
            values["url"] = storable_or_none(url)
        if approved_by is not None:
            values["approved_by"] = to_json(tuple(approved_by))
        this = (deployments.c.run_id == run_id) & (deployments.c.job_key == job_key)
        with self._store.write() as connection:
            connection.execute(update(deployments).where(this).values(values))
            if state != "success":
                return
            for old in self._replaced_by(run_id, job_key):
                inactive = {"state": "inactive", "changed_at": at}
                connection.execute(update(deployments).where(deployments.c.id == old.id).values(inactive))
                if report:
                    self._outbox.mark(old.repository, old.sha, at=at)

    def of_run(self, run_id: str) -> DeploymentList:
        """Those of a run's jobs."""
        return self._list(select(deployments).where(deployments.c.run_id == run_id))

    def of_commit(self, repository: str, sha: str) -> DeploymentList:
        """Those of a commit, oldest first."""
        here = (deployments.c.repository == repository) & (deployments.c.sha == sha)
        return self._list(select(deployments).where(here).order_by(deployments.c.id))

    def list(
        self,
        *,
        environment: str | None = None,
        repository: str | None = None,
        within: Collection[str] | None = None,
        sha: str | None = None,
        state: DeploymentState | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> DeploymentList:
        """The newest first, at most `limit`; `before` is the number of the last one of the page before.
        `within`: only of these repositories."""
        query = select(deployments).order_by(deployments.c.id.desc()).limit(limit)
        if environment is not None:
            query = query.where(deployments.c.environment == environment)
        if repository is not None:
            query = query.where(deployments.c.repository == repository)
        if within is not None:
            query = query.where(deployments.c.repository.in_(within))
        if sha is not None:
            query = query.where(deployments.c.sha == sha)
        if state is not None:
            query = query.where(deployments.c.state == state)
        if before is not None:
            query = query.where(deployments.c.id < before)
        return self._list(query)

    def _replaced_by(self, run_id: str, job_key: str) -> DeploymentList:
        """Earlier successes in the same place. Legs of a matrix, and jobs of one run, stand side by side."""
        this = (deployments.c.run_id == run_id) & (deployments.c.job_key == job_key)
        place = select(deployments.c.repository, deployments.c.environment).where(this)
        rows = self._store.rows(place)
        if not rows:
            return []
        old = (
            (deployments.c.repository == rows[0]["repository"])
            & (deployments.c.environment == rows[0]["environment"])
            & (deployments.c.state == "success")
            & (deployments.c.run_id != run_id)
        )
        return self._list(select(deployments).where(old))

    def _list(self, query: Select[Any]) -> DeploymentList:
        return [_record(row) for row in self._store.rows(query)]


def _record(row: Row) -> DeploymentRecord:
    return DeploymentRecord(**{**row, "approved_by": tuple(from_json(row["approved_by"]))})
