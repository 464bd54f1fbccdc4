"""Tells people on a forge why what they asked for was not done: under the comment in which they asked, and,
of a gate, on the check that has its buttons. Used by `daemon.forge_commands`.

What stands on the check lies in the ledger. An answer to a comment is a courtesy: one that the forge does not
take now is left out, so that nobody's comment holds up what else a repository has to tell.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.daemon.journal import Journal
from windlass_runner.forges.base import Asked, Command, CommandKind
from windlass_runner.ledger.gates import person
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, RunRecord
from windlass_runner.run.check_markdown import code, escape

REFUSED: Final = "job.refused"
_MOST_OF_RUN: Final = 50
"""So many refusals are written down of one run."""
_MOST_REMEMBERED: Final = 2000
_SPOKEN: Final[dict[CommandKind, str]] = {
    "rerun": "/retest",
    "rerun_failed": "/retest-failed",
    "cancel": "/cancel",
    "test": "/test",
    "approve": "/ok-to-test",
    "approve_job": "/approve",
    "reject_job": "/reject",
}


class Refusals:
    """Safe to use from several threads; one thread per repository at a time."""

    def __init__(self, *, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._journal = Journal("commands")
        self._told: OrderedDict[tuple[str, int, str], None] = OrderedDict()

    def note(self, run: RunRecord, jobs: Collection[str], command: Command, reason: str) -> None:
        """Write down with the jobs that somebody's answer to their gates does not count; once for each
        person and reason."""
        known = self._ledger.events.sample(run.id, REFUSED, limit=_MOST_OF_RUN)
        said = {(one.job_key, person(str(one.data.get("actor"))), one.data.get("reason")) for one in known}
        told = {
            "actor": command.actor,
            "answer": "approved" if command.kind == "approve_job" else "rejected",
            "reason": reason,
            "via": "button" if command.is_button else f"comment on #{command.number}",
        }
        news = [
            EventDraft(kind=REFUSED, job_key=key, data=told)
            for key in jobs
            if (key, person(command.actor), reason) not in said
        ][: max(0, _MOST_OF_RUN - len(known))]
        if news:
            self._ledger.runs.record(run.id, events=news, at=self._clock(), report=True)

    def answer(self, command: Command, forge: Asked, reason: str, *, key: str) -> None:
        """Say it where it was asked, once for each `key`; who pressed a button is not written to."""
        if command.is_button or command.number is None:
            return
        place = (command.repository, command.number, key)
        if place in self._told:
            return
        words = {"repository": command.repository, "number": command.number, "actor": command.actor}
        try:
            forge.reply(command.repository, command.number, _text(command, reason), key=key)
        except (OperatorError, UpstreamError) as error:
            self._journal.warning("answer.not_posted", **words, reason=error)
            return
        self._told[place] = None
        while len(self._told) > _MOST_REMEMBERED:
            self._told.popitem(last=False)


def refusal_text(told: Mapping[str, Any]) -> str:
    """What was written down of one answer to a gate that does not count, as a sentence."""
    who = f"{told.get('answer')} by {told.get('actor')} ({told.get('via')})"
    return f"{who} does not count: {told.get('reason')}"


def _text(command: Command, reason: str) -> str:
    named = command.workflow or command.job or (command.sha if command.kind == "approve" else None)
    asked = f"{_SPOKEN[command.kind]} {named}" if named else _SPOKEN[command.kind]
    return f"@{command.actor} {code(asked)} was not done: {escape(reason, 1000)}"
