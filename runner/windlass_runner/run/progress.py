"""How far a run is: which jobs may start, which are skipped, what each sees of those it needs.

Pure state: no clock, no thread, no engine. The conductor tells what ended and gets back what
follows from it. Each step costs what it touches, never the size of the plan.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.plan.compile import expand
from windlass_runner.plan.matrix import MatrixError
from windlass_runner.plan.model import JobSpec, Plan, PlannedJob
from windlass_runner.run.calls import Calls
from windlass_runner.run.job_conditions import holds, why_skipped
from windlass_runner.run.legs import Decision, Group, Leg
from windlass_runner.run.states import FINAL, State, result_word, run_state

MAX_JOBS = 10_000


class Progress:
    """The state of one run. Not safe for threads: its owner holds a lock."""

    def __init__(
        self,
        plan: Plan,
        *,
        contexts: Mapping[str, Any],
        jobs: Sequence[PlannedJob] | None = None,
        on_expand: Callable[[str, list[PlannedJob]], None] = lambda _job, _legs: None,
    ) -> None:
        self.plan = plan
        self.contexts = contexts
        self.is_cancelled = False
        self._on_expand = on_expand
        self._calls = Calls(plan.calls, self)
        self.legs: dict[str, Leg] = {job.key: Leg(job) for job in (jobs or plan.jobs)}
        self.groups: dict[str, Group] = {
            spec.id: Group(spec=spec, legs=[], open_needs=len(spec.needs)) for spec in plan.specs.values()
        }
        self._open = len(self.legs)
        self._ended: deque[tuple[str, State, Mapping[str, Any]]] = deque()
        self._is_draining = False
        for leg in self.legs.values():
            self.groups[leg.job.job_id].legs.append(leg.job.key)
        for group in self.groups.values():
            group.open_legs = len(group.legs)
            for need in group.spec.needs:
                self.groups[need].dependants.append(group.spec.id)

    # -- what is known ---------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether every job is final."""
        return self._open == 0

    def final_state(self) -> State:
        """The state of the whole run, once it is over."""
        state = run_state(leg.state for leg in self.legs.values())
        return "cancelled" if self.is_cancelled and state in ("success", "skipped") else state

    def needs_context(self, job_id: str) -> dict[str, Any]:
        """The `needs` context of a job: result and outputs of each job that it needs, and of each graph."""
        return self._needs(self.groups[job_id].spec)

    def _needs(self, spec: JobSpec) -> dict[str, Any]:
        if spec.names or spec.call is not None:
            return self._calls.needs(spec.names)
        return {need: self.need(self.groups[need]) for need in spec.needs}

    def contexts_of(self, job_id: str) -> Mapping[str, Any]:
        """What the job sees of the run; one of a graph sees the inputs of that.

        Raises:
            ExpressionError: in what its graph is given.
        """
        return self._calls.contexts(self.groups[job_id].spec.call)

    def need(self, group: Group) -> dict[str, Any]:
        """What `needs` has of a job."""
        outputs: dict[str, Any] = {}
        for key in group.legs:
            for name, output in self.legs[key].outputs.items():
                value = output.get("text", output.get("ref", output.get("path", "")))
                if value != "" or name not in outputs:
                    outputs[name] = value
        return {"result": result_word(self.legs[key].state for key in group.legs), "outputs": outputs}

    def output_of(self, job_id: str, name: str) -> Mapping[str, Any] | None:
        """The output record of a needed job (of the last leg that has it), or of a graph."""
        if job_id not in self.groups:
            return self._calls.output_of(job_id, name)
        for key in reversed(self.groups[job_id].legs):
            if name in self.legs[key].outputs:
                found: Mapping[str, Any] = self.legs[key].outputs[name]
                return found
        return None

    def sole_successor(self, key: str) -> PlannedJob | None:
        """The job that would start next if `key` succeeded, where that is certain and only one."""
        group = self.groups[self.legs[key].job.job_id]
        if group.open_legs != 1 or len(group.dependants) != 1:
            return None
        follower = self.groups[group.dependants[0]]
        if follower.open_needs != 1 or len(follower.legs) != 1 or follower.spec.condition is not None:
            return None
        if not self._calls.is_settled(follower.spec.call):
            return None
        leg = self.legs[follower.legs[0]]
        return None if leg.job.is_deferred else leg.job

    # -- what happens ----------------------------------------------------------------------------

    def restore(self, key: str, state: State, outputs: Mapping[str, Any]) -> None:
        """Put in a final state that an earlier life of this run (or another run) reached."""
        leg = self.legs[key]
        leg.state, leg.outputs, leg.is_released = state, outputs, True
        self._open -= 1
        group = self.groups[leg.job.job_id]
        group.open_legs -= 1
        group.is_decided = True

    def begin(self) -> list[Decision]:
        """The first decisions: of a new run, or of one that goes on after `restore`."""
        decisions: list[Decision] = []
        for group in self.groups.values():
            group.open_needs = sum(not self.groups[need].is_over for need in group.spec.needs)
        for group in list(self.groups.values()):
            if group.open_needs == 0 and not group.is_over:
                self._decide(group, decisions)
        return decisions

    def finish(self, key: str, state: State, outputs: Mapping[str, Any] | None = None) -> list[Decision]:
        """A job has ended. What follows: jobs to start, to skip, to stop."""
        decisions: list[Decision] = []
        self._end(key, state, outputs or {}, decisions)
        return decisions

    def cancel(self, *, force: bool = False) -> list[Decision]:
        """The run is cancelled: what has not started ends, what runs is to be stopped. Jobs whose
        `if` asks for it (`always()`, `cancelled()`) still run, unless by `force`."""
        self.is_cancelled = True
        decisions: list[Decision] = []
        for group in self.groups.values():
            if not group.is_decided and not force:
                continue
            group.is_decided = True
            for key in group.legs:
                leg = self.legs[key]
                if leg.state in FINAL or (self._survives_cancel(group) and not force):
                    continue
                decisions.append(Decision(key=key, what="stop", state="cancelled", reason="cancelled"))
        return decisions

    def _survives_cancel(self, group: Group) -> bool:
        condition = group.spec.condition or ""
        return "always(" in condition.replace(" ", "") or "cancelled(" in condition.replace(" ", "")

    def _end(self, key: str, state: State, outputs: Mapping[str, Any], decisions: list[Decision]) -> None:
        """Make a job final. A chain of skips is worked off in a queue, not by recursion."""
        self._ended.append((key, state, outputs))
        if self._is_draining:
            return
        self._is_draining = True
        try:
            while self._ended:
                self._end_one(*self._ended.popleft(), decisions)
        finally:
            self._is_draining = False

    def _end_one(self, key: str, state: State, outputs: Mapping[str, Any], decisions: list[Decision]) -> None:
        leg = self.legs[key]
        if leg.state in FINAL:
            return
        leg.state, leg.outputs = state, outputs
        self._open -= 1
        group = self.groups[leg.job.job_id]
        group.open_legs -= 1
        group.running -= leg.is_released
        if state in ("failure", "timed_out"):
            self._fail_fast(group, leg, decisions)
        if group.held:
            self._release(group, group.held.popleft(), decisions)
        if group.open_legs == 0:
            self._settle_dependants(group, decisions)

    def _settle_dependants(self, group: Group, decisions: list[Decision]) -> None:
        for dependant in group.dependants:
            follower = self.groups[dependant]
            follower.open_needs -= 1
            if follower.open_needs == 0 and not follower.is_decided:
                self._decide(follower, decisions)

    def _fail_fast(self, group: Group, failed: Leg, decisions: list[Decision]) -> None:
        reason = f"fail-fast: {failed.job.name} failed"
        self._stop_legs(self._calls.beside(group.spec.call, reason), reason, decisions)
        strategy = group.spec.strategy
        if strategy is None or not self._is_fail_fast(strategy.fail_fast, failed):
            return
        self._stop_legs([group], reason, decisions)

    def _stop_legs(self, groups: Iterable[Group], reason: str, decisions: list[Decision]) -> None:
        for group in groups:
            group.held.clear()
            for key in group.legs:
                if self.legs[key].state not in FINAL:
                    decisions.append(Decision(key=key, what="stop", state="cancelled", reason=reason))

    def _is_fail_fast(self, written: bool | str, leg: Leg) -> bool:
        if isinstance(written, bool):
            return written
        try:
            contexts = self.contexts_of(leg.job.job_id)
            return bool(evaluate_template(written, {**contexts, "matrix": leg.job.matrix}))
        except ExpressionError:
            return True

    def _decide(self, group: Group, decisions: list[Decision]) -> None:
        """All that a job needs is final: expand it, start it or skip it."""
        group.is_decided = True
        needs = self._needs(group.spec)
        group.ancestor_failed = self._has_failed_before(group.spec, needs)
        try:
            self._expand(group, needs)
        except (ExpressionError, MatrixError) as error:
            for key in group.legs:
                decisions.append(Decision(key=key, what="end", state="failure", reason=str(error)))
                self._end(key, "failure", {}, decisions)
            return
        for key in list(group.legs):
            if self.legs[key].state not in FINAL and not self.legs[key].is_released:
                self._decide_leg(group, key, needs, decisions)

    def _has_failed_before(self, spec: JobSpec, needs: Mapping[str, Any]) -> bool:
        if any(need["result"] == "failure" for need in needs.values()):
            return True
        return any(self.groups[name].ancestor_failed for name in spec.needs if name in self.groups)

    def _expand(self, group: Group, needs: Mapping[str, Any]) -> None:
        if len(group.legs) != 1 or not self.legs[group.legs[0]].job.is_deferred:
            return
        if not self._wants_to_run(group, needs):
            return
        contexts = {**self.contexts_of(group.spec.id), "needs": needs}
        legs = expand(group.spec, contexts, limit=MAX_JOBS - len(self.legs))
        del self.legs[group.legs[0]]
        self._open += len(legs) - 1
        group.open_legs = len(legs)
        group.legs = [job.key for job in legs]
        self.legs.update({job.key: Leg(job) for job in legs})
        self._on_expand(group.spec.id, legs)

    def _wants_to_run(self, group: Group, needs: Mapping[str, Any]) -> bool:
        spec = group.spec
        if self._calls.why_not(spec.call) is not None:
            return False
        return holds(
            spec.condition,
            self.contexts_of(spec.id),
            needs,
            has_failed=group.ancestor_failed,
            is_cancelled=self.is_cancelled,
        )

    def _decide_leg(
        self, group: Group, key: str, needs: Mapping[str, Any], decisions: list[Decision]
    ) -> None:
        try:
            wanted = self._wants_to_run(group, needs)
        except ExpressionError as error:
            decisions.append(Decision(key=key, what="end", state="failure", reason=f"if: {error}"))
            self._end(key, "failure", {}, decisions)
            return
        if wanted:
            self._release_or_hold(group, key, decisions)
            return
        reason = self._why_skipped(group, needs)
        is_stopped = self.is_cancelled or self._calls.is_stopped(group.spec.call)
        state: State = "cancelled" if is_stopped else "skipped"
        decisions.append(Decision(key=key, what="end", state=state, reason=reason))
        self._end(key, state, {}, decisions)

    def _why_skipped(self, group: Group, needs: Mapping[str, Any]) -> str:
        if self.is_cancelled:
            return "cancelled before it started"
        if (why_not := self._calls.why_not(group.spec.call)) is not None:
            return why_not
        return why_skipped(group.spec.condition, needs)

    def _release_or_hold(self, group: Group, key: str, decisions: list[Decision]) -> None:
        strategy = group.spec.strategy
        most = strategy.max_parallel if strategy is not None else None
        if isinstance(most, str):
            needs = self._needs(group.spec)
            most = int(evaluate_template(most, {**self.contexts_of(group.spec.id), "needs": needs}))
        if most and group.running >= most:
            group.held.append(key)
            return
        self._release(group, key, decisions)

    def _release(self, group: Group, key: str, decisions: list[Decision]) -> None:
        leg = self.legs[key]
        if leg.state not in FINAL:
            leg.is_released = True
            group.running += 1
            decisions.append(Decision(key=key, what="start"))
