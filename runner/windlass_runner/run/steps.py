"""The steps of one job, in order: conditions, composite actions, what `continue-on-error` makes of failures.

Knows nothing of engines: a `StepHost` runs one command and gives its exit code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from windlass_runner.engines.base import NO_PROGRAM, CommandNotStartable
from windlass_runner.expressions import ExpressionError, FixedHost, FunctionHost
from windlass_runner.expressions.templates import evaluate_condition, evaluate_template
from windlass_runner.expressions.values import to_text, untrusted
from windlass_runner.plan.model import CompositeStep, LeafStep, PlannedStep, StepFrame
from windlass_runner.run.action_stages import Staged, first_stages, last_stages, program_of
from windlass_runner.run.carried import Carried
from windlass_runner.run.scope import Scope
from windlass_runner.run.scratch import AttemptFolders
from windlass_runner.run.step_host import Outcome, ReadyStep, StepHost
from windlass_runner.run.step_preparing import StepPreparing


class Steps:
    """Walks the steps of one attempt. Made for one attempt, used by one thread."""

    def __init__(
        self,
        host: StepHost,
        *,
        folders: AttemptFolders,
        env: Mapping[str, str],
        action_folder: Callable[[str], Path],
    ) -> None:
        """`action_folder` gives the folder of a package, by digest."""
        self._host = host
        self._carried = Carried()
        self._preparing = StepPreparing(self._carried, folders=folders, env=env, action_folder=action_folder)
        self._workspace = folders.workspace
        self._number = 0
        self._is_cancelled = False
        self._scopes: dict[str, Scope] = {}
        """Around each action that has begun, by its path: what it does after the last step sees the same."""
        self._last_code = 0
        self.exit_code = 0
        """Of the first step that failed and was not allowed to."""

    @property
    def said(self) -> Mapping[str, str]:
        """Everything that any step put out, the last of a name."""
        return self._carried.said

    def first(self, steps: Sequence[PlannedStep], scope: Scope) -> ReadyStep:
        """The first command of a job, made ready without running it: for a job that has only one."""
        step = steps[0]
        if isinstance(step, CompositeStep):
            return self.first(step.steps, self._inside(step, scope))
        return self._prepare(step, scope, 1, f"{scope.path}{step.frame.id}")

    def run(self, steps: Sequence[PlannedStep], scope: Scope) -> Outcome:
        """Run the steps of a job; how it went as a whole. Before the first and after the last one comes
        what their actions have for then, the latter in reverse order and whatever has failed."""
        for staged in first_stages(steps):
            self._stage(staged, scope)
        self._sequence(steps, scope)
        for staged in last_stages(steps):
            self._stage(staged, scope)
        return scope.status

    # -- stages of actions -----------------------------------------------------------------------

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
            ready = self._prepare(program_of(staged), scope, number, path, action=staged.path)
            outcome, _ = self._carry_out(ready, scope, staged.path)
        except ExpressionError as error:
            self._host.say(str(error), step=staged.path, kind="error")
            outcome, self._last_code = "failure", 1
        if outcome == "failure":
            self._note_failure()
        if outcome != "success" and job.status == "success":
            job.status = outcome

    def _scope_of_stage(self, staged: Staged, job: Scope) -> Scope | None:
        """What the action sees; None: it has not begun, so there is nothing to do after it."""
        if staged.word == "post":
            return self._scopes.get(staged.path)
        scope = job
        for composite in staged.around:
            scope = self._inside(composite, scope)
        return scope

    # -- steps -----------------------------------------------------------------------------------

    def _sequence(self, steps: Sequence[PlannedStep], scope: Scope) -> Outcome:
        for step in steps:
            outcome = self._one(step, scope)
            if outcome in ("failure", "cancelled") and scope.status == "success":
                scope.status = outcome
        return scope.status

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
                _note(step.frame, scope, "skipped", "skipped", {})
                return "skipped"
            outcome, outputs = self._dispatch(step, scope, path)
        except ExpressionError as error:
            self._number = number - 1 + _count(step)
            self._host.say(str(error), step=path, kind="error")
            outcome, outputs = "failure", {}
            self._last_code = 1
        conclusion = outcome
        if outcome == "failure":
            if self._is_allowed_to_fail(step.frame, scope):
                conclusion = "success"
            else:
                self._note_failure()
        _note(step.frame, scope, outcome, conclusion, outputs)
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

    def _note_failure(self) -> None:
        if self.exit_code == 0:
            self.exit_code = self._last_code or 1

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

    # -- one step --------------------------------------------------------------------------------

    def _dispatch(self, step: PlannedStep, scope: Scope, path: str) -> tuple[Outcome, Mapping[str, str]]:
        if isinstance(step, CompositeStep):
            return self._composite(step, scope)
        self._number += 1
        self._scopes[path] = scope
        return self._carry_out(self._prepare(step, scope, self._number, path), scope, path)

    def _composite(self, step: CompositeStep, scope: Scope) -> tuple[Outcome, Mapping[str, str]]:
        inner = self._inside(step, scope)
        outcome = self._sequence(step.steps, inner)
        host = self._function_host(inner)
        outputs = {
            name: to_text(evaluate_template(value, inner.contexts, host=host))
            for name, value in step.outputs.items()
        }
        self._carried.said.update(outputs)
        return outcome, outputs

    def _inside(self, step: CompositeStep, scope: Scope) -> Scope:
        return scope.inside(step, self._function_host(scope), is_after_stop=self._is_cancelled)

    def _prepare(
        self, step: LeafStep, scope: Scope, number: int, path: str, *, action: str | None = None
    ) -> ReadyStep:
        return self._preparing.prepare(
            step,
            scope,
            self._function_host(scope),
            number=number,
            path=path,
            action=action or path,
        )

    def _carry_out(self, ready: ReadyStep, scope: Scope, action: str) -> tuple[Outcome, Mapping[str, str]]:
        """Run one command, and take over what it leaves. `action`: the path of the step that it is for."""
        self._last_code = code = self._code_of(ready)
        files = self._host.files(ready)
        self._carried.take(files, action=action)
        scope.contexts["env"] = {**scope.contexts["env"], **untrusted(files.env)}
        if code == 0 and not files.is_malformed:
            return "success", files.outputs
        return ("cancelled" if self._host.was_stopped(ready.number) else "failure"), files.outputs

    def _code_of(self, ready: ReadyStep) -> int:
        """Run it. A program that its image lacks is told with what helps."""
        try:
            code = self._host.run(ready, path_additions=self._carried.path)
        except CommandNotStartable as error:
            if ready.command.remedy is None:
                raise
            raise CommandNotStartable(f"'{ready.name}' cannot run", remedy=ready.command.remedy) from error
        if code == NO_PROGRAM and ready.command.remedy is not None:
            self._host.say(ready.command.remedy, step=ready.path, kind="error")
        return code


def _note(
    frame: StepFrame, scope: Scope, outcome: Outcome, conclusion: Outcome, outputs: Mapping[str, str]
) -> None:
    scope.steps[frame.id] = {"outcome": outcome, "conclusion": conclusion, "outputs": untrusted(outputs)}


def _count(step: PlannedStep) -> int:
    """How many commands a step stands for: numbers stay the same whether it is skipped or not."""
    return sum(_count(inner) for inner in step.steps) if isinstance(step, CompositeStep) else 1
