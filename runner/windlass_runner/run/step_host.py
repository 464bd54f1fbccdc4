"""What runs the commands of a job's steps, as `steps` sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from windlass_runner.run.step_commands import StepCommand

Outcome = Literal["success", "failure", "cancelled", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyStep:
    """One command with everything it needs, for the host to run."""

    number: int
    path: str
    """Its id, with those of the composite actions around it: `build/1`."""
    name: str
    command: StepCommand
    env: Mapping[str, str]
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFiles:
    """What a step left in its command files."""

    outputs: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    state: Mapping[str, str] = field(default_factory=dict)
    """For the later stages of the same action."""
    is_malformed: bool = False
    """A file could not be read: the step has failed, as on GitHub."""


class StepHost(Protocol):
    """Runs commands of one job, one after the other."""

    def run(self, step: ReadyStep, *, path_additions: tuple[str, ...]) -> int:
        """Run it to its end; its exit code."""
        ...

    def files(self, step: ReadyStep) -> StepFiles:
        """What it left behind."""
        ...

    def enter(self, number: int) -> bool:
        """The step of that number comes next, whether it will run or not. True where the job's stop
        came before it. The same number may come again, and gets the same answer."""
        ...

    def was_stopped(self, number: int) -> bool:
        """Whether that step did not end by itself."""
        ...

    def say(self, text: str, *, step: str, kind: Literal["system", "error"] = "system") -> None:
        """A line of our own in the job's log."""
        ...
