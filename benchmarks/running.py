"""Runs in this process, by the daemon's own conductor: what a job costs us, without starting anything."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring import BenchmarkFailed
from windlass_registry.catalog import Catalog
from windlass_registry.store import Store
from windlass_runner.engines.base import Engine
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.model import Plan
from windlass_runner.run.conductor import Conductor
from windlass_runner.run.host import Host
from windlass_runner.run.prepare import new_run, plan_run
from windlass_runner.run.storage import Storage
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow


@dataclass(slots=True, kw_only=True)
class Bench:
    """A ledger on the disk, a conductor and an engine."""

    root: Path
    engine: Engine
    parallelism: int = 4
    storage: Storage = field(init=False)
    ledger: Ledger = field(init=False)
    conductor: Conductor = field(init=False)

    def __post_init__(self) -> None:
        self.storage = Storage(self.root / "storage")
        self.ledger = Ledger.open(self.storage.ledger)
        self.conductor = Conductor(
            Host(
                ledger=self.ledger,
                engine=self.engine,
                storage=self.storage,
                action_folder=Store(self.storage.packages).path,
                fill_workspace=lambda _run, _folder: None,
                secret=lambda _name: None,
                clock=time.time,
                parallelism=self.parallelism,
                is_reported=False,
            )
        )

    def plan(self, text: str, *, name: str = "measured") -> Plan:
        """The plan of a workflow's text."""
        event = Event(kind="push", repository="file:///srv/x.git", ref="refs/heads/main", sha="1" * 40)
        parsed = parse_workflow(text, path=f".windlass/workflows/{name}.yaml")
        return plan_run(
            parsed,
            event=event,
            reason="measured",
            root=self.root,
            pins=None,
            catalog=Catalog.of_builtin(),
            options=PlanOptions(),
            packages=Store(self.storage.packages),
        )

    def run(self, plan: Plan) -> str:
        """Carry a plan out to its end; the run's id. Raises `BenchmarkFailed` where a job failed."""
        run_id = self.ledger.runs.create(new_run(plan, repository=plan.event.repository), at=time.time())
        assert run_id is not None
        self.conductor.begin(run_id, plan)
        state = self.conductor.wait(run_id, timeout_s=300)
        if state != "success":
            raise BenchmarkFailed(f"a run ended as {state}")
        return run_id

    def jobs_took_s(self, run_id: str) -> float:
        """From the start of a run's first job to the end of its last one, as the ledger has it."""
        jobs = self.ledger.runs.jobs(run_id)
        return max(job.ended_at or 0.0 for job in jobs) - min(job.started_at or 0.0 for job in jobs)

    def close(self) -> None:
        """Let go of everything."""
        self.conductor.close()
        self.ledger.close()
        self.engine.close()
