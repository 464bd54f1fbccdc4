"""One try of one job, from its folders to its outputs.

Everything here may be done again by whoever comes next after a crash: folders are made where they
are missing, containers are found by name, logs are read from the first byte, outputs are moved once.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_runner.data.trees import remove_folder
from windlass_runner.engines.base import CommandNotStartable, Container, EngineUnavailable, HostFull
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template, evaluate_value
from windlass_runner.expressions.values import to_text
from windlass_runner.run.app import App, AppAddress, claim_app, watched
from windlass_runner.run.assembly import Task, make_contexts, make_folders, make_frame
from windlass_runner.run.attempt_host import AttemptHost
from windlass_runner.run.ending import (
    Ending,
    Figures,
    Points,
    collect,
    collect_artifacts,
    read_step_files,
    said_outputs,
    with_remarks,
)
from windlass_runner.run.expectations import say_expectations, with_expectations
from windlass_runner.run.frame import Frame
from windlass_runner.run.full_disk import find_full_disk
from windlass_runner.run.kept import Kept, is_folder_itself, names_in_use
from windlass_runner.run.kept_ending import keep_ending, kept_ending
from windlass_runner.run.log_file import LogWriter
from windlass_runner.run.logs import JobLog
from windlass_runner.run.steps import Scope, Steps
from windlass_runner.run.stopping import LAST_STEPS_S, Stop, Stopping, StopReason
from windlass_runner.workflow.model import Service

_LIVE_METRICS_S: Final = 0.5


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """An attempt with its folders made and its texts settled, as far as they can be ahead."""

    frame: Frame
    scope: Scope
    steps: Steps
    host: AttemptHost
    log: JobLog
    app: App | None


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
        self._around = task.around
        self._folders = task.folders
        self._figures = Figures(self._folders, on_metrics)
        self._figures_read_at = 0.0
        self._on_waiting = on_waiting
        self._on_app = on_app
        self._on_started: Callable[[], None] = _nothing
        self._assembled: Assembled | None = None
        self._stopping = Stopping(task.folders, clock=task.around.clock)
        self._left: tuple[Container, ...] = ()

    # -- from outside ----------------------------------------------------------------------------

    def create_ahead(self) -> None:
        """Make folders and container, and start nothing.

        Raises:
            ExpressionError, WindlassError, OSError: `run` will meet it again, and report it.
        """
        assembled = self._assemble()
        if assembled.frame.is_single:
            assembled.host.create_ahead(assembled.steps.first(self.spec.steps, assembled.scope))

    def discard(self) -> None:
        """Undo `create_ahead`; the container's name is free again."""
        if self._assembled is not None:
            self._assembled.host.discard()
            self._assembled.log.close()

    def stop(self, reason: StopReason, because: str = "cancelled", *, force: bool = False) -> None:
        """End it, behind: the step that runs, gracefully; steps whose `if` asks for it still follow, unless
        by `force`. From any thread; idempotent, and the first reason counts. `because` is what people
        read. Where the engine does not answer, the next `run` does it."""
        self._stopping.ask(reason, because, force=force)
        if self._assembled is not None:
            self._assembled.host.stop()

    def run(self, on_started: Callable[[], None] = _nothing) -> Ending:
        """Carry it out. A failed job is a value. `on_started` is called when a step has been started.

        Raises:
            EngineUnavailable: the engine went away; call again when it is back.
        """
        self._on_started = on_started
        if (ended := kept_ending(self._folders)) is not None:
            return ended
        try:
            assembled = self._assemble()
            ending = self._judged(self._carry_out(assembled), assembled)
        except EngineUnavailable:
            self._let_go()
            raise
        except WindlassError as error:
            ending = _broken(error)
        except OSError as error:
            ending = _broken(self._host_problem(error))
        if self._assembled is not None:
            ending = self._with_remarks(ending, self._assembled)
        if ending.state != "success" and self._full_disk() is not None:
            self._make_room(ending)
        return ending

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

    def clean(self) -> None:
        """Remove containers and folders. Idempotent; never takes a cancel signal."""
        if self._assembled is not None:
            self._assembled.host.remove_containers()
            self._assembled.log.close()
        if self.task.lane.is_private:  # its network and services; what cannot go now goes with the run
            with contextlib.suppress(OperatorError, UpstreamError):
                self._around.engine.close_lane(self._around.run.id, self.task.lane)
        try:
            remove_folder(self._folders.root)
        except FileNotFoundError:
            return
        except OSError:
            self._around.engine.reclaim([self._folders.root], image=self._image_here())
            with contextlib.suppress(OSError):  # else it goes with the run
                remove_folder(self._folders.root)

    # -- how -------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        """The next try begins like one after a crash of ours: by finding what is there."""
        assembled, self._assembled = self._assembled, None
        if assembled is not None:
            self._left = assembled.host.let_go()
            assembled.log.close()

    def _assemble(self) -> Assembled:
        if self._assembled is None:
            self._assembled = self._make()
            if self._stopping.stop is not None:
                self._assembled.host.stop()
        return self._assembled

    def _make(self) -> Assembled:
        around, folders = self._around, self._folders
        make_folders(self.task)
        contexts = make_contexts(self.task)
        app = claim_app(self.task)
        frame = make_frame(self.task, contexts, told=None if app is None else app.environment())
        log_path = around.storage.log(around.run.id, self.job.key, self.number)
        secrets = contexts["secrets"]
        log = JobLog(LogWriter(log_path, clock=around.clock), secrets=filter(None, secrets.values()))
        for name in (name for name, value in secrets.items() if not value):
            log.system(f"secret '{name}' is not set: it is empty here", kind="warning")
        if around.remark:
            log.system(around.remark)
        host = AttemptHost(
            around.engine,
            frame,
            folders=folders,
            log=log,
            stopping=self._stopping,
            images=around.images,
            read_files=lambda step: read_step_files(folders, step, log),
            on_started=lambda: self._on_started(),
            on_output=self._read_figures,
            on_waiting=self._on_waiting,
            left=self._left,
        )
        steps = Steps(
            host,
            folders=folders,
            env=frame.env,
            action_folder=around.action_folder,
            workspace=folders.workspace,
        )
        return Assembled(
            frame=frame, scope=Scope(contexts=contexts), steps=steps, host=host, log=log, app=app
        )

    def _carry_out(self, assembled: Assembled) -> Ending:
        if self.spec.services:
            assembled.host.start_services(self._services(assembled))
        with watched(assembled.app, self.task, on_ready=self._show_app, on_silence=self._tell_of_silence):
            outcome = assembled.steps.run(self.spec.steps, assembled.scope)
        assembled.host.end_session()
        if self.spec.has_cache:
            self._keep(assembled)
        stop = self._stopping.stop
        if outcome == "success" and stop is None:
            return self._succeeded(assembled)
        if stop is not None and stop.reason == "finished":
            return replace(self._succeeded(assembled), reason=stop.because)
        if stop is not None and stop.reason == "cancelled":
            return Ending(state="cancelled", reason=self._with_excess(stop.because, assembled))
        return self._unsuccessful(assembled, stop)

    def _show_app(self, address: AppAddress) -> None:
        if self._assembled is not None:
            self._assembled.log.system(f"the app answers; on this machine at {address.url}")
        self._on_app(address)

    def _tell_of_silence(self, address: AppAddress) -> None:
        if self._assembled is not None:
            text = f"the app does not answer yet; from this machine it is looked for at {address.url}"
            self._assembled.log.system(text, kind="warning")

    def _keep(self, assembled: Assembled) -> None:
        """Take over what the job wants to be kept for later runs. Where that fails, they do without."""
        around, added = self._around, self._folders.cache_new
        if not is_folder_itself(added):
            return
        scratches = around.storage.scratches
        try:
            around.engine.reclaim([added], image=self._image_here())
            cache = around.storage.cache(around.run.repository)
            refused = Kept(cache, limit_bytes=around.cache_bytes).take_over(
                added,
                may_add=not around.plan.event.is_fork,
                in_use=lambda: names_in_use(scratches.glob("*/*/*/control/cache")),
                at=around.clock(),
            )
            for text in refused:
                assembled.log.system(f"not kept for later runs: {text}", kind="warning")
        except OSError as error:
            assembled.log.system(f"nothing was kept for later runs: {error}", kind="warning")

    def _services(self, assembled: Assembled) -> tuple[Service, ...]:
        contexts = assembled.scope.contexts
        return tuple(
            replace(
                service,
                image=to_text(evaluate_template(service.image, contexts)),
                env=evaluate_value(dict(service.env), contexts),
            )
            for service in self.spec.services
        )

    def _succeeded(self, assembled: Assembled) -> Ending:
        around = self._around
        if assembled.host.log_problem is not None:
            raise assembled.host.log_problem
        around.engine.reclaim([self._folders.outputs], image=self._image_here())
        contexts = assembled.scope.contexts
        ending = collect(
            self.spec,
            self.job.key,
            said=said_outputs(self.spec, assembled.steps.said, contexts),
            folders=self._folders,
            target=around.storage.outputs(around.run.id, self.job.key),
            log=assembled.log,
        )
        url = to_text(evaluate_template(self.spec.environment_url or "", contexts))
        return replace(ending, environment_url=assembled.log.masked(url))

    def _judged(self, ending: Ending, assembled: Assembled) -> Ending:
        """What the program's success is worth, where figures are expected of it."""
        if ending.state != "success" or not self.spec.expect:
            return ending
        for warning in self._figures.read(is_final=True):
            assembled.log.system(warning, kind="warning")
        try:
            base = self._around.base()
        except (OperatorError, UpstreamError) as error:  # as without an engine: nothing can be decided now
            raise EngineUnavailable(str(error)) from error
        ended = with_expectations(
            replace(ending, metrics=self._figures.summaries()),
            self.spec,
            path=self._around.plan.path,
            contexts=assembled.scope.contexts,
            job_key=self.job.key,
            base=base,
        )
        say_expectations(ended, assembled.log)
        return ended

    def _image_here(self) -> str:
        """An image that is on the host: one that ran. The job's own need not be, its actions bring theirs."""
        if self._assembled is None:
            return self.spec.image
        own, used = self._assembled.frame.image, self._assembled.host.images
        return used.get(own) or next(iter(used.values()), own)

    def _with_excess(self, reason: str, assembled: Assembled) -> str:
        if not assembled.host.is_overdue:
            return reason
        return f"{reason}; the steps after that took longer than {LAST_STEPS_S / 60:g} minutes"

    def _unsuccessful(self, assembled: Assembled, stop: Stop | None) -> Ending:
        around, host = self._around, assembled.host
        full = self._full_disk() or host.log_problem
        around.engine.reclaim([self._folders.outputs], image=self._image_here())
        target = around.storage.outputs(around.run.id, self.job.key)
        artifacts = collect_artifacts(
            self.spec, self.job.key, folders=self._folders, target=target, log=assembled.log
        )
        if stop is not None:
            reason = self._with_excess(f"ran longer than {self.spec.timeout_minutes} minutes", assembled)
            return Ending(state="timed_out", cause="timeout", reason=reason, outputs=artifacts)
        code = assembled.steps.exit_code
        cause, reason = "failure", f"exit code {code}"
        if host.exit is not None and host.exit.oom_killed:
            cause, reason = "oom", "out of memory; give it more with resources.memory"
        elif full is not None:
            cause, reason = "error", f"{reason}; {full}"
        return Ending(state="failure", cause=cause, exit_code=code, reason=reason, outputs=artifacts)

    def _full_disk(self) -> HostFull | None:
        return find_full_disk(self._around.storage.root, self._folders.root)

    def _host_problem(self, error: OSError) -> OperatorError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "free some space, and run it again"
            return self._full_disk() or HostFull("the host's disk is full", remedy=remedy)
        return OperatorError(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))

    def _with_remarks(self, ending: Ending, assembled: Assembled) -> Ending:
        if ending.cause == "error" or ending.exit_code == _NOT_STARTABLE:
            assembled.log.system(ending.reason, kind="error")
        ending = replace(ending, images=assembled.host.images)
        return with_remarks(
            ending, self.spec, folders=self._folders, figures=self._figures, log=assembled.log
        )

    def _read_figures(self) -> None:
        now = time.monotonic()
        if now - self._figures_read_at >= _LIVE_METRICS_S:
            self._figures_read_at = now
            self._figures.read()


_NOT_STARTABLE: Final = 127


def _broken(error: WindlassError) -> Ending:
    """The ending of an attempt that could not be carried out."""
    if isinstance(error, ExpressionError):
        return Ending(state="failure", cause="failure", reason=str(error))
    if isinstance(error, CommandNotStartable):
        return Ending(state="failure", cause="failure", reason=str(error), exit_code=_NOT_STARTABLE)
    return Ending(state="failure", cause="error", reason=str(error))
