"""What expressions see within a job's steps, and within each composite action among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass_runner.expressions import FunctionHost
from windlass_runner.plan.model import CompositeStep, ContainerStep, NodeStep, PythonStep
from windlass_runner.run.scratch import action_path
from windlass_runner.run.step_host import Outcome
from windlass_runner.run.step_texts import evaluate_env, evaluate_inputs


@dataclass(slots=True)
class Scope:
    """The job's steps, or the inside of one composite action."""

    contexts: dict[str, Any]
    path: str = ""
    extra_env: Mapping[str, str] = field(default_factory=dict)
    """Variables that the texts of a composite action's inputs use."""
    status: Outcome = "success"
    is_after_stop: bool = False
    """Begun when the job was being stopped: within it, steps follow one another as ever."""

    @property
    def steps(self) -> dict[str, Any]:
        found: dict[str, Any] = self.contexts["steps"]
        return found

    def inside(self, step: CompositeStep, host: FunctionHost, *, is_after_stop: bool) -> Scope:
        """The inside of a composite action that stands here.

        Raises:
            ExpressionError
        """
        env = evaluate_env(step.frame.env, self.contexts, host)
        contexts = {**self.contexts, "env": {**self.contexts["env"], **env}}
        values, variables = evaluate_inputs(step.inputs, step.code, contexts, host)
        contexts["inputs"] = values
        contexts["steps"] = {}
        contexts["github"] = {**contexts["github"], **action_context(step)}
        return Scope(
            contexts=contexts,
            path=f"{self.path}{step.frame.id}/",
            extra_env={**self.extra_env, **env, **variables, **action_env(step)},
            is_after_stop=is_after_stop,
        )


def action_context(step: ContainerStep | PythonStep | NodeStep | CompositeStep) -> dict[str, str]:
    """What `github` says of the action that runs. A folder of the workflow's own repository has no name."""
    is_local = step.action.source == "local"
    return {
        "action": step.frame.id,
        "action_path": action_path(step.action.digest),
        "action_repository": "" if is_local else step.action.name,
        "action_ref": "" if is_local else step.action.version or "",
    }


def action_env(step: ContainerStep | PythonStep | NodeStep | CompositeStep) -> dict[str, str]:
    """The same, as variables."""
    found = action_context(step)
    return {f"GITHUB_{name.upper()}": value for name, value in found.items()}
