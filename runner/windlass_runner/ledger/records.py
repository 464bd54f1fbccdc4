"""What goes into the ledger and what comes out: plain values, times in seconds since the epoch (UTC).

Used by `run`, `daemon`, `web` and `commands`; imports nothing of the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal[
    "queued", "waiting", "running", "success", "failure", "cancelled", "skipped", "timed_out", "neutral"
]
AttemptState = Literal["created", "started", "ended"]
RequestKind = Literal["cancel", "rerun", "start", "answer", "stop"]

UNFINISHED: tuple[State, ...] = ("queued", "waiting", "running")
FINAL: frozenset[State] = frozenset(
    ("success", "failure", "cancelled", "skipped", "timed_out", "neutral"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as it is written down first: queued. `planned` is its JSON where it is not in the plan."""

    key: str
    name: str
    needs: tuple[str, ...] = ()
    planned: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be created. `plan` and `event` are JSON texts, kept as they are."""

    repository: str
    ref: str | None
    sha: str
    workflow: str
    workflow_path: str
    plan: str
    event: str
    name: str
    jobs: tuple[NewJob, ...]
    rerun_of: str | None = None
    group: str | None = None
    priority: int = 0
    snapshot: str | None = None
    notes: tuple[str, ...] = ()
    """What its author should know though it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run without its plan and event. `number` counts per repository and workflow, from 1."""

    id: str
    number: int
    repository: str
    ref: str | None
    sha: str
    workflow: str
    workflow_path: str
    name: str
    state: State
    reason: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    is_cancel_requested: bool
    rerun_of: str | None
    group: str | None
    priority: int
    snapshot: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job of a run, as it stands."""

    run_id: str
    key: str
    name: str
    needs: tuple[str, ...]
    state: State
    reason: str
    attempt: int
    """The number of the latest attempt; 0: none yet."""
    outputs: Mapping[str, Any]
    metrics: Mapping[str, Any]
    summary: str
    annotations: list[Any]
    started_at: float | None
    ended_at: float | None
    exit_code: int | None
    planned: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One try of a job, with what is needed to find its container again. Empty texts: not known yet."""

    run_id: str
    job_key: str
    number: int
    state: AttemptState
    lane: str
    container: str
    host: str
    exit_code: int | None
    cause: str | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """Something that happened. `id` is the cursor: later events have greater ones, and no event
    ever appears below one that has been seen."""

    id: int
    run_id: str
    job_key: str | None
    kind: str
    at: float
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUpdate:
    """What changes of a run. None: unchanged."""

    state: State | None = None
    reason: str | None = None
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdate:
    """What changes of a job. None: unchanged; what is given replaces what was there."""

    key: str
    state: State | None = None
    reason: str | None = None
    attempt: int | None = None
    outputs: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] | None = None
    summary: str | None = None
    annotations: Sequence[Any] | None = None
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptUpdate:
    """Where an attempt stands now; writes it down if it is new.

    The same update may come again after a crash: a state never goes back (an `ended` attempt stays
    ended), and the first time of each state is the one that is kept.
    """

    job_key: str
    number: int
    state: AttemptState
    at: float
    lane: str | None = None
    container: str | None = None
    host: str | None = None
    exit_code: int | None = None
    cause: str | None = None
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """An event to be written down."""

    kind: str
    job_key: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A webhook as received, its signature already checked. `id` is the forge's own."""

    id: str
    forge: str
    repository: str
    kind: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery in the inbox. `tries` says how often it was taken, this time included."""

    id: str
    forge: str
    repository: str
    kind: str
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxCounts:
    """How many deliveries wait, and how many ended with an error."""

    waiting: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxItem:
    """A commit whose status has to be posted. `tries` counts the failed ones since the last success."""

    repository: str
    sha: str
    version: int
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Something that the command line or a page asks of the daemon."""

    id: int
    kind: RequestKind
    payload: Mapping[str, Any]
    created_at: float


Scope = Literal["read", "run", "approve", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "run", "approve", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """Somebody who may use the HTTP API, known by a secret text of which only the digest is here."""

    id: str
    name: str
    digest: str
    """SHA-256 of the text, in hexadecimal."""
    scopes: tuple[Scope, ...]
    repositories: tuple[str, ...]
    """Names of the repositories that it is limited to; none: all."""
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None
    """To the minute: most uses are not written down."""
