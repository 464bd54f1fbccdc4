"""Runs the commands of one attempt in containers: alone, in a session, or beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Final, Literal

from windlass_registry.errors import OperatorError
from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.engines.base import (
    Container,
    ContainerExit,
    ContainerSpec,
    Engine,
    HostFull,
    ImageBuild,
)
from windlass_runner.run.frame import Frame, working_directory
from windlass_runner.run.images import Images
from windlass_runner.run.in_flight import InFlight
from windlass_runner.run.job_environment import COMMAND_FILES, step_files
from windlass_runner.run.logs import JobLog, LogStream
from windlass_runner.run.making import ContainerSource
from windlass_runner.run.scratch import AttemptFolders
from windlass_runner.run.session import Session, SessionEnded, write_driver, write_step
from windlass_runner.run.step_host import ReadyStep, StepFiles
from windlass_runner.run.stopping import GRACE_S, Stopping
from windlass_runner.workflow.model import Service

_STOPPED: Final = 143
"""The exit code of a step that was stopped before it began: as if by SIGTERM."""


class _PullStopped(Exception):
    """Nobody waits for the image any more."""


class AttemptHost:
    """The `StepHost` of one attempt. `stop` may come from any thread; the rest belongs to one."""

    def __init__(
        self,
        engine: Engine,
        frame: Frame,
        *,
        folders: AttemptFolders,
        log: JobLog,
        stopping: Stopping,
        images: Images,
        read_files: Callable[[ReadyStep], StepFiles],
        on_started: Callable[[], None],
        on_output: Callable[[], None],
        on_waiting: Callable[[str], None],
        left: tuple[Container, ...] = (),
    ) -> None:
        """`left`: what an earlier host of the same attempt had when the engine went away, to be stopped and
        removed with the rest."""
        self._engine = engine
        self._frame = frame
        self._folders = folders
        self._log = log
        self._read_files = read_files
        self._on_started = on_started
        self._on_output = on_output
        self._source = ContainerSource(
            engine, images, log=log, check=self._give_up_if_stopped, on_waiting=on_waiting
        )
        self._session: Session | None = None
        self._session_stream: LogStream | None = None
        self._waiting: Container | None = None
        self._stopping = stopping
        self._in_flight = InFlight(stopping, left)
        self._number = 0
        self._made_for = 0
        self.exit: ContainerExit | None = None
        self.log_problem: HostFull | None = None

    @property
    def is_overdue(self) -> bool:
        """Whether the steps that followed a stop took too long, and were ended."""
        return self._in_flight.is_overdue

    @property
    def images(self) -> Mapping[str, str]:
        """Digests of the images that ran, by the names that asked for them."""
        return self._source.used

    # -- StepHost --------------------------------------------------------------------------------

    def run(self, step: ReadyStep, *, path_additions: tuple[str, ...]) -> int:
        """Run one command in the container that is its own, or in the session."""
        if self._stopping.bars(step.number):
            return _STOPPED
        self._make_command_files(step)
        self._number = step.number
        try:
            if self._frame.is_single:
                return self._run_alone(step, self._frame.name)
            if step.command.has_own_container or step.command.image not in ("", self._frame.image):
                return self._run_alone(step, f"{self._frame.name}-s{step.number}")
            return self._run_in_session(step, path_additions)
        except _PullStopped:
            return _STOPPED
        finally:
            self._in_flight.note_end()

    def files(self, step: ReadyStep) -> StepFiles:
        """What the step left in its command files."""
        return self._read_files(step)

    def enter(self, number: int) -> bool:
        return self._stopping.enter(number)

    def was_stopped(self, number: int) -> bool:
        return self._stopping.has_met(number)

    def say(self, text: str, *, step: str, kind: Literal["system", "error"] = "system") -> None:
        self._log.system(text, step=step, kind=kind)

    # -- ahead -----------------------------------------------------------------------------------

    def create_ahead(self, step: ReadyStep) -> None:
        """Make the container of the only step and its files, and start nothing. `run` takes them."""
        self._make_command_files(step)
        self._waiting = self._source.create(self._frame.spec(step, name=self._frame.name), step.command.build)

    def discard(self) -> None:
        """Undo `create_ahead`; the container's name is free again."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.remove(wait=True)

    # -- services and the end --------------------------------------------------------------------

    def start_services(self, services: tuple[Service, ...]) -> None:
        """Start the services and wait until they are ready.

        Raises:
            OperatorError: one of them did not become healthy; says which.
        """
        before = self._stopping.stop
        if before is not None and before.step == 0:
            return
        self._in_flight.is_preparing = True
        started = []
        with contextlib.suppress(_PullStopped):
            for service in services:
                container = self._adopt(self._frame.service_spec(service))
                container.start()
                started.append((service, container))
                if before is None and self._stopping.stop is not None:  # it found nothing to end yet
                    container.stop(grace_s=0)
        for service, container in started:
            wait_s = (service.health_interval_s + service.health_timeout_s) * service.health_retries
            if not container.wait_healthy(timeout_s=wait_s) and self._stopping.stop is None:
                raise OperatorError(
                    f"service '{service.name}' ({service.image}) did not become healthy",
                    remedy="look at its health command, or give it more retries",
                )
        self._in_flight.is_preparing = False

    def stop(self) -> None:
        """Carry out the stop that was asked for, behind (`InFlight.stop`). The step that runs gets SIGTERM, a
        grace period and SIGKILL. Idempotent."""
        self._in_flight.stop()

    def end_session(self) -> None:
        """End what the steps left running: from here on nobody writes to the job's folders."""
        if self._session is not None:
            self._session.end()

    def let_go(self) -> tuple[Container, ...]:
        """Stop talking to the containers, and leave them as they are."""
        containers = self._in_flight.let_go()
        if self._session is not None:
            self._session.close()
            self._session = None
        waiting, self._waiting = self._waiting, None
        return (*containers, waiting) if waiting is not None else containers

    def remove_containers(self) -> None:
        """Remove all that this attempt made, behind."""
        for container in self.let_go():
            container.remove()

    # -- how -------------------------------------------------------------------------------------

    def _make_command_files(self, step: ReadyStep) -> None:
        if step.number != self._made_for:
            SharedFolder(self._folders.control).make_folder(f"steps/{step.number}", COMMAND_FILES)
            self._made_for = step.number

    def _adopt(self, spec: ContainerSpec, build: ImageBuild | None = None) -> Container:
        container, self._waiting = self._waiting, None
        if container is None or container.name != spec.name:
            container = self._source.create(spec, build)
        self._in_flight.add(container)
        return container

    def _give_up_if_stopped(self) -> None:
        stop = self._stopping.stop
        if (stop is not None and self._number <= stop.step) or self._stopping.is_forced:
            raise _PullStopped

    def _run_alone(self, step: ReadyStep, name: str) -> int:
        container = self._adopt(self._frame.spec(step, name=name), step.command.build)
        if self._stopping.has_met(step.number) and container.state() == "created":
            return _STOPPED
        container.start()
        self._in_flight.begin(step.number, lambda: container.stop(grace_s=GRACE_S))
        self._on_started()
        stream = self._log.stream(name.removeprefix(self._frame.name), step=step.path)
        for chunk in container.logs():
            self._write(stream, chunk)
        stream.finish()
        self.exit = container.wait()
        return self.exit.code

    def _run_in_session(self, step: ReadyStep, path_additions: tuple[str, ...]) -> int:
        is_met = self._stopping.has_met(step.number)
        if is_met and self._session is None and self._engine.find(self._frame.name) is None:
            return _STOPPED
        write_step(
            self._folders,
            step.number,
            command=(*(step.command.entrypoint or ()), *(step.command.arguments or ())),
            env={**step.env, **step_files(step.number)},
            working_directory=working_directory(step),
            path_additions=path_additions,
            timeout_s=step.timeout_s,
        )
        session, stream = self._open_session()
        stream.step = step.path
        self._in_flight.begin(step.number, lambda: session.stop_step(step.number, grace_s=GRACE_S))
        self._on_started()
        try:
            return session.run(step.number)
        except SessionEnded:
            self.exit = self._in_flight.named(self._frame.name).wait()
            return self.exit.code or 1

    def _open_session(self) -> tuple[Session, LogStream]:
        if self._session is None or self._session_stream is None:
            write_driver(self._folders)
            container = self._adopt(self._frame.session_spec())
            stream = self._log.stream("", step="")
            self._session_stream = stream
            self._session = Session(
                container,
                self._folders,
                write=lambda chunk: self._write(stream, chunk),
            )
        return self._session, self._session_stream

    def _write(self, stream: LogStream, chunk: bytes) -> None:
        """Into the log; a full disk must not stop the draining."""
        try:
            stream.feed(chunk)
        except HostFull as error:
            self.log_problem = error
        self._on_output()
