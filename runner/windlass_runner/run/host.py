"""What runs are carried out with: wired once, by the daemon or by `windlass run`; what of it one run sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from windlass_runner.engines.base import Engine, EngineFacts
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord
from windlass_runner.plan.contexts import event_contexts, github_context
from windlass_runner.plan.known_images import planned_images
from windlass_runner.plan.model import Plan
from windlass_runner.run.assembly import Surroundings
from windlass_runner.run.base_run import find_base
from windlass_runner.run.environments import Environments, no_environments
from windlass_runner.run.images import Images
from windlass_runner.run.kept import DEFAULT_LIMIT_BYTES
from windlass_runner.run.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the conductor works with."""

    ledger: Ledger
    engine: Engine
    storage: Storage
    action_folder: Callable[[str], Path]
    """Folder of a package, by digest."""
    fill_workspace: Callable[[RunRecord, Path], None]
    """Put a private copy of the run's commit (or snapshot) into an empty folder."""
    secret: Callable[[str], str | None]
    clock: Callable[[], float]
    parallelism: int
    name: str = "local"
    cache_bytes: int = DEFAULT_LIMIT_BYTES
    """For each repository, what its jobs keep for later runs."""
    variables: Mapping[str, str] = field(default_factory=dict)
    environments: Environments = no_environments
    is_attended: bool = False
    """Whether somebody sits beside it, whose answer alone opens any gate."""
    is_reported: bool = True
    """Whether states are posted to a forge."""
    waits_for_engine: bool = True
    """Whether to wait when the engine or the ledger cannot go on (a daemon), or to fail (a single run)."""


def make_surroundings(host: Host, record: RunRecord, plan: Plan, *, facts: EngineFacts) -> Surroundings:
    """What all attempts of a run share."""
    return Surroundings(
        run=record,
        plan=plan,
        engine=host.engine,
        images=Images(
            host.engine,
            pinned=plan.images,
            unlocked=plan.unlocked_images,
            named=cache(lambda: planned_images(plan)),
            registries=plan.image_registries,
        ),
        storage=host.storage,
        contexts=_contexts(host, record, plan),
        secret=_no_secret if plan.event.is_fork else host.secret,
        action_folder=host.action_folder,
        fill_workspace=lambda folder: host.fill_workspace(record, folder),
        clock=host.clock,
        cpus=facts.cpus,
        memory_bytes=facts.memory_bytes,
        cache_bytes=host.cache_bytes,
        base=lambda: find_base(host.ledger, record, plan.event),
    )


def _contexts(host: Host, record: RunRecord, plan: Plan) -> dict[str, Any]:
    contexts = event_contexts(
        plan.event, workflow=plan.workflow, path=plan.path, inputs=plan.inputs, variables=host.variables
    )
    contexts["github"] = github_context(
        plan.event, workflow=plan.workflow, path=plan.path, run_id=record.id, run_number=record.number
    )
    contexts["run"] = {"id": record.id, "number": record.number, "name": plan.run_name}
    contexts["runner"] = {"os": "Linux", "name": host.name, "temp": "/windlass/temp"}
    return contexts


def _no_secret(_name: str) -> None:
    """What a fork's pull request gets, also once it is approved."""
