"""What will run, as plain data: made by `compile_plan`, printed by `windlass plan`, run by `run`.

Texts may still hold ``${{ … }}`` where the answer is known only when the job starts (`needs`,
`steps`, `secrets`). Everything else is settled here. A plan holds names of secrets, never values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from windlass_registry.documents import Scalar, Value
from windlass_registry.manifest_model import ServedApp
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.model import (
    JobInput,
    OutputSpec,
    Resources,
    Retry,
    Reuse,
    Service,
    Strategy,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPin:
    """Which package an action's name became."""

    uses: str
    name: str
    version: str | None
    digest: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFrame:
    """What all steps have in common."""

    id: str
    """Its `id`, else its number ('1', '2' …) among its siblings."""
    name: str
    condition: str | None = None
    env: Mapping[str, Scalar] = field(default_factory=dict)
    continue_on_error: bool | str = False
    timeout_minutes: float | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """A script, run by a shell in the job's container (or in `image`, where it names another)."""

    frame: StepFrame
    script: str
    shell: str | None = None
    image: str | None = None
    working_directory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What an action does before the first step of its job, or after the last one."""

    program: str
    """A file of the package, or for a docker action a program of its image."""
    condition: str | None = None
    """None: always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStep:
    """A `using: docker` action: its own container, its own command."""

    frame: StepFrame
    action: ActionPin
    inputs: Mapping[str, Value]
    image: str
    """`docker://IMAGE`, or the path of a Dockerfile in the package."""
    entrypoint: Value = None
    args: Value = None
    action_env: Mapping[str, Scalar] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    """Inputs that are program text, and in which language (`shell`, `python`)."""
    pre: Stage | None = None
    post: Stage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonStep:
    """A `using: python` action: a file of the package, run by python3."""

    frame: StepFrame
    action: ActionPin
    inputs: Mapping[str, Value]
    main: str
    image: str | None = None
    requirements: str | None = None
    """A file of the package, in pip's form."""
    code: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStep:
    """A `using: node…` action: a file of the package, run by Node.js in `image`."""

    frame: StepFrame
    action: ActionPin
    inputs: Mapping[str, Value]
    main: str
    image: str
    code: Mapping[str, str] = field(default_factory=dict)
    pre: Stage | None = None
    post: Stage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeStep:
    """A `using: composite` action: steps that see its `inputs` and give its `outputs`."""

    frame: StepFrame
    action: ActionPin
    inputs: Mapping[str, Value]
    outputs: Mapping[str, str]
    steps: tuple[PlannedStep, ...]
    code: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedApproval:
    """A `using: approval` action, which is all that its job is: nothing runs, people let it through. The
    texts are expressions of `inputs`."""

    action: ActionPin
    inputs: Mapping[str, Value]
    message: str = ""
    approvers: Value = None
    approvals: Value = 1
    timeout_minutes: Value = None


LeafStep = RunStep | ContainerStep | PythonStep | NodeStep
"""A step that starts something."""
PlannedStep = LeafStep | CompositeStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A concurrency group; `name` may hold expressions where it stands on a job."""

    name: str
    cancel_in_progress: bool | str = False
    queue: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A job of the workflow with defaults applied; shared by all jobs that its matrix gives."""

    id: str
    name: str
    """May hold `matrix` expressions."""
    needs: tuple[str, ...]
    condition: str | None
    steps: tuple[PlannedStep, ...]
    image: str
    env: Mapping[str, Scalar]
    inputs: tuple[JobInput, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    resources: Resources = Resources()
    strategy: Strategy | None = None
    retry: Retry | None = None
    timeout_minutes: float | str | None = None
    continue_on_error: bool | str = False
    services: tuple[Service, ...] = ()
    environment: str | None = None
    environment_url: str | None = None
    approval: PlannedApproval | None = None
    """There are no steps then."""
    concurrency: Group | None = None
    reuse: Reuse | None = None
    expect: Mapping[str, str] = field(default_factory=dict)
    expect_lines: Mapping[str, int] = field(default_factory=dict)
    """Where its conditions stand in the workflow file."""
    priority: int = 0
    has_checkout: bool = True
    secrets: tuple[str, ...] = ()
    """Names of the secrets that it mentions; no others are given to it."""
    is_deterministic: bool = False
    has_cache: bool = False
    """An action of it keeps folders for later runs (`permissions.cache`)."""
    app: ServedApp | None = None
    """What an action of it serves while it runs (`app` of its manifest)."""
    call: str | None = None
    """The id of the graph (`Plan.calls`) that it is a job of; None: it is the workflow's own."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What its names of `needs` stand for, where these are not the ids in `needs`: jobs, or graphs."""
    given: Mapping[str, Value] = field(default_factory=dict)
    """The inputs of its graph, as far as they are known before the run."""
    given_secrets: Mapping[str, str] = field(default_factory=dict)
    """The inputs of its graph that it reads and that are secrets, with the names of these."""


def outermost(job_id: str) -> str:
    """The job of the workflow's own file that a job stands in: itself, or the graph that it is a job of."""
    return re.split(r"/| \(", job_id, maxsplit=1)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutput:
    """An output of a graph: a text with expressions that see `jobs`; `job` and `output` where it is one job's
    and no more."""

    value: str
    job: str | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCall:
    """A job that is a graph of jobs (`using: workflow`), or one of those that its matrix gives. It is no job
    that runs: its jobs stand in the plan, and see what it was given."""

    id: str
    """What the ids of its jobs begin with, before a '/'."""
    job_id: str
    """The id of the job as written: the same for all that its matrix gives."""
    action: ActionPin
    around: str | None = None
    """The id of the graph that it stands in itself."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What its names of `needs` stand for: ids of jobs, or of graphs."""
    condition: str | None = None
    given: Mapping[str, Value] = field(default_factory=dict)
    """Its inputs, as far as they are known before the run."""
    late: Mapping[str, Value] = field(default_factory=dict)
    """The others, as written: known when what it needs has ended."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Of the late ones that are numbers or booleans."""
    outputs: Mapping[str, CallOutput] = field(default_factory=dict)
    jobs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the names of its own jobs stand for."""
    matrix: Mapping[str, Value] = field(default_factory=dict)
    index: int = 0
    total: int = 1
    fail_fast: bool | str = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One node of the graph as it runs. `key` is unique in the plan and stable across re-runs."""

    key: str
    job_id: str
    name: str
    matrix: Mapping[str, Value] = field(default_factory=dict)
    index: int = 0
    total: int = 1
    is_deferred: bool = False
    """Its matrix comes from another job's output: it becomes several when that job has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything one run needs to know."""

    workflow: str
    path: str
    run_name: str
    event: Event
    reason: str
    """Why it runs: which trigger matched, in words."""
    inputs: Mapping[str, Value]
    env: Mapping[str, Scalar]
    specs: Mapping[str, JobSpec]
    jobs: tuple[PlannedJob, ...]
    calls: Mapping[str, GraphCall] = field(default_factory=dict)
    """The graphs of jobs that it was put together from, by id."""
    actions: tuple[ActionPin, ...] = ()
    concurrency: Group | None = None
    priority: int = 0
    notes: tuple[str, ...] = ()
    """What the author should know though it runs (no lock, warnings)."""
    images: Mapping[str, str] = field(default_factory=dict)
    """What the lock pins names of images to: `name@sha256:…`, or the id of one that no registry has."""
    unlocked_images: Literal["say", "refuse"] | None = None
    """What becomes of an image that the lock does not pin; None: there is no lock."""
    image_registries: tuple[str, ...] | None = None
    """Where images may come from, as the owner of the host decides; None: anywhere."""
