"""What an action says of itself, as types. Import them from `windlass_registry.manifest`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from windlass_registry.documents import Position, Scalar, Value
from windlass_registry.errors import Problem

InputType = Literal["string", "number", "boolean", "choice", "list", "dataset", "model", "volume", "artifact"]
Code = Literal["shell", "python"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionInput:
    """One input of an action (`inputs.<name>`)."""

    name: str
    description: str = ""
    required: bool = False
    default: Value = None
    type: InputType | None = None
    """None: undeclared, as in GitHub's own actions; any scalar is taken as text, a list as it is."""
    options: tuple[Scalar, ...] = ()
    code: Code | None = None
    """Set where the value is program text: strangers' values are then never pasted into it."""
    aliases: tuple[str, ...] = ()
    """Older spellings of the name that are taken too."""
    deprecated: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOutput:
    """One output of an action. `value` is an expression, in composite actions and graphs only."""

    name: str
    description: str = ""
    value: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStep:
    """One step of a composite action: `run` or `uses`."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerRuns:
    """`using: docker`. `image` is `docker://IMAGE` (may hold expressions) or `Dockerfile`."""

    image: str
    entrypoint: Value = None
    """Text (an expression may give a list), or a list."""
    args: Value = None
    """A list, or an expression that gives one."""
    env: Mapping[str, Scalar] = field(default_factory=dict)
    pre_entrypoint: str | None = None
    """Programs of the image that run before the job's first step and after its last."""
    post_entrypoint: str | None = None
    pre_if: str | None = None
    """Conditions of these two; None: always."""
    post_if: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeRuns:
    """`using: composite`: steps, run in order in the job's container."""

    steps: tuple[ActionStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRuns:
    """`using: python`: `main` (a file of the package), run by `python3` in `image`, else in the job image."""

    main: str
    image: str | None = None
    """May hold expressions; one that gives '' falls back to the job's image."""
    requirements: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRuns:
    """`node12` to `node24`: files of the package, run by Node.js; `pre` before the job's first step, `post`
    after its last."""

    using: str
    main: str
    pre: str | None = None
    post: str | None = None
    pre_if: str | None = None
    """Conditions of `pre` and `post`; None: always."""
    post_if: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRuns:
    """`using: approval`: no program and no container; the job waits until people have let it through. Each
    may be an expression of the inputs."""

    message: str = ""
    """What they are asked."""
    approvers: Value = None
    """A list of names, or a text of several; none: everybody who may write."""
    approvals: Value = 1
    timeout_minutes: Value = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRuns:
    """`using: workflow`: a graph of jobs in the language of workflows, which the runner reads; what is known
    of it here is what it uses."""

    source: str = ""
    """The text of the whole manifest, so that whoever reads the jobs can name their lines."""
    path: str = ""
    """How problems name that text."""
    uses: Mapping[str, str]
    """The packages that its jobs and their steps use: as written, and as a lock names them."""
    parts: Mapping[str, GraphPart] = field(default_factory=dict)
    """The actions in folders below its own that it uses (`./PATH`, `$/PATH`), by their path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphPart:
    """An action in a folder of the package whose graph uses it."""

    manifest: ActionManifest
    digest: str


Runs = DockerRuns | CompositeRuns | PythonRuns | NodeRuns | ApprovalRuns | GraphRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One use of an action, as it would stand in a job."""

    name: str
    description: str = ""
    with_: Mapping[str, Value] = field(default_factory=dict)
    inputs: Mapping[str, Value] = field(default_factory=dict)
    outputs: Mapping[str, Value] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    """What a machine has to have beyond an engine: a test leaves the example out unless it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedApp:
    """`app`: while the action runs, it serves HTTP on `port` of its container, for people's browsers."""

    port: int
    path: str = "/"
    """Where people begin, below the app's own address."""
    ready: str = "/"
    """What answers, below that address, as soon as it can be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionManifest:
    """What an action says of itself."""

    name: str
    description: str = ""
    author: str = ""
    version: str | None = None
    is_deterministic: bool = False
    inputs: Mapping[str, ActionInput] = field(default_factory=dict)
    outputs: Mapping[str, ActionOutput] = field(default_factory=dict)
    runs: Runs
    metrics: tuple[str, ...] = ()
    permissions: Mapping[str, Value] = field(default_factory=dict)
    resources: Mapping[str, Value] = field(default_factory=dict)
    """What a job of it usually needs, as under `resources` of a job."""
    app: ServedApp | None = None
    examples: tuple[Example, ...] = ()
    branding: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    """What runs, but probably not as its author thinks (keys that GitHub would ignore in silence)."""

    def uses(self) -> tuple[str, ...]:
        """The packages that this one uses itself, each once: those of a composite action's steps; those of a
        graph's jobs, and of the actions in its own folders."""
        match self.runs:
            case CompositeRuns(steps=steps):
                return tuple(dict.fromkeys(step.uses for step in steps if step.uses is not None))
            case GraphRuns(uses=uses, parts=parts):
                of_parts = [text for part in parts.values() for text in part.manifest.uses()]
                return tuple(dict.fromkeys([*uses.values(), *of_parts]))
            case _:
                return ()
