"""The slots of one host: threads that take the next job, attempt it, and tell its run how it ended.

What follows goes back into the queue. Slots know nothing of the graph, runs nothing of slots.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from functools import partial

from windlass_registry.errors import WindlassError
from windlass_runner.engines.base import Lane
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import to_text
from windlass_runner.plan.model import Group
from windlass_runner.run.active import ActiveRun
from windlass_runner.run.ahead import Ahead
from windlass_runner.run.alarms import Alarms, behind
from windlass_runner.run.attempt import Attempt
from windlass_runner.run.cleaning import Cleaning
from windlass_runner.run.ending import Ending
from windlass_runner.run.following import Followed, Start, Successor
from windlass_runner.run.groups import Member, Turns, group_key
from windlass_runner.run.lanes import slot_lane
from windlass_runner.run.queue import Entry, JobQueue, Rank
from windlass_runner.run.states import FINAL
from windlass_runner.run.timed import ENGINE_RETRY_S, TimedAttempts

log = logging.getLogger("windlass_runner.slots")


class Slots:
    """See the module. `on_change` is called after everything that may have ended a run."""

    def __init__(
        self,
        *,
        count: int,
        host_name: str,
        waits_for_engine: bool,
        turns: Turns,
        cleaning: Cleaning,
        closing: threading.Event,
        on_change: Callable[[ActiveRun], None],
        on_broken: Callable[[ActiveRun, Exception], None],
    ) -> None:
        self._count = count
        self._host_name = host_name
        self._turns = turns
        self._cleaning = cleaning
        self._closing = closing
        self._on_change = on_change
        self._on_broken = on_broken
        self._queue = JobQueue()
        self._alarms = Alarms()
        self._ahead = Ahead()
        self._timed = TimedAttempts(self._alarms, closing=closing, waits_for_engine=waits_for_engine)
        self._threads: list[threading.Thread] = []
        self._order = itertools.count()
        self._lock = threading.Lock()

    # -- from outside ----------------------------------------------------------------------------

    def follow(self, active: ActiveRun, starts: list[Start]) -> None:
        """Queue what follows from a change of a run."""
        for start in starts:
            self._queue_one(active, start)
        self._open_threads()
        look_in_s = active.gates_look_in_s()
        if look_in_s is not None:
            self._look_later(active, look_in_s)
        self._on_change(active)

    def look_at_gates(self, active: ActiveRun) -> None:
        """Somebody has answered to a gate of the run, or its time has come."""
        if not self._closing.is_set():
            with active.rest:
                starts = active.look_at_gates()
            self.follow(active, starts)

    def close(self) -> None:
        """Let go: nothing new is started, what runs runs on."""
        self._queue.close()
        self._alarms.close()
        self._ahead.close()

    def _look_later(self, active: ActiveRun, delay_s: float) -> None:
        self._alarms.after(delay_s, lambda: behind("gates", lambda: self._look_in_time(active)))

    def _look_in_time(self, active: ActiveRun) -> None:
        try:
            self.look_at_gates(active)
        except WindlassError as error:
            log.warning("cannot look at the gates of run %s: %s", active.id, error)
            self._look_later(active, ENGINE_RETRY_S)

    # -- the queue -------------------------------------------------------------------------------

    def _rank(self, active: ActiveRun, key: str) -> Rank:
        return (-active.spec(key).priority, active.id, next(self._order))

    def _queue_one(self, active: ActiveRun, start: Start) -> None:
        entry = Entry(rank=self._rank(active, start.key), run=active, key=start.key, attempt=start.attempt)
        group = active.spec(start.key).concurrency
        if start.delay_s:
            self._alarms.after(start.delay_s, lambda: self._queue.put(entry))
        elif group is not None:
            self._ask_for_turn(active, entry, group)
        else:
            self._queue.put(entry)

    def _ask_for_turn(self, active: ActiveRun, entry: Entry, group: Group) -> None:
        try:
            contexts = active.job_contexts(active.progress.legs[entry.key].job)
            name = to_text(evaluate_template(group.name, contexts))
            cancels = group.cancel_in_progress
            if isinstance(cancels, str):
                cancels = evaluate_template(cancels, contexts) is True
        except ExpressionError as error:
            self.follow(active, active.end(entry.key, "failure", f"concurrency: {error}"))
            return
        entry.group = group_key(active.record.repository, name)
        member = Member(
            id=f"{active.id}/{entry.key}",
            start=lambda: self._queue.put(entry),
            cancel=lambda reason: self._cancel_job(active, entry.key, reason),
        )
        holder = self._turns.ask(entry.group, member, depth=group.queue, cancels_holder=cancels)
        if holder != member.id:
            active.note(entry.key, f"waits for {holder} in concurrency group '{name}'")

    def _cancel_job(self, active: ActiveRun, key: str, reason: str) -> None:
        attempt = active.running(key)
        if attempt is not None:
            attempt.stop("cancelled", reason)
        else:
            self.follow(active, active.end(key, "cancelled", reason))

    def _leave(self, entry: Entry) -> None:
        if entry.group is not None:
            self._turns.leave(entry.group, f"{entry.run.id}/{entry.key}")

    def _open_threads(self) -> None:
        """One more thread for each job that no thread waits for, up to the number of slots."""
        with self._lock:
            busy = len(self._threads) - self._queue.idle
            wanted = min(self._count, self._queue.size() + busy)
            while len(self._threads) < wanted:
                number = len(self._threads)
                thread = threading.Thread(
                    target=self._work, args=(number,), name=f"slot-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    # -- one slot --------------------------------------------------------------------------------

    def _work(self, number: int) -> None:
        lane = slot_lane(number)
        while (taken := self._queue.take()) is not None:
            current: Entry | None = taken
            while current is not None:
                current = self._perform_safely(current, lane)

    def _perform_safely(self, entry: Entry, lane: Lane) -> Entry | None:
        """The outermost loop of a worker: whatever happens, the slot lives on and the job ends."""
        active: ActiveRun = entry.run
        try:
            return self._perform(entry, lane)
        except Exception as error:
            log.exception("job %s of run %s", entry.key, active.id)
            try:
                self.follow(active, active.end(entry.key, "failure", f"internal error: {error!r}"))
            except Exception as second:
                log.exception("run %s cannot go on", active.id)
                self._on_broken(active, second)
            return None

    def _perform(self, entry: Entry, lane: Lane) -> Entry | None:
        """Attempt one job; the job to go on with in the same lane, if there is one."""
        clean_before = partial(self._clean_before, entry)
        try:
            begun = (entry.begun, 0.0) if entry.begun is not None else self._begin(entry, lane)
            if begun is None:
                return None
            attempt, ran_s = begun
            follower = self._create_follower(entry.run, entry.key, lane)
            contexts = partial(entry.run.job_contexts, attempt.job)
            ending = self._timed.run(attempt, contexts=contexts, ran_s=ran_s, on_started=clean_before)
        finally:
            clean_before()
        if ending is None:
            return None
        return self._go_on(entry, attempt, ending, follower=follower)

    def _begin(self, entry: Entry, lane: Lane) -> tuple[Attempt, float] | None:
        """The attempt of a job, written down as begun, and for how many seconds it ran already; None
        where there is nothing to run."""
        active: ActiveRun = entry.run
        if active.progress.legs[entry.key].state in FINAL:
            self._leave(entry)
            return None
        attempt = self._ahead.take(active.id, entry.key, lane) if entry.attempt == 1 else None
        try:
            attempt = attempt or active.attempt(entry.key, entry.attempt, lane)
        except WindlassError as error:
            self._leave(entry)
            self.follow(active, active.end(entry.key, "failure", str(error)))
            return None
        ran_s = active.started(attempt, host=self._host_name)
        if ran_s is None:
            attempt.discard()
            self._leave(entry)
            return None
        return attempt, ran_s

    def _go_on(self, entry: Entry, attempt: Attempt, ending: Ending, *, follower: str | None) -> Entry | None:
        """Write the end down and queue what follows. The one job that follows for certain may go on at
        once, in this lane: where it is made already, its beginning is written down with that end."""
        active: ActiveRun = entry.run
        successor = self._successor(active, follower)
        followed = active.ended(attempt, ending, successor)
        self._leave(entry)
        if successor is not None and followed.begun is None:
            successor.attempt.discard()
        if follower is None or not self._may_go_on(active, follower, followed, is_made=successor is not None):
            self._cleaning.remove_attempt(active.id, attempt)
            if follower is not None:
                self._ahead.discard(active.id, follower)
            self.follow(active, followed.starts)
            return None
        rank = self._rank(active, follower)
        self.follow(active, [start for start in followed.starts if start.key != follower])
        return Entry(rank=rank, run=active, key=follower, is_taken=True, begun=followed.begun, before=attempt)

    def _successor(self, active: ActiveRun, follower: str | None) -> Successor | None:
        """The job that follows, where it is made already."""
        made = self._ahead.take_ready(active.id, follower) if follower is not None else None
        if made is None:
            return None
        its_turn = partial(self._is_its_turn, active, made.job.key)
        return Successor(attempt=made, host=self._host_name, is_its_turn=its_turn)

    def _may_go_on(self, active: ActiveRun, key: str, followed: Followed, *, is_made: bool) -> bool:
        """Whether that job goes on in this lane."""
        if all(start.key != key for start in followed.starts):
            return False
        return followed.begun is not None if is_made else self._is_its_turn(active, key)

    def _is_its_turn(self, active: ActiveRun, key: str) -> bool:
        """Whether no job of another run, or a more urgent one, waits for this slot."""
        return self._queue.idle > 0 or not self._queue.has_better_than(self._rank(active, key))

    def _create_follower(self, active: ActiveRun, key: str, lane: Lane) -> str | None:
        """Have the container made of the one job that will follow, while this one runs."""
        with active.lock:
            job = active.progress.sole_successor(key)
        if job is None or not self._ahead.is_possible(active.plan.specs[job.job_id]):
            return None
        self._ahead.make(active, job.key, lane)
        return job.key

    def _clean_before(self, entry: Entry) -> None:
        """Clean away what had the slot before, now that its successor has been started: until then it would
        only be in the way."""
        before, entry.before = entry.before, None
        if before is not None:
            self._cleaning.remove_attempt(entry.run.id, before)
