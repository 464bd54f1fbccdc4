"""Gates, the answers to them, and deployments, as they go into the ledger and come out. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from windlass_runner.ledger.records import State

DeploymentState = State | Literal["inactive"]
"""The state word of the job that deploys; `inactive` once another deployment took the place of a success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one person said to a gate. `via`: by which way they said it."""

    actor: str
    is_approval: bool
    comment: str = ""
    via: str = ""
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a job waits for before it begins. `approvers`: whose approval counts; none: of all who may."""

    job_key: str
    environment: str = ""
    """Empty: of a job that is nothing but an approval."""
    message: str = ""
    approvers: tuple[str, ...] = ()
    approvals: int = 1
    opened_at: float
    not_before: float
    """It lets nobody through until then."""
    ends_at: float
    """Until then it must have been approved."""
    answers: tuple[Answer, ...] = ()
    """In the order in which they were given, one of each person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingGate:
    """A gate at which a job waits now, and whose job that is."""

    run_id: str
    repository: str
    ref: str | None
    sha: str
    workflow: str
    gate: Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    """A job that deploys to an environment is released: it runs, or waits for that."""

    job_key: str
    environment: str
    state: State
    reason: str = ""
    url: str | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """One job's deployment to an environment. `approved_by`: whose approvals let it begin."""

    id: int
    run_id: str
    job_key: str
    environment: str
    repository: str
    ref: str | None
    sha: str
    workflow: str
    actor: str
    state: DeploymentState
    reason: str
    url: str | None
    approved_by: tuple[str, ...]
    created_at: float
    changed_at: float
