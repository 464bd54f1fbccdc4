"""Does what people ask for on a forge, by buttons and comments, if they may. Used by `daemon.intake`.

Everything may be done again after a crash: what is asked of the ledger carries a key of the delivery.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from windlass_runner.daemon.approvals import Approvals
from windlass_runner.daemon.forge_events import ForgeEvents
from windlass_runner.daemon.journal import Journal
from windlass_runner.forges.base import Asked, Command
from windlass_runner.ledger.errors import UnknownRun
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import FINAL, RunRecord
from windlass_runner.run.answers import is_called, marked_jobs

_CLOCKS_DIFFER_S: Final = 60.0
_WHOLE_NAME: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


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
        self._journal = Journal("commands")

    def take(self, command: Command, *, delivery: str) -> tuple[str, ...]:
        """Do it, or have it done; the ids of runs that may begin now.

        Raises:
            UpstreamError, OperatorError: the forge cannot be asked now.
        """
        words = {"command": command.kind, "repository": command.repository, "actor": command.actor}
        forge = self._asked(command.repository)
        if not (command.is_button or forge.may_write(command.repository, command.actor)):
            self._journal.warning("command.refused", **words, reason="no right to write")
            return ()
        self._journal.info("command.taken", **words)
        match command.kind:
            case "approve":
                return self._approve(command)
            case "test":
                return self._test(command, forge, delivery=delivery)
            case "cancel":
                for run in self._meant(command, forge):
                    if run.state not in FINAL:
                        reason = f"cancelled by {command.actor}"
                        self._ledger.requests.put(
                            "cancel", {"run_id": run.id, "reason": reason}, at=self._clock()
                        )
            case "approve_job" | "reject_job":
                for run in self._meant(command, forge):
                    if run.state not in FINAL:
                        self._answer(run, command, delivery=delivery)
            case "rerun" | "rerun_failed":
                self._rerun(self._meant(command, forge), command, delivery=delivery)
        return ()

    def _approve(self, command: Command) -> tuple[str, ...]:
        """A part of a commit's name is not enough: another commit can be made to begin with it."""
        if command.sha is None or not _WHOLE_NAME.match(command.sha):
            self._journal.warning(
                "approval.refused", repository=command.repository, sha=command.sha, reason="not a whole name"
            )
            return ()
        return self._approvals.approve(command.repository, command.sha, actor=command.actor)

    def _test(self, command: Command, forge: Asked, *, delivery: str) -> tuple[str, ...]:
        if command.number is None or command.workflow is None:
            return ()
        event = forge.fetch_pull_request(command.repository, command.number)
        return self._events.start(event, workflow=command.workflow, delivery=delivery)

    def _rerun(self, runs: Iterable[RunRecord], command: Command, *, delivery: str) -> None:
        for run in runs:
            if run.state in FINAL and (command.kind == "rerun" or run.state not in ("success", "skipped")):
                payload = {
                    "run_id": run.id,
                    "failed": command.kind == "rerun_failed",
                    "key": f"{delivery}\n{run.id}",
                }
                self._ledger.requests.put("rerun", payload, at=self._clock())

    def _answer(self, run: RunRecord, command: Command, *, delivery: str) -> None:
        """Hand on what somebody says to the gates of a run; to no gate that opened after they said it."""
        waiting = {job.key for job in self._ledger.runs.jobs(run.id) if job.state == "waiting"}
        said_at = float("inf") if command.said_at is None else command.said_at + _CLOCKS_DIFFER_S
        gates = [gate for gate in self._ledger.gates.of_run(run.id) if gate.job_key in waiting]
        meant: Sequence[str] = [gate.job_key for gate in gates if gate.opened_at <= said_at]
        if command.mark is not None:
            meant = marked_jobs(command.mark, meant)
        elif command.job is not None:
            meant = [gate.job_key for gate in gates if gate.job_key in meant and is_called(gate, command.job)]
        if not meant:
            words = {"run": run.id, "actor": command.actor, "job": command.job or command.mark}
            self._journal.warning("answer.refused", **words, reason="no such job waits, or not since then")
            return
        payload = {
            "run_id": run.id,
            "jobs": list(meant),
            "approve": command.kind == "approve_job",
            "actor": command.actor,
            "via": "button" if command.is_button else f"comment on #{command.number}",
        }
        key = f"{delivery}\n{run.id}\n{command.kind}\n{command.job or command.mark}"
        self._ledger.requests.put("answer", payload, at=self._clock(), key=key)

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
