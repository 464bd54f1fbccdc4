"""An attempt made ready: folders and texts are there, its containers can be made. Used by `run.attempt`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from windlass_runner.engines.base import Container
from windlass_runner.expressions.templates import evaluate_template, evaluate_value
from windlass_runner.expressions.values import to_text
from windlass_runner.run.app import App, claim_app
from windlass_runner.run.assembly import Task, make_contexts, make_folders, make_frame
from windlass_runner.run.attempt_host import AttemptHost
from windlass_runner.run.ending import Figures, read_step_files
from windlass_runner.run.frame import Frame
from windlass_runner.run.log_file import LogWriter
from windlass_runner.run.logs import JobLog
from windlass_runner.run.scope import Scope
from windlass_runner.run.scratch import AttemptFolders
from windlass_runner.run.steps import Steps
from windlass_runner.run.stopping import Stopping
from windlass_runner.workflow.model import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyAttempt:
    """An attempt with its folders made and its texts settled, as far as they can be ahead."""

    task: Task
    folders: AttemptFolders
    frame: Frame
    scope: Scope
    steps: Steps
    host: AttemptHost
    log: JobLog
    figures: Figures
    app: App | None

    def services(self) -> tuple[Service, ...]:
        """What runs beside the job.

        Raises:
            ExpressionError
        """
        contexts = self.scope.contexts
        return tuple(
            replace(
                service,
                image=to_text(evaluate_template(service.image, contexts)),
                env=evaluate_value(dict(service.env), contexts),
            )
            for service in self.task.spec.services
        )

    def image_here(self) -> str:
        """An image that is on the host: one that ran. The job's own need not be, its actions bring theirs."""
        own, used = self.frame.image, self.host.images
        return used.get(own) or next(iter(used.values()), own)


def make_ready(
    task: Task,
    folders: AttemptFolders,
    *,
    figures: Figures,
    stopping: Stopping,
    on_started: Callable[[], None],
    on_waiting: Callable[[str], None],
    left: tuple[Container, ...],
) -> ReadyAttempt:
    """Put the parts of an attempt together. `folders`: the task's. The rest but `figures`: see `AttemptHost`.

    Raises:
        ExpressionError, WindlassError, OSError
    """
    make_folders(task)
    contexts = make_contexts(task)
    app = claim_app(task)
    frame = make_frame(task, contexts, told=None if app is None else app.environment())
    log = _open_log(task, contexts["secrets"])
    around = task.around
    host = AttemptHost(
        around.engine,
        frame,
        folders=folders,
        log=log,
        stopping=stopping,
        images=around.images,
        read_files=lambda step: read_step_files(folders, step, log),
        on_started=on_started,
        on_output=figures.read_now_and_then,
        on_waiting=on_waiting,
        left=left,
    )
    steps = Steps(host, folders=folders, env=frame.env, action_folder=around.action_folder)
    return ReadyAttempt(
        task=task,
        folders=folders,
        frame=frame,
        scope=Scope(contexts=contexts),
        steps=steps,
        host=host,
        log=log,
        figures=figures,
        app=app,
    )


def _open_log(task: Task, secrets: dict[str, str]) -> JobLog:
    around = task.around
    path = around.storage.log(around.run.id, task.job.key, task.number)
    log = JobLog(LogWriter(path, clock=around.clock), secrets=filter(None, secrets.values()))
    for name in (name for name, value in secrets.items() if not value):
        log.system(f"secret '{name}' is not set: it is empty here", kind="warning")
    if around.remark:
        log.system(around.remark)
    return log
