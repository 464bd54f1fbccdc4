"""What the author of a workflow wrote, as types. Made by `workflow.parse`, read by `plan`.

Texts that may hold ``${{ … }}`` are kept as they were written (their syntax is checked at parse);
Gradient's bare references have become such expressions by then. Positions count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from windlass_registry.documents import Position, Scalar, Value

InputType = Literal[
    "string", "number", "boolean", "choice", "dataset", "model", "volume", "artifact", "environment"
]
OutputType = Literal["volume", "dataset", "model", "artifact", "string"]
RetryCause = Literal["failure", "error", "timeout", "oom", "host-lost", "preempted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One typed input of a workflow (or of `workflow_dispatch`)."""

    name: str
    type: InputType = "string"
    default: Value = None
    required: bool = False
    description: str = ""
    options: tuple[Scalar, ...] = ()
    ref: str | None = None
    """For datasets and models: what `with: {ref}` names."""
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class RefFilter:
    """GitHub's filter patterns of one trigger, in the order written ('!' patterns included)."""

    branches: tuple[str, ...] = ()
    branches_ignore: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tags_ignore: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    paths_ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTrigger:
    filter: RefFilter
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestTrigger:
    types: tuple[str, ...]
    filter: RefFilter
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrigger:
    cron: str
    timezone: str
    concurrency_policy: Literal["allow", "forbid", "replace"]
    starting_deadline_s: float | None
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchTrigger:
    """`workflow_dispatch`: by hand. Its inputs are merged into `Workflow.inputs`."""

    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTrigger:
    name: str
    secret: str | None
    """Name of the secret that signs the calls."""
    inputs: Mapping[str, str]
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTrigger:
    """A new version of a dataset or model."""

    kind: Literal["dataset", "model"]
    name: str
    tag: str | None
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRunTrigger:
    workflows: tuple[str, ...]
    conclusions: tuple[str, ...]
    branches: tuple[str, ...]
    branches_ignore: tuple[str, ...] = ()
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherTrigger:
    """A GitHub event that is known by name and matched by `types` alone (issue_comment, create …)."""

    event: str
    types: tuple[str, ...]
    at: Position


Trigger = (
    PushTrigger
    | PullRequestTrigger
    | ScheduleTrigger
    | DispatchTrigger
    | WebhookTrigger
    | VersionTrigger
    | WorkflowRunTrigger
    | OtherTrigger
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRequest:
    count: int = 0
    memory_bytes: int | None = None
    """Least memory of each GPU."""
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a job asks of its host. None: the host's default."""

    gpu: GpuRequest | None = None
    cpu: float | None = None
    memory_bytes: int | None = None
    shm_bytes: int | None = None
    instance_type: str | None = None
    labels: tuple[str, ...] = ()
    container_registries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    limit: int
    when: str | None = None
    """An expression, seen after a failed attempt."""
    on: tuple[RetryCause, ...] = ("failure", "error", "timeout", "oom", "host-lost", "preempted")
    delay_s: float = 0.0
    backoff: float = 1.0
    max_delay_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    group: str
    cancel_in_progress: bool | str = False
    queue: int = 1
    """How many may wait; a newer one replaces the oldest that waits beyond it."""
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    matrix: Mapping[str, Value] | str | None = None
    """Axes (lists, or expressions), or one expression for the whole; without include and exclude."""
    include: tuple[Mapping[str, Value], ...] | str = ()
    exclude: tuple[Mapping[str, Value], ...] | str = ()
    fail_fast: bool | str = True
    max_parallel: int | str | None = None
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    name: str
    image: str
    env: Mapping[str, Scalar] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    health_command: str | None = None
    health_interval_s: float = 2.0
    health_timeout_s: float = 5.0
    health_retries: int = 30
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInput:
    """One entry of a job's `inputs`: another job's output, a workflow input, or what exists already."""

    name: str
    job: str | None = None
    """The job whose output it is."""
    output: str | None = None
    workflow_input: str | None = None
    type: str | None = None
    """With `ref`: an inline dataset, model …"""
    ref: str | None = None
    value: Value = None
    """Any other value or expression."""
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    name: str
    type: OutputType
    ref: str | None = None
    """For datasets and models: the name to commit to (an expression is allowed)."""
    retention_days: float | None = None
    value: str | None = None
    """The expression of GitHub's spelling (`outputs: {name: ${{ … }}}`); the type is `string` then."""
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    key: str | None = None
    max_age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: `run` or `uses`, never both."""

    id: str | None = None
    name: str | None = None
    condition: str | None = None
    run: str | None = None
    shell: str | None = None
    image: str | None = None
    uses: str | None = None
    with_: Mapping[str, Value] = field(default_factory=dict)
    env: Mapping[str, Scalar] = field(default_factory=dict)
    working_directory: str | None = None
    continue_on_error: bool | str = False
    timeout_minutes: float | str | None = None
    at: Position
    uses_at: Position | None = None
    with_at: Mapping[str, Position] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A node of the graph as written: one action (`uses`) or a list of `steps`."""

    id: str
    name: str | None = None
    needs: tuple[str, ...] = ()
    """Jobs named under `needs`, and those whose outputs `inputs` takes."""
    condition: str | None = None
    """The text of `if`, without the ${{ }} around it."""
    uses: str | None = None
    with_: Mapping[str, Value] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    image: str | None = None
    env: Mapping[str, Scalar] = field(default_factory=dict)
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
    """The address that GitHub's spelling (`environment: {name, url}`) shows with the deployment."""
    concurrency: Concurrency | None = None
    reuse: Reuse | None = None
    """None: the action's own default. `Reuse()` for `reuse: true`; `no_reuse` for `reuse: false`."""
    no_reuse: bool = False
    expect: Mapping[str, str] = field(default_factory=dict)
    """Conditions by metric (`workflow.conditions`), as written."""
    expect_at: Mapping[str, Position] = field(default_factory=dict)
    priority: int | None = None
    checkout: bool = True
    at: Position
    uses_at: Position | None = None
    with_at: Mapping[str, Position] = field(default_factory=dict)
    image_at: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    image: str | None = None
    image_at: Position | None = None
    resources: Resources = Resources()
    env: Mapping[str, Scalar] = field(default_factory=dict)
    retry: Retry | None = None
    timeout_minutes: float | None = None
    cluster_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One workflow file, checked. `defaults` are not yet applied to the jobs: planning does that."""

    path: str
    name: str
    run_name: str | None = None
    triggers: tuple[Trigger, ...] = ()
    inputs: Mapping[str, InputSpec] = field(default_factory=dict)
    defaults: Defaults = Defaults()
    env: Mapping[str, Scalar] = field(default_factory=dict)
    concurrency: Concurrency | None = None
    priority: int | None = None
    jobs: Mapping[str, Job]
