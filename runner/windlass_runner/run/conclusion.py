"""What an attempt has come to: its `Ending`, whichever way it went. Called by `run.attempt`."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Final

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_runner.engines.base import CommandNotStartable, EngineUnavailable, HostFull
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import to_text
from windlass_runner.run.assembly import Task
from windlass_runner.run.ending import Ending, collect, collect_artifacts, said_outputs, with_remarks
from windlass_runner.run.expectations import say_expectations, with_expectations
from windlass_runner.run.full_disk import find_full_disk
from windlass_runner.run.ready_attempt import ReadyAttempt
from windlass_runner.run.step_host import Outcome
from windlass_runner.run.stopping import LAST_STEPS_S, Stop

_NOT_STARTABLE: Final = 127


def conclude(attempt: ReadyAttempt, outcome: Outcome, stop: Stop | None) -> Ending:
    """The ending of an attempt whose steps went so; `stop`, where it was stopped.

    Raises:
        ExpressionError, WindlassError, OSError: it cannot be carried to its end (see `broken`).
    """
    if stop is None and outcome == "success":
        return _judged(attempt, _succeeded(attempt))
    if stop is not None and stop.reason == "finished":
        return _judged(attempt, replace(_succeeded(attempt), reason=stop.because))
    if stop is not None and stop.reason == "cancelled":
        return Ending(state="cancelled", reason=_with_excess(attempt, stop.because))
    return _unsuccessful(attempt, stop)


def _succeeded(attempt: ReadyAttempt) -> Ending:
    """Its outputs are in place, or it has failed after all."""
    task, around = attempt.task, attempt.task.around
    if attempt.host.log_problem is not None:
        raise attempt.host.log_problem
    around.engine.reclaim([attempt.folders.outputs], image=attempt.image_here())
    contexts = attempt.scope.contexts
    ending = collect(
        task.spec,
        task.job.key,
        said=said_outputs(task.spec, attempt.steps.said, contexts),
        folders=attempt.folders,
        target=around.storage.outputs(around.run.id, task.job.key),
        log=attempt.log,
    )
    url = to_text(evaluate_template(task.spec.environment_url or "", contexts))
    return replace(ending, environment_url=attempt.log.masked(url))


def _judged(attempt: ReadyAttempt, ending: Ending) -> Ending:
    """What the program's success is worth, where figures are expected of it."""
    task, figures = attempt.task, attempt.figures
    if ending.state != "success" or not task.spec.expect:
        return ending
    for warning in figures.read(is_final=True):
        attempt.log.system(warning, kind="warning")
    try:
        base = task.around.base()
    except (OperatorError, UpstreamError) as error:  # as without an engine: nothing can be decided now
        raise EngineUnavailable(str(error)) from error
    ended = with_expectations(
        replace(ending, metrics=figures.summaries()),
        task.spec,
        path=task.around.plan.path,
        contexts=attempt.scope.contexts,
        job_key=task.job.key,
        base=base,
    )
    say_expectations(ended, attempt.log)
    return ended


def _unsuccessful(attempt: ReadyAttempt, stop: Stop | None) -> Ending:
    task, around, host = attempt.task, attempt.task.around, attempt.host
    full = full_disk(task) or host.log_problem
    around.engine.reclaim([attempt.folders.outputs], image=attempt.image_here())
    target = around.storage.outputs(around.run.id, task.job.key)
    artifacts = collect_artifacts(
        task.spec, task.job.key, folders=attempt.folders, target=target, log=attempt.log
    )
    if stop is not None:
        reason = _with_excess(attempt, stop.because)
        return Ending(state="timed_out", cause="timeout", reason=reason, outputs=artifacts)
    code = attempt.steps.exit_code
    cause, reason = "failure", f"exit code {code}"
    if host.exit is not None and host.exit.oom_killed:
        cause, reason = "oom", "out of memory; give it more with resources.memory"
    elif full is not None:
        cause, reason = "error", f"{reason}; {full}"
    return Ending(state="failure", cause=cause, exit_code=code, reason=reason, outputs=artifacts)


def _with_excess(attempt: ReadyAttempt, reason: str) -> str:
    if not attempt.host.is_overdue:
        return reason
    return f"{reason}; the steps after that took longer than {LAST_STEPS_S / 60:g} minutes"


def broken(task: Task, error: WindlassError | OSError) -> Ending:
    """The ending of an attempt that could not be carried out."""
    match error:
        case ExpressionError():
            return Ending(state="failure", cause="failure", reason=str(error))
        case CommandNotStartable():
            return Ending(state="failure", cause="failure", reason=str(error), exit_code=_NOT_STARTABLE)
        case OSError():
            return Ending(state="failure", cause="error", reason=str(_host_problem(task, error)))
    return Ending(state="failure", cause="error", reason=str(error))


def _host_problem(task: Task, error: OSError) -> OperatorError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space, and run it again"
        return full_disk(task) or HostFull("the host's disk is full", remedy=remedy)
    return OperatorError(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))


def full_disk(task: Task) -> HostFull | None:
    """What is full of the disks that the attempt writes to."""
    return find_full_disk(task.around.storage.root, task.folders.root)


def with_last_words(attempt: ReadyAttempt, ending: Ending) -> Ending:
    """The ending with all that the job said on the way; why it is broken, last in its log."""
    if ending.cause == "error" or ending.exit_code == _NOT_STARTABLE:
        attempt.log.system(ending.reason, kind="error")
    return with_remarks(
        replace(ending, images=attempt.host.images),
        attempt.task.spec,
        folders=attempt.folders,
        figures=attempt.figures,
        log=attempt.log,
    )
