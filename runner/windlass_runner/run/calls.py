"""The graphs of jobs in a run: whether they run, what their jobs see, what comes of them.

They are no jobs: all that is said of a graph follows from its jobs, so that nothing of it is kept anywhere.
Used by `run.progress`, whose state it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import to_text, untrusted
from windlass_runner.plan.given import inputs_of
from windlass_runner.plan.model import GraphCall
from windlass_runner.run.job_conditions import holds, why_skipped
from windlass_runner.run.legs import Group, Leg
from windlass_runner.run.states import result_word


class Jobs(Protocol):
    """What is read of the jobs of a run."""

    contexts: Mapping[str, Any]
    groups: dict[str, Group]
    legs: dict[str, Leg]
    is_cancelled: bool

    def need(self, group: Group) -> dict[str, Any]: ...

    def output_of(self, job_id: str, name: str) -> Mapping[str, Any] | None: ...


class Calls:
    """The graphs of one run. Not safe for threads: its owner holds a lock."""

    def __init__(self, calls: Mapping[str, GraphCall], jobs: Jobs) -> None:
        self._calls = calls
        self._jobs = jobs
        self._legs: dict[str, list[str]] = {}
        for call in calls.values():
            self._legs.setdefault(call.job_id, []).append(call.id)
        self._gates: dict[str, str | None] = {}
        self._contexts: dict[str, Mapping[str, Any]] = {}
        self._stopped: set[str] = set()

    # -- what the jobs of a graph see --------------------------------------------------------------

    def contexts(self, call_id: str | None) -> Mapping[str, Any]:
        """What the jobs of a graph see, and with None those of the workflow: secrets are not among it.

        Raises:
            ExpressionError: in what the graph is given.
        """
        if call_id is None:
            return self._jobs.contexts
        found = self._contexts.get(call_id)
        if found is None:
            found = self._contexts_of(self._calls[call_id])
            if self.is_settled(call_id):
                self._contexts[call_id] = found
        return found

    def _contexts_of(self, call: GraphCall) -> Mapping[str, Any]:
        around = self.contexts(call.around)
        needs = {
            name: {"result": need["result"], "outputs": untrusted(need["outputs"])}
            for name, need in (self.needs(call.names).items() if call.late else ())
        }
        return {**around, "inputs": inputs_of(call, around, needs)}

    def needs(self, names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """The `needs` context where these names stand for jobs and graphs."""
        found = {}
        for name, targets in names.items():
            if all(target in self._calls for target in targets):
                found[name] = self._need(targets)
            elif targets[0] in self._jobs.groups:
                found[name] = self._jobs.need(self._jobs.groups[targets[0]])
        return found

    def _need(self, calls: Sequence[str]) -> dict[str, Any]:
        states = [
            self._jobs.legs[key].state for call in calls for group in self.jobs_of(call) for key in group.legs
        ]
        outputs: dict[str, Any] = {}
        for call in calls:
            for name, text in self._outputs(self._calls[call]).items():
                if text != "" or name not in outputs:
                    outputs[name] = text
        return {"result": result_word(states), "outputs": outputs}

    def _outputs(self, call: GraphCall) -> dict[str, Any]:
        if not call.outputs:
            return {}
        jobs = self.needs(call.jobs)
        try:
            contexts = {**self.contexts(call.id), "jobs": jobs}
        except ExpressionError:  # in what it was given, so that none of its jobs ran
            return dict.fromkeys(call.outputs, "")
        return {name: _value(output.value, contexts) for name, output in call.outputs.items()}

    def output_of(self, job_id: str, name: str) -> Mapping[str, Any] | None:
        """The record of an output of a graph (of the last of its matrix that has it)."""
        for call_id in reversed(self._legs.get(job_id, [])):
            call = self._calls[call_id]
            output = call.outputs.get(name)
            if output is None:
                continue
            if output.job is None or output.output is None:
                return {"type": "string", "text": to_text(self._outputs(call)[name])}
            found = self._jobs.output_of(f"{call_id}/{output.job}", output.output)
            if found is not None:
                return found
        return None

    # -- whether it runs ---------------------------------------------------------------------------

    def is_settled(self, call_id: str | None) -> bool:
        """Whether it is decided that a graph runs, or not."""
        return call_id is None or call_id in self._gates

    def why_not(self, call_id: str | None) -> str | None:
        """Why the jobs of a graph do not run, by its own condition and what it needs; None: they may. Asked
        when all that it needs has ended.

        Raises:
            ExpressionError
        """
        if call_id is None:
            return None
        if call_id not in self._gates:
            self._gates[call_id] = self._gate(self._calls[call_id])
        return self._gates[call_id]

    def _gate(self, call: GraphCall) -> str | None:
        above = self.why_not(call.around)
        if above is not None:
            return above
        needs = self.needs(call.names)
        has_failed = any(need["result"] == "failure" for need in needs.values()) or any(
            group.ancestor_failed
            for targets in call.names.values()
            for target in targets
            for group in self._behind(target)
        )
        may_run = holds(
            call.condition,
            self.contexts(call.around),
            needs,
            has_failed=has_failed,
            is_cancelled=self._jobs.is_cancelled,
        )
        return None if may_run else f"{call.job_id}: {why_skipped(call.condition, needs)}"

    def is_stopped(self, call_id: str | None) -> bool:
        """Whether another of its matrix failed, and this one does not go on for that."""
        while call_id is not None:
            if call_id in self._stopped:
                return True
            call_id = self._calls[call_id].around
        return False

    def beside(self, call_id: str | None, reason: str) -> Iterator[Group]:
        """The jobs that a failed job of a graph stops: those of the others of its matrix, where it is to
        fail fast. They do not begin any more."""
        while call_id is not None:
            call = self._calls[call_id]
            if call.total > 1 and self._is_fail_fast(call):
                for other in self._legs[call.job_id]:
                    if other != call.id and other not in self._stopped:
                        self._stopped.add(other)
                        self._gates[other] = reason
                        yield from (group for group in self.jobs_of(other) if group.is_decided)
            call_id = call.around

    def _is_fail_fast(self, call: GraphCall) -> bool:
        if isinstance(call.fail_fast, bool):
            return call.fail_fast
        try:
            seen = {**self.contexts(call.around), "matrix": call.matrix}
            return bool(evaluate_template(call.fail_fast, seen))
        except ExpressionError:
            return True

    # -- its jobs ----------------------------------------------------------------------------------

    def jobs_of(self, call_id: str) -> Iterator[Group]:
        """All jobs of a graph, with those of the graphs in it."""
        for targets in self._calls[call_id].jobs.values():
            for target in targets:
                yield from self._behind(target)

    def _behind(self, target: str) -> Iterator[Group]:
        if target in self._calls:
            yield from self.jobs_of(target)
        elif target in self._jobs.groups:
            yield self._jobs.groups[target]


def _value(written: str, contexts: Mapping[str, Any]) -> Any:
    """An output; one that cannot be had, as of a job that was skipped, is an empty text."""
    try:
        value = evaluate_template(written, contexts)
    except ExpressionError:
        return ""
    return "" if value is None else value
