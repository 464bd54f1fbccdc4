"""Text to `Workflow`: the one way in.

Everything wrong with a file comes out in one go, each problem at its line and column. Nothing here does
I/O, and nothing is evaluated: expressions are read and their names checked, no more.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import yaml

from windlass_registry.documents import Position, compose, is_null, merged_items
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.yaml_limits import Limits
from windlass_runner.workflow.lint import check_graph, check_matrices
from windlass_runner.workflow.model import (
    Defaults,
    InputSpec,
    Resources,
    Trigger,
    WebhookTrigger,
    Workflow,
)
from windlass_runner.workflow.parse_inputs import read_inputs
from windlass_runner.workflow.parse_jobs import ReadJob, read_job
from windlass_runner.workflow.parse_resources import read_concurrency, read_resources, read_retry
from windlass_runner.workflow.parse_triggers import read_triggers
from windlass_runner.workflow.reading import Place, WorkflowReader
from windlass_runner.workflow.texts import check_texts

FILE_KEYS: Final = frozenset(
    ["name", "run-name", "on", "inputs", "defaults", "env", "concurrency", "priority", "jobs", "context"]
)
DEFAULTS_KEYS: Final = frozenset(["image", "resources", "env", "retry", "timeout-minutes", "clusterId"])
MOST_JOBS: Final = 10_000
_ELSEWHERE: Final[Mapping[str, str]] = {
    "permissions": "leave it out: a job gets only the secrets that it names",
    "runs-on": "leave it out: write 'image' and 'resources' at each job, or under 'defaults'",
    "image": "write defaults: {image: …}",
    "container": "write defaults: {image: …}",
    "resources": "write defaults: {resources: …}",
    "machine": "write defaults: {resources: {instance-type: …}}",
    "steps": "write jobs: {NAME: {steps: […]}}",
    "commands": "write jobs: {NAME: {steps: [{run: …}]}}",
    "script": "write jobs: {NAME: {uses: script@v1, with: {script: …}}}",
    "stages": "write 'needs' at the jobs: each runs as soon as what it needs is done",
    "variables": "write env: …",
    "secrets": "write env: {NAME: secret:NAME} at the job that may see it",
    "services": "write it at the job",
    "strategy": "write it at the job",
    "trigger": "write on: …",
    "triggers": "write on: …",
    "version": "leave it out",
    "workflows": "write one workflow in each file, with its 'jobs' at the top",
    "description": "write it as a comment",
    "parameters": "write inputs: …",
    **dict.fromkeys(("uses", "with", "needs", "run", "if"), "write it at a job: jobs: {NAME: {uses: …}}"),
    "outputs": "write it at the job that makes them",
}
_DEFAULTS_ELSEWHERE: Final[Mapping[str, str]] = {
    "run": "write 'shell' and 'working-directory' at the step",
    "instance-type": "write resources: {instance-type: …}",
    "container": "write image: …",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedWorkflow:
    """A workflow that may run, and what its author should still look at."""

    workflow: Workflow
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """All that a look at one file gives; `workflow` lacks what its problems are about."""

    workflow: Workflow | None
    problems: tuple[Problem, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether one of the problems is an error."""
        return any(problem.severity == "error" for problem in self.problems)


def parse_workflow(source: bytes | str, *, path: str, limits: Limits = Limits()) -> ParsedWorkflow:
    """Read and check one workflow file.

    `path` is how problems name the file; its stem is the workflow's name where the file gives none.

    Raises:
        AuthorError: every problem of the file, in the order of the text.
    """
    found = inspect_workflow(source, path=path, limits=limits)
    if found.workflow is None or found.is_broken:
        raise AuthorError(*found.problems)
    return ParsedWorkflow(workflow=found.workflow, warnings=found.problems)


def inspect_workflow(source: bytes | str, *, path: str, limits: Limits = Limits()) -> Inspection:
    """As `parse_workflow`, with problems as values: for who wants to look further at a broken file.

    The problems are in the order of the text; without a `workflow` the file cannot be read at all.
    """
    with _no_collection():
        try:
            return _inspect(source, path=path, limits=limits)
        except AuthorError as error:
            return Inspection(workflow=None, problems=error.problems)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector out: a large file is many small values and no garbage, and walking
    them again and again would take three times as long as reading the file."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _inspect(source: bytes | str, *, path: str, limits: Limits) -> Inspection:
    root = compose(source, path=path, limits=limits)
    if root is None or is_null(root):
        raise AuthorError(
            Problem(path=path, line=1, column=1, message="the file is empty", remedy="write 'jobs' into it")
        )
    reader = WorkflowReader(path)
    if not isinstance(root, yaml.MappingNode):
        reader.error(root, "a workflow must be a mapping", "write 'jobs:' with one job or more under it")
        reader.raise_if_broken()
    workflow = _read_workflow(reader, root, source)
    problems = sorted(dict.fromkeys(reader.problems), key=lambda one: (one.line, one.column))
    return Inspection(workflow=workflow, problems=tuple(problems))


def _read_workflow(reader: WorkflowReader, root: yaml.Node, source: bytes | str) -> Workflow:
    fields = reader.fields(root, "a workflow", FILE_KEYS, elsewhere={**_stray_jobs(root), **_ELSEWHERE})
    triggers, inputs = _read_triggers_and_inputs(reader, fields)
    reader.inputs = frozenset(inputs)
    jobs = read_jobs(reader, root, fields.get("jobs"))
    name = (
        reader.plain(fields["name"], "'name'") if "name" in fields and not is_null(fields["name"]) else None
    )
    workflow = Workflow(
        path=reader.path,
        name=name or PurePosixPath(reader.path).stem,
        run_name=reader.template(fields["run-name"], "'run-name'", Place.RUN_NAME)
        if "run-name" in fields
        else None,
        triggers=triggers,
        inputs=inputs,
        defaults=read_defaults(reader, fields["defaults"]) if "defaults" in fields else Defaults(),
        env=reader.variables(fields["env"], "'env'", Place.FILE_ENV) if "env" in fields else {},
        concurrency=read_concurrency(reader, fields["concurrency"], Place.CONCURRENCY)
        if "concurrency" in fields
        else None,
        priority=reader.integer(fields["priority"], "'priority'") if "priority" in fields else None,
        jobs={key: read.job for key, read in jobs.items()},
    )
    check_graph(reader, jobs)
    check_matrices(reader, workflow.jobs.values())
    check_texts(reader, workflow.jobs, lines_of(source))
    return workflow


def _stray_jobs(root: yaml.Node) -> dict[str, str]:
    """Remedies for the keys of a file whose value looks like a job: it is not indented far enough."""
    return {
        str(key.value): f"indent '{key.value}' under 'jobs'"
        for key, value in merged_items(root)
        if isinstance(value, yaml.MappingNode)
        and {"uses", "steps"} & {inner.value for inner, _ in value.value}
    }


def _read_triggers_and_inputs(
    reader: WorkflowReader, fields: dict[str, yaml.Node]
) -> tuple[tuple[Trigger, ...], dict[str, InputSpec]]:
    inputs = read_inputs(reader, fields["inputs"], "'inputs'") if "inputs" in fields else {}
    if "on" not in fields or is_null(fields["on"]):
        return (), inputs
    triggers, dispatched = read_triggers(reader, fields["on"])
    for name, spec in dispatched.items():
        if name in inputs:
            first = inputs[name].at.line
            reader.error(
                spec.at,
                f"the input '{name}' is declared twice",
                f"the first is on line {first}; keep that one",
            )
        inputs.setdefault(name, spec)
    _check_webhooks(reader, triggers, inputs)
    return triggers, inputs


def _check_webhooks(
    reader: WorkflowReader, triggers: tuple[Trigger, ...], inputs: dict[str, InputSpec]
) -> None:
    for trigger in triggers:
        for name in trigger.inputs if isinstance(trigger, WebhookTrigger) else ():
            if name not in inputs:
                reader.error(
                    trigger.at,
                    f"'webhook' fills the input '{name}', which is not declared",
                    "add it to 'inputs'",
                )


def read_jobs(reader: WorkflowReader, root: yaml.Node, node: yaml.Node | None) -> dict[str, ReadJob]:
    """The jobs under `jobs`; notes what is wrong with them on the reader."""
    if node is None:
        reader.error(root, "the workflow has no 'jobs'", "write 'jobs:' with one job or more under it")
        return {}
    entries = reader.entries(node, "'jobs'")
    if not entries and (is_null(node) or isinstance(node, yaml.MappingNode)):
        reader.error(node, "'jobs' is empty", "write one job or more under it")
    if len(entries) > MOST_JOBS:
        reader.error(
            node,
            f"the file has {len(entries):,} jobs, more than {MOST_JOBS:,}",
            "split it into several workflows",
        )
        return {}
    reader.jobs = frozenset(entries)
    return {name: read_job(reader, name, key, value) for name, (key, value) in entries.items()}


def read_defaults(reader: WorkflowReader, node: yaml.Node) -> Defaults:
    """What holds for all jobs."""
    fields = reader.fields(node, "'defaults'", DEFAULTS_KEYS, elsewhere=_DEFAULTS_ELSEWHERE)
    return Defaults(
        image=reader.template(fields["image"], "'image'", Place.JOB) if "image" in fields else None,
        image_at=Position.of(fields["image"]) if "image" in fields else None,
        resources=read_resources(reader, fields["resources"]) if "resources" in fields else Resources(),
        env=reader.variables(fields["env"], "'env'", Place.FILE_ENV) if "env" in fields else {},
        retry=read_retry(reader, fields["retry"]) if "retry" in fields else None,
        timeout_minutes=reader.number(fields["timeout-minutes"], "'timeout-minutes'", above=0)
        if "timeout-minutes" in fields
        else None,
        cluster_id=reader.text(fields["clusterId"], "'clusterId'") if "clusterId" in fields else None,
    )


def lines_of(source: bytes | str) -> list[str]:
    """The lines of a file, however they end."""
    text = source if isinstance(source, str) else source.decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
