"""What `run.progress` reckons with: the jobs of a run, what `needs` names, and what is decided of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from windlass_runner.plan.model import JobSpec, PlannedJob
from windlass_runner.run.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows for one job: it starts, it is final without having run, or it must be stopped."""

    key: str
    what: Literal["start", "end", "stop"]
    state: State = "queued"
    reason: str = ""


@dataclass(slots=True)
class Leg:
    """One planned job and where it stands."""

    job: PlannedJob
    state: State = "queued"
    outputs: Mapping[str, Any] = field(default_factory=dict)
    is_released: bool = False
    """Handed out to be started."""


@dataclass(slots=True)
class Group:
    """All jobs of one workflow job: what `needs` names."""

    spec: JobSpec
    legs: list[str]
    open_needs: int
    dependants: list[str] = field(default_factory=list)
    open_legs: int = 0
    held: deque[str] = field(default_factory=deque)
    """Legs that wait for `max-parallel`."""
    running: int = 0
    ancestor_failed: bool = False
    is_decided: bool = False

    @property
    def is_over(self) -> bool:
        return self.is_decided and self.open_legs == 0
