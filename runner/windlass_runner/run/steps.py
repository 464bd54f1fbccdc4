"""The steps of one job, in order: conditions, composite actions, outputs between steps.

Knows nothing of engines: a `StepHost` runs one command and gives its exit code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.engines.base import NO_PROGRAM, CommandNotStartable
from windlass_runner.expressions import ExpressionError, FixedHost, FunctionHost
from windlass_runner.expressions.templates import evaluate_condition, evaluate_template
from windlass_runner.expressions.values import to_text, untrusted
from windlass_runner.plan.model import (
    CompositeStep,
    ContainerStep,
    LeafStep,
    NodeStep,
    PlannedStep,
    PythonStep,
    RunStep,
    StepFrame,
)
from windlass_runner.plan.steps import is_like_githubs
from windlass_runner.run.action_commands import (
    ActionPlace,
    command_of_container,
    command_of_node,
    command_of_python,
)
from windlass_runner.run.action_stages import Staged, first_stages, last_stages, program_of
from windlass_runner.run.scratch import AttemptFolders, action_path
from windlass_runner.run.step_commands import StepCommand, command_of_script
from windlass_runner.run.step_host import Outcome, ReadyStep, StepHost
from windlass_runner.run.step_texts import evaluate_env, evaluate_inputs, input_variables


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


class Steps:
    """Walks the steps of one attempt. Made for one attempt, used by one thread."""

    def __init__(
        self,
        host: StepHost,
        *,
        folders: AttemptFolders,
        env: Mapping[str, str],
        action_folder: Callable[[str], Path],
        workspace: Path | None = None,
    ) -> None:
        """`action_folder` gives the folder of a package, by digest."""
        self._action_folder = action_folder
        self._host = host
        self._folders = folders
        self._job_env: dict[str, str] = dict(env)
        self._added_env: dict[str, str] = {}
        self._added_path: tuple[str, ...] = ()
        self._workspace = workspace
        self._number = 0
        self._is_cancelled = False
        self._scopes: dict[str, Scope] = {}
        """Around each action that has begun, by its path: what it does after the last step sees the same."""
        self._state: dict[str, dict[str, str]] = {}
        self.said: dict[str, str] = {}
        """Everything that any step put out, the last of a name."""
        self.last_code = 0
        self.exit_code = 0
        """Of the first step that failed and was not allowed to."""

    def run(self, steps: Sequence[PlannedStep], scope: Scope) -> Outcome:
        """Run the steps of a job; how it went as a whole. Before the first and after the last one comes
        what their actions have for then, the latter in reverse order and whatever has failed."""
        for staged in first_stages(steps):
            self._stage(staged, scope)
        self._sequence(steps, scope)
        for staged in last_stages(steps):
            self._stage(staged, scope)
        return scope.status

    def _stage(self, staged: Staged, job: Scope) -> None:
        """What an action does before the first or after the last step of the job."""
        number = self._number + 1
        self._is_cancelled = self._host.enter(number)
        job.contexts["job"]["status"] = self._status(job)
        self._number = number
        try:
            scope = self._scope_of_stage(staged, job)
            if scope is None or not evaluate_condition(
                staged.stage.condition or "always()", scope.contexts, host=self._function_host(job)
            ):
                return
            self._scopes[staged.path] = scope
            path = f"{staged.path}/{staged.word}"
            ready = self.prepare(program_of(staged), scope, number, path, action=staged.path)
            outcome, _ = self._carry_out(ready, scope, staged.path)
        except ExpressionError as error:
            self._host.say(str(error), step=staged.path, kind="error")
            outcome, self.last_code = "failure", 1
        if outcome == "failure" and self.exit_code == 0:
            self.exit_code = self.last_code or 1
        if outcome != "success" and job.status == "success":
            job.status = outcome

    def _scope_of_stage(self, staged: Staged, job: Scope) -> Scope | None:
        """What the action sees; None: it has not begun, so there is nothing to do after it."""
        if staged.word == "post":
            return self._scopes.get(staged.path)
        scope = job
        for composite in staged.around:
            scope = self._inner_scope(composite, scope, f"{scope.path}{composite.frame.id}")
        return scope

    def _sequence(self, steps: Sequence[PlannedStep], scope: Scope) -> Outcome:
        for step in steps:
            outcome = self._one(step, scope)
            if outcome in ("failure", "cancelled") and scope.status == "success":
                scope.status = outcome
        return scope.status

    def _function_host(self, scope: Scope) -> FunctionHost:
        status = self._status(scope)
        return FixedHost(
            succeeded=status == "success",
            failed=status == "failure",
            was_cancelled=self._is_cancelled,
            root=self._workspace,
        )

    def _status(self, scope: Scope) -> Outcome:
        """One of `success`, `failure` and `cancelled`, so that of their functions one is true."""
        return "cancelled" if self._is_cancelled and not scope.is_after_stop else scope.status

    def _one(self, step: PlannedStep, scope: Scope) -> Outcome:
        """One step, with what `continue-on-error` makes of it. Gives its conclusion."""
        number = self._number + 1
        self._is_cancelled = self._host.enter(number)
        if scope.path:
            scope.contexts["github"]["action_status"] = self._status(scope)
        else:
            scope.contexts["job"]["status"] = self._status(scope)
        path = f"{scope.path}{step.frame.id}"
        try:
            if not self._is_wanted(step.frame, scope):
                self._number += _count(step)
                self._note(step.frame, scope, "skipped", "skipped", {})
                return "skipped"
            outcome, outputs = self._dispatch(step, scope, path)
        except ExpressionError as error:
            self._number = number - 1 + _count(step)
            self._host.say(str(error), step=path, kind="error")
            outcome, outputs = "failure", {}
            self.last_code = 1
        conclusion = outcome
        if outcome == "failure":
            if self._is_allowed_to_fail(step.frame, scope):
                conclusion = "success"
            elif self.exit_code == 0:
                self.exit_code = self.last_code or 1
        self._note(step.frame, scope, outcome, conclusion, outputs)
        return conclusion

    def _is_wanted(self, frame: StepFrame, scope: Scope) -> bool:
        host = self._function_host(scope)
        if frame.condition is None:
            return host.success()
        return evaluate_condition(frame.condition, scope.contexts, host=host)

    def _is_allowed_to_fail(self, frame: StepFrame, scope: Scope) -> bool:
        written = frame.continue_on_error
        if isinstance(written, bool):
            return written
        return evaluate_template(written, scope.contexts, host=self._function_host(scope)) is True

    def _note(
        self,
        frame: StepFrame,
        scope: Scope,
        outcome: Outcome,
        conclusion: Outcome,
        outputs: Mapping[str, str],
    ) -> None:
        scope.steps[frame.id] = {
            "outcome": outcome,
            "conclusion": conclusion,
            "outputs": untrusted(outputs),
        }

    def _dispatch(self, step: PlannedStep, scope: Scope, path: str) -> tuple[Outcome, Mapping[str, str]]:
        if isinstance(step, CompositeStep):
            return self._composite(step, scope, path)
        self._number += 1
        self._scopes[path] = scope
        ready = self.prepare(step, scope, self._number, path)
        return self._carry_out(ready, scope, path)

    def _carry_out(self, ready: ReadyStep, scope: Scope, action: str) -> tuple[Outcome, Mapping[str, str]]:
        """Run one command, and take over what it leaves. `action`: the path of the step that it is for."""
        code = self._code_of(ready)
        self.last_code = code
        files = self._host.files(ready)
        self.said.update(files.outputs)
        self._added_env.update(files.env)
        self._added_path = (*files.path, *self._added_path)
        self._state.setdefault(action, {}).update(files.state)
        scope.contexts["env"] = {**scope.contexts["env"], **untrusted(files.env)}
        if code == 0 and not files.is_malformed:
            return "success", files.outputs
        return ("cancelled" if self._host.was_stopped(ready.number) else "failure"), files.outputs

    def _code_of(self, ready: ReadyStep) -> int:
        """Run it. A program that its image lacks is told with what helps."""
        try:
            code = self._host.run(ready, path_additions=self._added_path)
        except CommandNotStartable as error:
            if ready.command.remedy is None:
                raise
            raise CommandNotStartable(f"'{ready.name}' cannot run", remedy=ready.command.remedy) from error
        if code == NO_PROGRAM and ready.command.remedy is not None:
            self._host.say(ready.command.remedy, step=ready.path, kind="error")
        return code

    def _composite(self, step: CompositeStep, scope: Scope, path: str) -> tuple[Outcome, Mapping[str, str]]:
        inner = self._inner_scope(step, scope, path)
        outcome = self._sequence(step.steps, inner)
        host = self._function_host(inner)
        outputs = {
            name: to_text(evaluate_template(value, inner.contexts, host=host))
            for name, value in step.outputs.items()
        }
        self.said.update(outputs)
        return outcome, outputs

    def _inner_scope(self, step: CompositeStep, scope: Scope, path: str) -> Scope:
        host = self._function_host(scope)
        env = evaluate_env(step.frame.env, scope.contexts, host)
        contexts = {**scope.contexts, "env": {**scope.contexts["env"], **env}}
        values, variables = evaluate_inputs(step.inputs, step.code, contexts, host)
        contexts["inputs"] = values
        contexts["steps"] = {}
        contexts["github"] = {**contexts["github"], **_action_context(step)}
        return Scope(
            contexts=contexts,
            path=f"{path}/",
            extra_env={**scope.extra_env, **env, **variables, **_action_env(step)},
            is_after_stop=self._is_cancelled,
        )

    def first(self, steps: Sequence[PlannedStep], scope: Scope) -> ReadyStep:
        """The first command of a job, made ready without running it: for a job that has only one."""
        step = steps[0]
        if isinstance(step, CompositeStep):
            return self.first(step.steps, self._inner_scope(step, scope, f"{scope.path}{step.frame.id}"))
        return self.prepare(step, scope, 1, f"{scope.path}{step.frame.id}")

    def prepare(
        self, step: LeafStep, scope: Scope, number: int, path: str, *, action: str | None = None
    ) -> ReadyStep:
        """A step with its expressions replaced and its script written. `action`: the path under which its
        action's other stages have left state, where that is not its own.

        Raises:
            ExpressionError
        """
        host = self._function_host(scope)
        env = evaluate_env(step.frame.env, scope.contexts, host)
        contexts = {**scope.contexts, "env": {**scope.contexts["env"], **env}}
        variables: dict[str, str] = {}
        if isinstance(step, RunStep):
            control = SharedFolder(self._folders.control)
            command = command_of_script(step, control, number, contexts, host)
        else:
            values, variables = evaluate_inputs(step.inputs, step.code, contexts, host)
            variables = {**variables, **input_variables(values), **_action_env(step)}
            variables |= {f"STATE_{name}": value for name, value in self._state_of(action or path).items()}
            inner = {**contexts, "inputs": values, "github": {**contexts["github"], **_action_context(step)}}
            command = self._command(step, inner, host)
        return ReadyStep(
            number=number,
            path=path,
            name=step.frame.name,
            command=command,
            env={
                **self._job_env,
                **command.surroundings,
                **self._added_env,
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
        is_like_github = is_like_githubs(step)
        return ActionPlace(
            package=self._action_folder(step.action.digest),
            mounts=self._folders.github_mounts() if is_like_github else (),
        )

    def _state_of(self, action: str) -> Mapping[str, str]:
        return self._state.get(action, {})


def _count(step: PlannedStep) -> int:
    """How many commands a step stands for: numbers stay the same whether it is skipped or not."""
    return sum(_count(inner) for inner in step.steps) if isinstance(step, CompositeStep) else 1


def _action_env(step: ContainerStep | PythonStep | NodeStep | CompositeStep) -> dict[str, str]:
    found = _action_context(step)
    return {f"GITHUB_{name.upper()}": value for name, value in found.items()}


def _action_context(step: ContainerStep | PythonStep | NodeStep | CompositeStep) -> dict[str, str]:
    """What `github` says of the action that runs. A folder of the workflow's own repository has no name."""
    is_local = step.action.source == "local"
    return {
        "action": step.frame.id,
        "action_path": action_path(step.action.digest),
        "action_repository": "" if is_local else step.action.name,
        "action_ref": "" if is_local else step.action.version or "",
    }


def _timeout_s(frame: StepFrame, contexts: Mapping[str, Any], host: FunctionHost) -> float | None:
    minutes = frame.timeout_minutes
    if isinstance(minutes, str):
        minutes = float(evaluate_template(minutes, contexts, host=host) or 0)
    return None if not minutes else float(minutes) * 60
