"""Follows a run by cursor, as any process can: events from the ledger, lines from the log files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from windlass_runner.commands.run_view import JobLine, RunView
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.log_file import read_log
from windlass_runner.run.storage import Storage

MOST_BYTES = 4 * 1024 * 1024
"""How much of one log is read before others get their turn."""


class Display(Protocol):
    """Shows a run to somebody. One thread."""

    def update(self, view: RunView, lines: Sequence[JobLine]) -> None:
        """Something may have changed, and these lines are new."""
        ...

    def close(self, view: RunView) -> None:
        """The run has ended, or nobody follows it any more."""
        ...


class Follower:
    """Reads what is new of one run, each time it is asked. One thread.

    `jobs`: only these jobs' lines; None: of all. `with_lines` False: no lines at all.
    """

    def __init__(
        self,
        ledger: Ledger,
        storage: Storage,
        run_id: str,
        *,
        jobs: Collection[str] | None = None,
        with_lines: bool = True,
    ) -> None:
        self._ledger = ledger
        self._storage = storage
        self._only = jobs
        self._with_lines = with_lines
        self._event = 0
        self._cursors: dict[str, tuple[int, int]] = {}
        """Where each job's log is read to: attempt, bytes."""
        self.view = RunView(ledger.runs.get(run_id), ledger.runs.jobs(run_id))
        self._open = {key for key, job in self.view.jobs.items() if job.attempt}
        """Jobs whose log is not read to its end."""

    def read(self) -> list[JobLine]:
        """Bring `view` up to date, with the changed jobs as its `news`; the lines that are new. All of them
        are there once a job is final."""
        was_final = self.view.is_final
        self.view.news.clear()
        self._read_events()
        lines = self._read_lines() if self._with_lines else []
        if self.view.is_final and not was_final:
            self._refresh()
        return lines

    def _refresh(self) -> None:
        run_id = self.view.run.id
        self.view.refresh(self._ledger.runs.get(run_id), self._ledger.runs.jobs(run_id))

    def _read_events(self) -> None:
        while True:
            events = self._ledger.events.after(self._event, run_id=self.view.run.id)
            if not events:
                return
            self._event = events[-1].id
            if not self.view.apply(events):
                self._refresh()

    def _read_lines(self) -> list[JobLine]:
        found: list[JobLine] = []
        self._open.update(key for key in self.view.news if self.view.jobs[key].attempt)
        for key in list(self._open):
            if self._only is None or key in self._only:
                job = self.view.jobs[key]
                self._read_job(key, latest=job.attempt, is_final=job.is_final, into=found)
        return found

    def _read_job(self, key: str, *, latest: int, is_final: bool, into: list[JobLine]) -> None:
        attempt, cursor = self._cursors.get(key, (1, 0))
        while attempt < latest:
            self._read_attempt(key, attempt, cursor, into)
            attempt, cursor = attempt + 1, 0
        self._cursors[key] = (attempt, self._read_attempt(key, attempt, cursor, into))
        if is_final:
            self._open.discard(key)

    def _read_attempt(self, key: str, attempt: int, cursor: int, into: list[JobLine]) -> int:
        path = self._storage.log(self.view.run.id, key, attempt)
        while True:
            lines, behind = read_log(path, cursor)
            into += [JobLine(job_key=key, attempt=attempt, line=line) for line in lines]
            if lines:
                self.view.jobs[key].last_line = lines[-1].text
            if behind == cursor:
                return cursor
            cursor = behind


def follow(follower: Follower, display: Display, *, pause: Callable[[], object]) -> RunView:
    """Show a run until it has ended. `pause` blocks for a moment, or until something happened."""
    display.update(follower.view, follower.read())
    while not follower.view.is_final:
        pause()
        display.update(follower.view, follower.read())
    display.close(follower.view)
    return follower.view


def ledger_pause(ledger: Ledger, *, at_most_s: float = 0.2) -> Callable[[], None]:
    """A pause that ends when something is committed to the ledger, by whichever process."""
    seen = 0

    def pause() -> None:
        nonlocal seen
        seen = ledger.wait_for_change(seen, at_most_s)

    return pause
