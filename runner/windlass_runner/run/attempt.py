"""One try of one job, from its folders to its outputs.

Everything here may be done again by whoever comes next after a crash: folders are made where they
are missing, containers are found by name, logs are read from the first byte, outputs are moved once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_runner.data.trees import remove_folder
from windlass_runner.engines.base import Container, EngineUnavailable
from windlass_runner.run.app import AppAddress, watched
from windlass_runner.run.assembly import Task
from windlass_runner.run.conclusion import broken, conclude, full_disk, with_last_words
from windlass_runner.run.ending import Ending, Figures, Points
from windlass_runner.run.keeping import keep_for_later
from windlass_runner.run.kept_ending import keep_ending, kept_ending
from windlass_runner.run.logs import JobLog
from windlass_runner.run.ready_attempt import ReadyAttempt, make_ready
from windlass_runner.run.stopping import Stopping, StopReason


def _nothing() -> None:
    return None


class Attempt:
    """One try. Used by one thread, except `stop`."""

    def __init__(
        self,
        task: Task,
        *,
        on_metrics: Callable[[Points], None],
        on_waiting: Callable[[str], None],
        on_app: Callable[[AppAddress], None],
    ) -> None:
        """`on_waiting` hears for what it waits, and an empty text when it does no longer; `on_app`, from
        another thread, where the app is reached that it serves."""
        self.task = task
        self.job = task.job
        self.spec = task.spec
        self.number = task.number
        self._folders = task.folders
        self._figures = Figures(self._folders, on_metrics)
        self._on_waiting = on_waiting
        self._on_app = on_app
        self._on_started: Callable[[], None] = _nothing
        self._ready: ReadyAttempt | None = None
        self._stopping = Stopping(self._folders, clock=task.around.clock)
        self._left: tuple[Container, ...] = ()

    # -- from outside ----------------------------------------------------------------------------

    def create_ahead(self) -> None:
        """Make folders and container, and start nothing.

        Raises:
            ExpressionError, WindlassError, OSError: `run` will meet it again, and report it.
        """
        ready = self._make_ready()
        if ready.frame.is_single:
            ready.host.create_ahead(ready.steps.first(self.spec.steps, ready.scope))

    def discard(self) -> None:
        """Undo `create_ahead`; the container's name is free again."""
        if self._ready is not None:
            self._ready.host.discard()
            self._ready.log.close()

    def stop(self, reason: StopReason, because: str = "cancelled", *, force: bool = False) -> None:
        """End it, behind: the step that runs, gracefully; steps whose `if` asks for it still follow, unless
        by `force`. From any thread; idempotent, and the first reason counts. `because` is what people
        read. Where the engine does not answer, the next `run` does it."""
        self._stopping.ask(reason, because, force=force)
        if self._ready is not None:
            self._ready.host.stop()

    def run(self, on_started: Callable[[], None] = _nothing) -> Ending:
        """Carry it out. A failed job is a value. `on_started` is called when a step has been started.

        Raises:
            EngineUnavailable: the engine went away; call again when it is back.
        """
        self._on_started = on_started
        if (ended := kept_ending(self._folders)) is not None:
            return ended
        try:
            ending = self._carry_out(self._make_ready())
        except EngineUnavailable:
            self._let_go()
            raise
        except (WindlassError, OSError) as error:
            ending = broken(self.task, error)
        if self._ready is not None:
            ending = with_last_words(self._ready, ending)
        if ending.state != "success" and full_disk(self.task) is not None:
            self._make_room(ending)
        return ending

    def clean(self) -> None:
        """Remove containers and folders. Idempotent; never takes a cancel signal."""
        around, lane = self.task.around, self.task.lane
        if self._ready is not None:
            self._ready.host.remove_containers()
            self._ready.log.close()
        if lane.is_private:  # its network and services; what cannot go now goes with the run
            with contextlib.suppress(OperatorError, UpstreamError):
                around.engine.close_lane(around.run.id, lane)
        try:
            remove_folder(self._folders.root)
        except FileNotFoundError:
            return
        except OSError:
            image = self.spec.image if self._ready is None else self._ready.image_here()
            around.engine.reclaim([self._folders.root], image=image)
            with contextlib.suppress(OSError):  # else it goes with the run
                remove_folder(self._folders.root)

    # -- how -------------------------------------------------------------------------------------

    def _make_ready(self) -> ReadyAttempt:
        if self._ready is None:
            self._ready = make_ready(
                self.task,
                self._folders,
                figures=self._figures,
                stopping=self._stopping,
                on_started=lambda: self._on_started(),
                on_waiting=self._on_waiting,
                left=self._left,
            )
            if self._stopping.stop is not None:
                self._ready.host.stop()
        return self._ready

    def _let_go(self) -> None:
        """The next try begins like one after a crash of ours: by finding what is there."""
        ready, self._ready = self._ready, None
        if ready is not None:
            self._left = ready.host.let_go()
            ready.log.close()

    def _carry_out(self, ready: ReadyAttempt) -> Ending:
        if self.spec.services:
            ready.host.start_services(ready.services())
        on_app, on_silence = partial(self._show_app, ready.log), partial(_tell_of_silence, ready.log)
        with watched(ready.app, self.task, on_ready=on_app, on_silence=on_silence):
            outcome = ready.steps.run(self.spec.steps, ready.scope)
        ready.host.end_session()
        if self.spec.has_cache:
            keep_for_later(ready)
        return conclude(ready, outcome, self._stopping.stop)

    def _show_app(self, log: JobLog, address: AppAddress) -> None:
        log.system(f"the app answers; on this machine at {address.url}")
        self._on_app(address)

    def _make_room(self, ending: Ending) -> None:
        """With no room left, not even its end could be written down: what it left goes at once. Before the
        container does, by which a crash would find it, its end is kept, in the room that its files give."""
        with contextlib.suppress(OSError):
            remove_folder(self._folders.workspace)
        is_kept = keep_ending(self._folders, ending)
        with contextlib.suppress(WindlassError):
            self.clean()
        if not is_kept:
            keep_ending(self._folders, ending)


def _tell_of_silence(log: JobLog, address: AppAddress) -> None:
    text = f"the app does not answer yet; from this machine it is looked for at {address.url}"
    log.system(text, kind="warning")
