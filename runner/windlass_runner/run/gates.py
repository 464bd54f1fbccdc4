"""The gates of one run: whether a job that is released may begin, has to wait, or never will.

A job comes to a gate by its `environment`, or because it is an approval and nothing else. Used by
`run.active`, under the run's lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from windlass_registry.errors import WindlassError
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import to_text
from windlass_runner.ledger.gate_records import Gate, NewDeployment
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, JobUpdate, RunRecord, State
from windlass_runner.plan.model import JobSpec, Plan, PlannedApproval, PlannedJob
from windlass_runner.run.approving import approval_outputs, environment_of, gate_of_approval
from windlass_runner.run.assembly import Surroundings
from windlass_runner.run.environments import EnvironmentRules, Environments
from windlass_runner.run.standing import Standing, standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What becomes of a job that is released: it is `queued`, `waiting`, or in a final state at once."""

    state: State = "queued"
    reason: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    gate: Gate | None = None
    """To be written down."""
    deployment: NewDeployment | None = None
    """To be written down."""


_AT_ONCE: Final = Admission()
_LONGEST_NAP_S: Final = 3600.0
"""An alarm holds on to its run, also when that has ended."""


class RunGates:
    """Not safe for threads: its owner holds a lock. What was written down before is read when it is made."""

    def __init__(
        self,
        ledger: Ledger,
        run: RunRecord,
        plan: Plan,
        *,
        environments: Environments,
        is_attended: bool = False,
    ) -> None:
        """`is_attended`: the answer of whoever sits beside it opens any gate."""
        self._ledger = ledger
        self._run = run
        self._plan = plan
        self._environments = environments
        self._is_attended = is_attended
        self._standing: dict[str, Standing] = {}
        """Of the jobs that wait now."""
        self._gates: dict[str, Gate] = {}
        self._deploying: set[str] = set()
        self._armed_at = 0.0
        self.are_there = any(has_gate(spec) for spec in plan.specs.values())
        """Whether any job may come to one; nothing needs to be asked otherwise."""
        if self.are_there:
            self.refresh()
            self._deploying = {found.job_key for found in ledger.deployments.of_run(run.id)}

    def refresh(self) -> None:
        """Read again what was answered."""
        self._gates = {gate.job_key: gate for gate in self._ledger.gates.of_run(self._run.id)}

    @property
    def waiting(self) -> tuple[str, ...]:
        """The jobs that wait at their gates."""
        return tuple(self._standing)

    def write(
        self,
        admissions: Sequence[Admission],
        jobs: Sequence[JobUpdate],
        *,
        urls: Mapping[str, str],
        at: float,
        report: bool,
    ) -> None:
        """Write down what is new of gates and deployments, and how these go on with their jobs. Within the
        transaction that tells of the jobs."""
        ledger = self._ledger
        for admission in admissions:
            if admission.gate is not None:
                ledger.gates.open(self._run.id, admission.gate)
            if admission.deployment is not None:
                ledger.deployments.begin(self._run, admission.deployment, at=at)
        for job in jobs:
            if job.state is not None and job.key in self._deploying:
                ledger.deployments.change(
                    self._run.id,
                    job.key,
                    state=job.state,
                    reason=job.reason or "",
                    at=at,
                    url=urls.get(job.key),
                    approved_by=self._approved_by(job.key),
                    report=report,
                )

    def _approved_by(self, key: str) -> tuple[str, ...]:
        gate = self._gates.get(key)
        return tuple(one.actor for one in gate.answers if one.is_approval) if gate is not None else ()

    def leave(self, key: str) -> None:
        """A job does not wait any more, whatever became of it."""
        self._standing.pop(key, None)

    def reason(self) -> str:
        """Why the run waits, where only gates keep it from going on."""
        return "; ".join(f"{key} {found.reason}" for key, found in self._standing.items())

    def admit(self, job: PlannedJob, contexts: Mapping[str, Any], *, at: float) -> Admission:
        """What becomes of a released job. Asked again where an answer has come, or its time."""
        if not has_gate(self._plan.specs[job.job_id]):
            return _AT_ONCE
        try:
            admission = self._admit(job, contexts, at)
        except ExpressionError as error:
            return Admission(state="failure", reason=f"gate: {error}")
        except WindlassError as error:
            return Admission(state="failure", reason=str(error))
        if admission.gate is not None:
            self._gates[job.key] = admission.gate
        if admission.deployment is not None:
            self._deploying.add(job.key)
        return admission

    def look_in_s(self, at: float) -> float | None:
        """In how many seconds to look at the gates again; told once for each time."""
        due = min((found.look_at for found in self._standing.values() if found.look_at), default=None)
        if due is None or at < self._armed_at <= due:
            return None
        self._armed_at = min(max(due, at), at + _LONGEST_NAP_S)
        return self._armed_at - at

    def with_secrets(
        self, around: Surroundings, job: PlannedJob, contexts: Mapping[str, Any]
    ) -> Surroundings:
        """What an attempt of a job works with: what its graph was given, where it is a job of one, and the
        secrets of its environment before all others.

        Raises:
            ExpressionError
        """
        around = replace(around, contexts={**around.contexts, "inputs": contexts["inputs"]})
        name = self._environment(job, contexts)
        rules = self._rules(name)
        if rules is None:
            told = (
                f"deploys to '{name}', which is not in the settings: it has no gate and no secrets of its own"
            )
            return replace(around, remark=told) if name else around

        def secret(name: str) -> str | None:
            own = rules.secret(name)
            return around.secret(name) if own is None else own

        return replace(around, secret=secret)

    def _admit(self, job: PlannedJob, contexts: Mapping[str, Any], at: float) -> Admission:
        approval = self._plan.specs[job.job_id].approval
        if approval is not None:
            return self._admit_approval(job, approval, contexts, at)
        name = self._environment(job, contexts)
        if not name:
            return _AT_ONCE
        if self._plan.event.is_fork:
            return Admission(state="skipped", reason=f"a fork's pull request does not deploy ({name})")
        rules, ref = self._rules(name), self._run.ref or ""
        if rules is not None and not rules.takes(ref):
            short = ref.removeprefix("refs/heads/")
            return Admission(state="failure", reason=f"'{short}' may not deploy to {name}")
        known = self._gates.get(job.key)  # it stays as it was, whatever becomes of the settings
        if known is None and (rules is None or not rules.has_gate):
            return Admission(deployment=self._deployment(job, name, rules, state="queued"))
        gate = known or self._eased(_gate_of(job, rules or EnvironmentRules(name=name), at))
        found = self._at_gate(job, gate, at)
        new = self._deployment(job, name, rules, state=found.state, reason=found.reason)
        return replace(found, gate=None if known else gate, deployment=new)

    def _environment(self, job: PlannedJob, contexts: Mapping[str, Any]) -> str:
        written = self._plan.specs[job.job_id].environment or ""
        return to_text(evaluate_template(written, contexts)).strip()

    def _rules(self, name: str) -> EnvironmentRules | None:
        return self._environments(self._run.repository, name) if name else None

    def _admit_approval(
        self, job: PlannedJob, approval: PlannedApproval, contexts: Mapping[str, Any], at: float
    ) -> Admission:
        """A job that is nothing else is done as soon as it is let through."""
        known, spec = self._gates.get(job.key), self._plan.specs[job.job_id]
        if known is None:
            contexts = {**contexts, "env": environment_of(self._plan, spec, contexts)}
        gate = known or self._eased(gate_of_approval(job, approval, contexts, at))
        found = self._at_gate(job, gate, at)
        if found.state == "queued":
            found = Admission(state="success", outputs=approval_outputs(spec, gate, contexts, at))
        return replace(found, gate=None if known else gate)

    def _eased(self, gate: Gate) -> Gate:
        if not self._is_attended:
            return gate
        return replace(gate, approvers=(), approvals=min(gate.approvals, 1))

    def _at_gate(self, job: PlannedJob, gate: Gate, at: float) -> Admission:
        found = standing(gate, at=at)
        match found.word:
            case "waits":
                self._standing[job.key] = found
                return Admission(state="waiting", reason=found.reason)
            case "open":
                return Admission()
            case "rejected":
                return Admission(state="failure", reason=found.reason)
            case "timed_out":
                return Admission(state="timed_out", reason=found.reason)

    def _deployment(
        self, job: PlannedJob, name: str, rules: EnvironmentRules | None, *, state: State, reason: str = ""
    ) -> NewDeployment | None:
        if job.key in self._deploying:
            return None
        return NewDeployment(
            job_key=job.key,
            environment=rules.name if rules is not None else name,
            state=state,
            reason=reason,
            url=rules.url if rules is not None else None,
            actor=self._plan.event.actor,
        )


def has_gate(spec: JobSpec) -> bool:
    """Whether a job may have to wait before it begins."""
    return spec.environment is not None or spec.approval is not None


def _gate_of(job: PlannedJob, rules: EnvironmentRules, at: float) -> Gate:
    return Gate(
        job_key=job.key,
        environment=rules.name,
        approvers=rules.approvers,
        approvals=rules.approvals,
        opened_at=at,
        not_before=at + rules.wait_s,
        ends_at=at + rules.timeout_s,
    )


def waiting_update(key: str, reason: str) -> tuple[JobUpdate, EventDraft]:
    """A job waits at its gate, and for what."""
    told = {"state": "waiting", "reason": reason}
    return (
        JobUpdate(key=key, state="waiting", reason=reason),
        EventDraft(kind="job.waiting", job_key=key, data=told),
    )
