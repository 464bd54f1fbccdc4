"""How an attempt ended, and what it left: outputs, metrics, summary."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import to_text
from windlass_runner.ledger.records import State
from windlass_runner.plan.model import JobSpec
from windlass_runner.plan.steps import commands_of
from windlass_runner.run.command_files import load_environment, load_outputs, load_paths, load_summary
from windlass_runner.run.logs import JobLog
from windlass_runner.run.metrics import MetricsTail, MetricSummary, summarise
from windlass_runner.run.outputs import CollectedOutput, collect_outputs
from windlass_runner.run.scratch import AttemptFolders
from windlass_runner.run.step_host import ReadyStep, StepFiles

_LIVE_S: Final = 0.5
Points = list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ended. `cause` is one of the words of `retry.on`."""

    state: State
    cause: str | None = None
    reason: str = ""
    exit_code: int | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    summary: str = ""
    annotations: tuple[Mapping[str, Any], ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    """Digests of the images that ran, by the names that asked for them."""
    environment_url: str = ""
    """Where what it has deployed is reached."""
    expectations: tuple[Mapping[str, Any], ...] = ()
    """What `expect` asked for, with the verdicts (`run.verdicts.Judged`, as JSON)."""


class Figures:
    """The metrics of one attempt, read while it runs and once more at its end. One thread."""

    def __init__(self, folders: AttemptFolders, on_points: Callable[[Points], None]) -> None:
        self._tail = MetricsTail(folders.metrics)
        self._on_points = on_points
        self._figures: Mapping[str, MetricSummary] = {}
        self._read_at = 0.0

    def read(self, *, is_final: bool = False) -> tuple[str, ...]:
        """Take what is new; warnings about lines that are no metrics."""
        new = self._tail.read_new(is_final=is_final)
        if new.metrics:
            self._figures = summarise(new.metrics, self._figures)
            self._on_points([asdict(metric) for metric in new.metrics])
        return new.warnings

    def read_now_and_then(self) -> None:
        """Take what is new, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._read_at >= _LIVE_S:
            self._read_at = now
            self.read()

    def summaries(self) -> dict[str, Any]:
        """Last, least and greatest value of each, as the ledger keeps them."""
        return {name: asdict(figure) for name, figure in self._figures.items()}


def read_step_files(folders: AttemptFolders, step: ReadyStep, log: JobLog) -> StepFiles:
    """What a step left in its command files; what is wrong with them stands in the log."""
    folder = folders.step(step.number)
    if folder.is_symlink() or folder.parent.is_symlink():
        log.system(
            "the folder of the step's files is a link, which is not followed", step=step.path, kind="error"
        )
        return StepFiles(is_malformed=True)
    outputs, env = load_outputs(folder / "output"), load_environment(folder / "env")
    state = load_outputs(folder / "state")
    problems = (*outputs.problems, *env.problems, *state.problems)
    for problem in problems:
        log.system(str(problem), step=step.path, kind="error")
    return StepFiles(
        outputs={**log.outputs.get(step.path, {}), **outputs.values},
        env=env.values,
        path=load_paths(folder / "path"),
        state={**log.state.get(step.path, {}), **state.values},
        is_malformed=bool(problems),
    )


def said_outputs(spec: JobSpec, said: Mapping[str, str], contexts: Mapping[str, Any]) -> dict[str, str]:
    """Texts for `string` outputs: the expressions of GitHub's spelling, else what steps put out.

    Raises:
        ExpressionError
    """
    found = dict(said)
    for output in spec.outputs:
        if output.value is not None:
            found[output.name] = to_text(evaluate_template(output.value, contexts))
    return found


def collect(
    spec: JobSpec, job: str, *, said: Mapping[str, str], folders: AttemptFolders, target: Any, log: JobLog
) -> Ending:
    """The ending of a job whose steps succeeded: its outputs in place, or what is wrong with them."""
    for output in spec.outputs:  # a string that a step put out by GITHUB_OUTPUT counts as written
        path = folders.outputs / output.name
        if (
            output.type == "string"
            and output.value is None
            and output.name in said
            and not os.path.lexists(path)
        ):
            SharedFolder(folders.outputs).write(output.name, said[output.name].encode())
    collected = collect_outputs(job, spec.outputs, source=folders.outputs, target=target)
    if collected.problems:
        for problem in collected.problems:
            log.system(str(problem), kind="error")
        return Ending(state="failure", cause="failure", reason=str(collected.problems[0]), exit_code=0)
    outputs = {one.name: _record(one, log) for one in collected.outputs}
    for output in spec.outputs:
        if output.value is not None:
            outputs[output.name] = {"type": "string", "text": _shown(said[output.name], log)}
    return Ending(state="success", exit_code=0, outputs=outputs)


def collect_artifacts(
    spec: JobSpec, job: str, *, folders: AttemptFolders, target: Any, log: JobLog
) -> dict[str, Any]:
    """What a failed job left for people to look at: its artifacts, as far as they are there."""
    wanted = [output for output in spec.outputs if output.type == "artifact"]
    collected = collect_outputs(job, wanted, source=folders.outputs, target=target, needed=False)
    return {one.name: _record(one, log) for one in collected.outputs}


def _record(output: CollectedOutput, log: JobLog) -> dict[str, Any]:
    record = {name: value for name, value in asdict(output).items() if value is not None and name != "name"}
    record["path"] = str(output.path)
    if output.text is not None:
        record["text"] = _shown(output.text, log)
    return record


def _shown(text: str, log: JobLog) -> str:
    """A text with a secret in it is not handed on, as on GitHub."""
    if log.masked(text) == text:
        return text
    log.system("an output holds a secret: its text is left empty", kind="warning")
    return ""


def with_remarks(
    ending: Ending, spec: JobSpec, *, folders: AttemptFolders, figures: Figures, log: JobLog
) -> Ending:
    """The ending with everything that the job said on the way, masked."""
    for warning in figures.read(is_final=True):
        log.system(warning, kind="warning")
    numbers = range(1, commands_of(spec.steps) + 1)
    parts = [load_summary(folders.step(number) / "summary")[0] for number in numbers]
    return replace(
        ending,
        reason=log.masked(ending.reason),
        metrics=figures.summaries(),
        summary=log.masked("\n".join(part for part in parts if part.strip())),
        annotations=(*(asdict(one) for one in log.annotations), *_masked(ending.annotations, log)),
    )


def _masked(remarks: Iterable[Mapping[str, Any]], log: JobLog) -> list[Mapping[str, Any]]:
    return [{**remark, "message": log.masked(str(remark["message"]))} for remark in remarks]
