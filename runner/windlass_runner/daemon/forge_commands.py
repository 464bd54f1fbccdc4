"""Does what people ask for on a forge, by buttons and comments, if they may. Used by `daemon.intake`.

Everything may be done again after a crash: what is asked of the ledger carries a key of the delivery.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from windlass_registry.errors import AuthorError
from windlass_runner.daemon.approvals import Approvals
from windlass_runner.daemon.forge_events import ForgeEvents
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.refusals import Refusals
from windlass_runner.forges.base import Asked, Command
from windlass_runner.ledger.errors import UnknownRun
from windlass_runner.ledger.gate_records import Gate
from windlass_runner.ledger.gates import person
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import FINAL, RunRecord
from windlass_runner.run.answers import is_called, marked_jobs
from windlass_runner.run.standing import may_answer

_CLOCKS_DIFFER_S: Final = 60.0
_NO_RIGHT: Final = "only those who may write to this repository can ask for that"
_NONE_WAITS: Final = "no job of that name waits, or it has begun to wait only since"
_OTHERS_WAIT: Final = "other jobs wait by now than when the button was shown: look again"
_OPENING: Final = frozenset(["approve", "approve_job", "reject_job"])
"""What lets something through, or not. GitHub shows buttons to those who may write, but its documents do not
promise it: so it is asked. Buttons that run again, GitHub has of its own."""
_WHOLE_NAME: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class _NotDone(Exception):
    """What was asked for is not done, and why; for the person who asked."""


class ForgeCommands:
    """Safe to use from several threads. `asked` gives the forge of a repository, to ask it back."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        approvals: Approvals,
        events: ForgeEvents,
        asked: Callable[[str], Asked],
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._approvals = approvals
        self._events = events
        self._asked = asked
        self._clock = clock
        self._refusals = Refusals(ledger=ledger, clock=clock)
        self._journal = Journal("commands")

    def take(self, command: Command, *, delivery: str) -> tuple[str, ...]:
        """Do it, or have it done; the ids of runs that may begin now. Why it is not done is told where it was
        asked for.

        Raises:
            AuthorError: it names a workflow that is not there.
            UpstreamError, OperatorError: the forge cannot be asked now.
        """
        words = {"command": command.kind, "repository": command.repository, "actor": command.actor}
        forge = self._asked(command.repository)
        is_trusted = command.is_button and command.kind not in _OPENING
        if not (is_trusted or forge.may_write(command.repository, command.actor)):
            self._journal.warning("command.refused", **words, reason=_NO_RIGHT)
            self._refuse_stranger(command, forge)
            return ()
        self._journal.info("command.taken", **words)
        try:
            return self._do(command, forge, delivery=delivery)
        except (_NotDone, AuthorError) as error:
            self._journal.warning("command.refused", **words, reason=error)
            self._refusals.answer(command, forge, _why(error), key="\n".join((delivery, *_name(command))))
            if isinstance(error, AuthorError):
                raise
            return ()

    def _refuse_stranger(self, command: Command, forge: Asked) -> None:
        self._refusals.answer(command, forge, _NO_RIGHT, key=f"no right\n{person(command.actor)}")
        if command.is_button and command.mark is not None:
            for run in self._meant(command, forge):
                meant = _meant_gates(command, self._waiting_gates(run))
                self._refusals.note(run, [gate.job_key for gate in meant], command, _NO_RIGHT)

    def _do(self, command: Command, forge: Asked, *, delivery: str) -> tuple[str, ...]:
        match command.kind:
            case "approve":
                return self._approve(command)
            case "test":
                return self._test(command, forge, delivery=delivery)
            case "cancel":
                for run in self._meant(command, forge):
                    if run.state not in FINAL:
                        payload = {"run_id": run.id, "reason": f"cancelled by {command.actor}"}
                        self._ledger.requests.put("cancel", payload, at=self._clock())
            case "approve_job" | "reject_job":
                self._answer_all(self._meant(command, forge), command, delivery=delivery)
            case "rerun" | "rerun_failed":
                self._rerun(self._meant(command, forge), command, delivery=delivery)
        return ()

    def _approve(self, command: Command) -> tuple[str, ...]:
        """A part of a commit's name is not enough: another commit can be made to begin with it."""
        sha = command.sha or ""
        if not _WHOLE_NAME.match(sha):
            raise _NotDone("an approval takes the whole name of a commit")
        approved = self._approvals.approve(command.repository, sha, actor=command.actor)
        runs = self._ledger.runs.of_commit(command.repository, sha)
        if not approved and all(run.state == "cancelled" for run in runs):
            raise _NotDone(f"nothing waits on {sha[:12]}; look at the newest commit, and name that")
        return approved

    def _test(self, command: Command, forge: Asked, *, delivery: str) -> tuple[str, ...]:
        if command.number is None or command.workflow is None:
            return ()
        event = forge.fetch_pull_request(command.repository, command.number)
        return self._events.start(event, workflow=command.workflow, delivery=delivery)

    def _rerun(self, runs: Sequence[RunRecord], command: Command, *, delivery: str) -> None:
        ended = [run for run in runs if run.state in FINAL]
        if not ended:
            raise _NotDone("it still runs" if runs else "nothing has run on this commit")
        failed_only = command.kind == "rerun_failed"
        meant = [run for run in ended if not failed_only or run.state not in ("success", "skipped")]
        if not meant:
            raise _NotDone("nothing has failed")
        for run in meant:
            payload = {"run_id": run.id, "failed": failed_only, "key": f"{delivery}\n{run.id}"}
            self._ledger.requests.put("rerun", payload, at=self._clock())

    def _answer_all(self, runs: Sequence[RunRecord], command: Command, *, delivery: str) -> None:
        """Hand on what somebody says to the gates of those runs that have such gates."""
        refusals = []
        for run in runs:
            try:
                self._answer(run, command, delivery=delivery)
            except _NotDone as error:
                refusals.append(error)
        if len(refusals) == len(runs):
            told = {str(error): None for error in refusals}
            raise _NotDone("; ".join(text for text in told if text != _NONE_WAITS) or _NONE_WAITS)

    def _answer(self, run: RunRecord, command: Command, *, delivery: str) -> None:
        """To no gate that opened after they said it."""
        waiting = self._waiting_gates(run)
        meant = _meant_gates(command, waiting)
        if not meant:
            if _is_said(command, self._ledger.gates.of_run(run.id)):  # by an earlier life, which then ended
                return
            if command.is_button and waiting:
                keys = sorted(gate.job_key for gate in waiting)
                self._refusals.note(run, keys, command, _OTHERS_WAIT)
            raise _NotDone(_NONE_WAITS)
        allowed = [gate.job_key for gate in meant if may_answer(gate, command.actor)]
        if not allowed:
            reason = f"not among those who may; ask {' or '.join(meant[0].approvers)}"
            self._refusals.note(run, [gate.job_key for gate in meant], command, reason)
            raise _NotDone(f"{command.actor} is {reason}")
        payload = {
            "run_id": run.id,
            "jobs": allowed,
            "approve": command.kind == "approve_job",
            "actor": command.actor,
            "via": "button" if command.is_button else f"comment on #{command.number}",
        }
        key = "\n".join((delivery, run.id, *_name(command)))
        self._ledger.requests.put("answer", payload, at=self._clock(), key=key)

    def _waiting_gates(self, run: RunRecord) -> list[Gate]:
        """Those at which jobs of a run wait now."""
        waiting = {job.key for job in self._ledger.runs.jobs(run.id) if job.state == "waiting"}
        return [gate for gate in self._ledger.gates.of_run(run.id) if gate.job_key in waiting]

    def _meant(self, command: Command, forge: Asked) -> list[RunRecord]:
        """The run that is named, or each workflow's newest run of the commit; of that repository only."""
        if command.run is not None:
            try:
                run = self._ledger.runs.get(command.run)
            except UnknownRun:  # a check of somebody else's: repositories' webhooks tell of all
                return []
            return [run] if run.repository == command.repository else []
        sha = command.sha
        if sha is None and command.number is not None:
            sha = forge.fetch_pull_request(command.repository, command.number).sha
        newest: dict[str, RunRecord] = {}
        for run in self._ledger.runs.of_commit(command.repository, sha or ""):
            newest.setdefault(run.workflow_path, run)
        return list(newest.values())


def _why(error: _NotDone | AuthorError) -> str:
    """For people who wrote a comment, not the file that a problem's place is in."""
    if isinstance(error, _NotDone):
        return str(error)
    return "; ".join(text for found in error.problems for text in (found.message, found.remedy) if text)


def _meant_gates(command: Command, waiting: Sequence[Gate]) -> list[Gate]:
    """Those of the gates at which jobs wait that somebody speaks of, and that were there when they did."""
    said_at = float("inf") if command.said_at is None else command.said_at + _CLOCKS_DIFFER_S
    there = [gate for gate in waiting if gate.opened_at <= said_at]
    if command.mark is not None:
        marked = marked_jobs(command.mark, [gate.job_key for gate in there])
        return [gate for gate in there if gate.job_key in marked]
    return [gate for gate in there if command.job is None or is_called(gate, command.job)]


def _is_said(command: Command, gates: Iterable[Gate]) -> bool:
    """Whether that is what they have said already."""
    approves = command.kind == "approve_job"
    return any(
        person(one.actor) == person(command.actor) and one.is_approval == approves
        for gate in gates
        if command.job is None or is_called(gate, command.job)
        for one in gate.answers
    )


def _name(command: Command) -> tuple[str, ...]:
    """What it asks for, and of what: one comment may ask for several things."""
    return tuple(filter(None, (command.kind, command.workflow, command.job, command.mark, command.sha)))
