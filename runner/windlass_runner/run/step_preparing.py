"""A step made ready for its host: its expressions replaced, its script written, its variables in layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.expressions import FunctionHost
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.plan.model import ContainerStep, LeafStep, NodeStep, PythonStep, RunStep, StepFrame
from windlass_runner.plan.steps import is_like_githubs
from windlass_runner.run.action_commands import (
    ActionPlace,
    command_of_container,
    command_of_node,
    command_of_python,
)
from windlass_runner.run.carried import Carried
from windlass_runner.run.scope import Scope, action_context, action_env
from windlass_runner.run.scratch import AttemptFolders
from windlass_runner.run.step_commands import StepCommand, command_of_script
from windlass_runner.run.step_host import ReadyStep
from windlass_runner.run.step_texts import evaluate_env, evaluate_inputs, input_variables


class StepPreparing:
    """Makes the steps of one attempt ready. `action_folder` gives the folder of a package, by digest."""

    def __init__(
        self,
        carried: Carried,
        *,
        folders: AttemptFolders,
        env: Mapping[str, str],
        action_folder: Callable[[str], Path],
    ) -> None:
        self._carried = carried
        self._folders = folders
        self._job_env = dict(env)
        self._action_folder = action_folder

    def prepare(
        self,
        step: LeafStep,
        scope: Scope,
        host: FunctionHost,
        *,
        number: int,
        path: str,
        action: str,
    ) -> ReadyStep:
        """The step, ready. `action`: the path under which its action's other stages have left state.

        Raises:
            ExpressionError
        """
        env = evaluate_env(step.frame.env, scope.contexts, host)
        contexts = {**scope.contexts, "env": {**scope.contexts["env"], **env}}
        if isinstance(step, RunStep):
            variables: Mapping[str, str] = {}
            control = SharedFolder(self._folders.control)
            command = command_of_script(step, control, number, contexts, host)
        else:
            values, texts = evaluate_inputs(step.inputs, step.code, contexts, host)
            state = self._carried.state_variables(action)
            variables = {**texts, **input_variables(values), **action_env(step), **state}
            inner = {**contexts, "inputs": values, "github": {**contexts["github"], **action_context(step)}}
            command = self._command(step, inner, host)
        return ReadyStep(
            number=number,
            path=path,
            name=step.frame.name,
            command=command,
            env={
                **self._job_env,
                **command.surroundings,
                **self._carried.env,
                **scope.extra_env,
                **env,
                **variables,
                **command.env,
            },
            timeout_s=_timeout_s(step.frame, contexts, host),
        )

    def _command(
        self, step: ContainerStep | PythonStep | NodeStep, contexts: Mapping[str, Any], host: FunctionHost
    ) -> StepCommand:
        match step:
            case ContainerStep():
                return command_of_container(step, contexts, host, self._place(step))
            case NodeStep():
                return command_of_node(step, self._place(step))
            case PythonStep():
                return command_of_python(step, contexts, host)

    def _place(self, step: ContainerStep | NodeStep) -> ActionPlace:
        return ActionPlace(
            package=self._action_folder(step.action.digest),
            mounts=self._folders.github_mounts() if is_like_githubs(step) else (),
        )


def _timeout_s(frame: StepFrame, contexts: Mapping[str, Any], host: FunctionHost) -> float | None:
    minutes = frame.timeout_minutes
    if isinstance(minutes, str):
        minutes = float(evaluate_template(minutes, contexts, host=host) or 0)
    return None if not minutes else float(minutes) * 60
