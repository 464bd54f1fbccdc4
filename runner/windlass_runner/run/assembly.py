"""An attempt made ready: its folders, what its expressions see, what its containers share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass_runner.data.trees import remove_tree
from windlass_runner.engines.base import Engine, Lane, Limits
from windlass_runner.expressions import FixedHost
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import secret, to_text
from windlass_runner.ledger.records import RunRecord
from windlass_runner.plan.model import (
    CompositeStep,
    JobSpec,
    Plan,
    PlannedJob,
    PlannedStep,
    RunStep,
)
from windlass_runner.plan.resources import bounded
from windlass_runner.plan.steps import is_like_githubs, leaves, stages_of
from windlass_runner.run.check_evidence import BaseFigures
from windlass_runner.run.frame import Frame
from windlass_runner.run.images import Images
from windlass_runner.run.job_environment import base_environment
from windlass_runner.run.kept import DEFAULT_LIMIT_BYTES
from windlass_runner.run.scratch import CACHE, CACHE_NEW, CONTROL, WORKSPACE, AttemptFolders
from windlass_runner.run.step_texts import evaluate_env
from windlass_runner.run.storage import Storage, slug


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all attempts of one run share. Made once by the conductor."""

    run: RunRecord
    plan: Plan
    engine: Engine
    images: Images
    storage: Storage
    contexts: Mapping[str, Any]
    """`github`, `event`, `inputs`, `vars`, `run`, `runner`."""
    secret: Callable[[str], str | None]
    action_folder: Callable[[str], Path]
    """The verified folder of a package, by digest."""
    fill_workspace: Callable[[Path], None]
    """Put a private copy of the commit into an empty folder."""
    clock: Callable[[], float]
    cpus: int
    memory_bytes: int
    cache_bytes: int = DEFAULT_LIMIT_BYTES
    base: Callable[[], BaseFigures | None] = lambda: None
    """The metrics that its jobs' are compared with; asked for once a job has succeeded."""
    remark: str = ""
    """What the owner of the job should know, at the head of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Which attempt of which job, and what it gets from the jobs before it."""

    around: Surroundings
    job: PlannedJob
    number: int
    lane: Lane
    needs: Mapping[str, Any]
    inputs: Mapping[str, Path]

    @property
    def spec(self) -> JobSpec:
        return self.around.plan.specs[self.job.job_id]

    @property
    def name(self) -> str:
        """The name of its container: the same for whoever makes it."""
        return f"windlass-{self.around.run.id}-{slug(self.job.key)}-{self.number}"

    @property
    def folders(self) -> AttemptFolders:
        return AttemptFolders.of(self.around.storage, self.around.run.id, self.job.key, self.number)


def make_folders(task: Task) -> None:
    """The folders with the commit in them, and copies of inputs that are outputs again.

    They appear complete or not at all, so that they are filled once: whoever comes after a crash finds
    what the job has changed since.

    Raises:
        OSError: disk full, or no permission.
    """
    folders = task.folders
    if folders.root.exists():
        folders.open_up(task.spec)
        return
    draft = folders.draft()
    if draft.root.exists():  # a crash of ours came between
        remove_tree(draft.root)
    try:
        _fill(task, draft)
        draft.root.rename(folders.root)
    except BaseException:
        remove_tree(draft.root)
        raise


def _fill(task: Task, folders: AttemptFolders) -> None:
    spec = task.spec
    event = json.dumps(task.around.plan.event.payload)
    folders.make(spec, event)
    if spec.has_checkout:
        task.around.fill_workspace(folders.workspace)
    for output in spec.outputs:
        source = task.inputs.get(output.name)
        if output.type == "volume" and source is not None and source.is_dir():
            shutil.copytree(source, folders.outputs / output.name, symlinks=True, dirs_exist_ok=True)
    if any(is_like_githubs(step) for step in leaves(spec.steps)):
        folders.make_github(event)


def make_contexts(task: Task) -> dict[str, Any]:
    """What the job's expressions see before its first step. Only secrets that it names are there.

    Raises:
        ExpressionError: in the workflow's or the job's `env`.
    """
    around, job = task.around, task.job
    contexts: dict[str, Any] = {
        **around.contexts,
        "github": {
            **around.contexts["github"],
            "job": job.job_id,
            "workspace": WORKSPACE,
            "event_path": f"{CONTROL}/event.json",
            "run_attempt": str(task.number),
        },
        "needs": task.needs,
        "matrix": job.matrix,
        "strategy": {"job-index": job.index, "job-total": job.total},
        "secrets": named_secrets(around, task.spec),
        "job": {"status": "success"},
        "steps": {},
        "env": {},
    }
    for name, secret_name in task.spec.given_secrets.items():
        contexts["inputs"] = {**contexts["inputs"], name: contexts["secrets"][secret_name]}
    own = task.spec.call is None  # a graph's jobs have no part in what the workflow says for its own
    for layer in (around.plan.env, task.spec.env) if own else (task.spec.env,):
        contexts["env"] = {**contexts["env"], **evaluate_env(layer, contexts, FixedHost())}
    return contexts


def named_secrets(around: Surroundings, spec: JobSpec) -> dict[str, Any]:
    """The `secrets` context of a job: those that it names; empty texts where there are none."""
    return {name: secret(around.secret(name) or "") for name in spec.secrets}


def make_frame(task: Task, contexts: Mapping[str, Any], *, told: Mapping[str, str] | None = None) -> Frame:
    """What all containers of the attempt share. `told`: variables that only this attempt has.

    Raises:
        ExpressionError: in the job's image.
        OperatorError: a package is not in the store.
    """
    around, spec = task.around, task.spec
    actions = {digest: around.action_folder(digest) for digest in sorted(_digests(spec.steps))}
    cache = make_cache(task) if spec.has_cache else None
    resources = bounded(spec.resources, cpus=around.cpus, memory_bytes=around.memory_bytes)
    return Frame(
        name=task.name,
        run_id=around.run.id,
        lane=task.lane,
        image=to_text(evaluate_template(spec.image, contexts)),
        env={
            **base_environment(contexts["github"], task.job),
            **({} if cache is None else {"WINDLASS_CACHE": CACHE, "WINDLASS_CACHE_NEW": CACHE_NEW}),
            **{name: str(value) for name, value in contexts["env"].items()},
            **(told or {}),
        },
        mounts=task.folders.mounts(task.inputs, actions, cache=cache),
        limits=Limits(cpus=resources.cpu, memory_bytes=resources.memory_bytes, shm_bytes=resources.shm_bytes),
        is_single=is_single(spec),
    )


def make_cache(task: Task) -> Path:
    """The folder of what earlier runs of the repository kept; made where there is none."""
    folder = task.around.storage.cache(task.around.run.repository)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_single(spec: JobSpec) -> bool:
    """Whether a job is one command, which then has the container to itself."""
    steps = spec.steps
    while len(steps) == 1:
        step = steps[0]
        if step.frame.condition is not None or step.frame.timeout_minutes is not None:
            return False
        if not isinstance(step, CompositeStep):
            return stages_of(step) == (None, None)
        steps = step.steps
    return False


def _digests(steps: Sequence[PlannedStep]) -> set[str]:
    """The packages whose files the steps use."""
    found: set[str] = set()
    for step in steps:
        if not isinstance(step, RunStep):
            found.add(step.action.digest)
        if isinstance(step, CompositeStep):
            found |= _digests(step.steps)
    return found
