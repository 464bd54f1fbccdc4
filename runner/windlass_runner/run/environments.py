"""Environments as the owner of the host describes them: who deploys there, and what such a job gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from windlass_runner.workflow.patterns import selects

LONGEST_WAIT_S: Final = 30 * 24 * 3600.0
"""How long a gate waits for its approvals where nobody says; GitHub's 30 days."""
_BRANCHES: Final = "refs/heads/"


def no_secret(_name: str) -> None:
    """Of an environment that has none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRules:
    """What holds for jobs that deploy to an environment."""

    name: str
    branches: tuple[str, ...] = ()
    """Patterns of the refs that may deploy there, as under `on.push.branches`; one that begins with `refs/`
    is for the whole name of a ref. None: all may."""
    approvers: tuple[str, ...] = ()
    """Whose approval counts; none: of everybody who may write."""
    approvals: int = 0
    wait_s: float = 0.0
    timeout_s: float = LONGEST_WAIT_S
    url: str | None = None
    secret: Callable[[str], str | None] = no_secret
    """A secret of this environment, by its name."""

    @property
    def has_gate(self) -> bool:
        """Whether jobs wait before they begin."""
        return self.approvals > 0 or self.wait_s > 0

    def takes(self, ref: str) -> bool:
        """Whether jobs of runs for that ref may deploy here."""
        return not self.branches or selects(map(_whole, self.branches), ref)


def _whole(pattern: str) -> str:
    """A pattern for the names of branches as one for refs."""
    sign, name = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    return sign + (name if name.startswith("refs/") else _BRANCHES + name)


Environments = Callable[[str, str], EnvironmentRules | None]
"""The rules of an environment for a repository (its address, then the environment's name); None: there are
none, so everything may deploy there at once."""


def no_environments(_repository: str, _name: str) -> None:
    """Where nobody has described any."""
