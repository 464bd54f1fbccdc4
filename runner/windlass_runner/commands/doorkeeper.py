"""Answers to the gates of a run in this process: by `--yes`, `--approve`, or whoever sits at the terminal.

Imported only where a plan has gates.
"""

from __future__ import annotations

import select
import time
from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING

from windlass_runner.commands.following import Display
from windlass_runner.commands.invocation import Invocation, is_terminal
from windlass_runner.commands.paint import tame
from windlass_runner.commands.plain_progress import PlainProgress
from windlass_runner.commands.planning import login
from windlass_runner.commands.run_view import JobView, RunView
from windlass_runner.ledger.gate_records import Answer
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.answers import record_answer

if TYPE_CHECKING:
    from typing import TextIO


class Doorkeeper:
    """Attends to one run. One thread; nothing of it blocks."""

    def __init__(self, arguments: Namespace, invocation: Invocation, ledger: Ledger, stdin: TextIO) -> None:
        self._says_yes: bool = getattr(arguments, "yes", False)
        self._approved: frozenset[str] = frozenset(getattr(arguments, "approve", ()))
        self._who = login(invocation.environment)
        self._invocation = invocation
        self._ledger = ledger
        self._stdin = stdin
        self._can_ask = is_terminal(stdin) and is_terminal(invocation.err)
        self._asked: str | None = None

    def hides(self, display: Display) -> bool:
        """Whether a question stands where the display would draw."""
        return self._asked is not None and not isinstance(display, PlainProgress)

    def attend(self, view: RunView, display: Display) -> bool:
        """See to the jobs that wait; whether there are any."""
        waiting = [job for job in view.jobs.values() if job.state == "waiting"]
        if self._asked is not None and self._asked not in {job.key for job in waiting}:
            self._asked = None  # it was answered elsewhere, or stopped
        for job in waiting:
            if self._says_yes or (self._approved and self._is_approved(view, job)):
                self._answer(view, job, is_approval=True, via="--yes" if self._says_yes else "--approve")
            elif not self._can_ask:
                self._answer(view, job, is_approval=False, via="no terminal")
        if self._can_ask and waiting:
            self._ask(view, waiting, display)
        return bool(waiting)

    def _is_approved(self, view: RunView, job: JobView) -> bool:
        gates = self._ledger.gates.of_run(view.run.id)
        environments = {gate.environment for gate in gates if gate.job_key == job.key}
        return bool({job.key, job.name, job.key.partition(" (")[0], *environments} & self._approved)

    def _ask(self, view: RunView, waiting: Iterable[JobView], display: Display) -> None:
        """One question at a time: put it, or look whether it has been answered."""
        job = next((job for job in waiting if job.key == self._asked), None)
        if job is None:
            job = next(iter(waiting))
            self._asked = job.key
            display.close(view)
            self._put_question(job)
        if not select.select([self._stdin], [], [], 0)[0]:
            return
        said = self._stdin.readline()
        word = said.strip().lower()
        if word in ("y", "yes") or word in ("n", "no") or not said:
            self._asked = None
            self._answer(view, job, is_approval=word in ("y", "yes"), via="terminal")
        else:
            self._put_question(job)

    def _put_question(self, job: JobView) -> None:
        self._invocation.err.write(f"{tame(job.name)} {tame(job.reason)}\nlet it go on? [y/n] ")
        self._invocation.err.flush()

    def _answer(self, view: RunView, job: JobView, *, is_approval: bool, via: str) -> None:
        comment = ""
        if via == "no terminal":
            comment = f"nobody can be asked here; give --yes, or --approve {job.key.partition(' (')[0]}"
        answer = Answer(actor=self._who, is_approval=is_approval, comment=comment, via=via, at=time.time())
        record_answer(self._ledger, view.run, answer, names=(job.key,), report=False)
