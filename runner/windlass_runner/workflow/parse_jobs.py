"""Jobs: the nodes of the graph, as written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import yaml

from windlass_registry.documents import Position, is_null, kind_of
from windlass_runner.workflow.conditions import ConditionError, parse_condition
from windlass_runner.workflow.model import Job, JobInput, Resources, Reuse
from windlass_runner.workflow.parse_data import read_job_inputs, read_outputs
from windlass_runner.workflow.parse_resources import read_concurrency, read_resources, read_retry
from windlass_runner.workflow.parse_steps import read_call, read_steps
from windlass_runner.workflow.parse_strategy import read_services, read_strategy
from windlass_runner.workflow.reading import JOB_ID, Place, WorkflowReader

JOB_KEYS: Final = frozenset(
    [
        "name",
        "needs",
        "if",
        "uses",
        "with",
        "steps",
        "image",
        "env",
        "inputs",
        "outputs",
        "resources",
        "strategy",
        "retry",
        "timeout-minutes",
        "continue-on-error",
        "services",
        "environment",
        "concurrency",
        "reuse",
        "expect",
        "priority",
        "checkout",
    ]
)
ENVIRONMENT_KEYS: Final = frozenset({"name", "url"})
REUSE_KEYS: Final = frozenset({"key", "max-age"})
ELSEWHERE: Final[Mapping[str, str]] = {
    "runs-on": "leave it out: write 'image' for the container to run in, and 'resources' "
    "(gpu, instance-type, labels) for the host",
    "container": "write image: …",
    "depends-on": "write needs: […]",
    "depends_on": "write needs: […]",
    "dependencies": "write needs: […]",
    "when": "write if: … for a condition (and retry: {when: …} for one on trying again)",
    "only": "write if: …, or filter under 'on'",
    "script": "write uses: script@v1 with: {script: …}, or steps: [{run: …}]",
    "run": "write steps: [{run: …}]",
    "command": "write uses: container@v1 with: {command: …}",
    "commands": "write steps: [{run: …}]",
    "args": "write uses: container@v1 with: {args: […]}",
    "permissions": "leave it out: a job gets only the secrets that it names",
    "secrets": "write env: {NAME: secret:NAME} for each secret that the job may see; to a graph of jobs they "
    "go by its inputs: with: {NAME: secret:NAME}",
    "defaults": "write 'shell' and 'working-directory' at the step; a file's defaults stand at its top",
    "matrix": "write strategy: {matrix: …}",
    "fail-fast": "write strategy: {fail-fast: …}",
    "instance-type": "write resources: {instance-type: …}",
    "gpu": "write resources: {gpu: …}",
    "cpu": "write resources: {cpu: …}",
    "memory": "write resources: {memory: …}",
    "timeout": "write timeout-minutes: …",
    "retries": "write retry: {limit: …}",
    "artifacts": "write outputs: {NAME: {type: artifact}}",
    "variables": "write env: …",
    "stage": "write needs: […]: jobs run as soon as what they need is done",
    "allow_failure": "write continue-on-error: true",
    "working-directory": "write it at the step",
    "shell": "write it at the step, or with: {shell: …} for script@v1",
    "type": "write uses: … for an action; an output's type stands under outputs: {NAME: {type: …}}",
    "machine": "write resources: {instance-type: …}",
    "containerRegistry": "write resources: {container-registries: [NAME]}",
    "container-registries": "write resources: {container-registries: [NAME]}",
    "parameters": "write with: … for the action's inputs, env: … for variables",
}


class ReadJob(NamedTuple):
    """A job, and where it names those that it needs (for the check of the graph)."""

    job: Job
    needs_at: Mapping[str, Position]


def read_job(reader: WorkflowReader, name: str, key: yaml.Node, node: yaml.Node) -> ReadJob:
    """One entry of `jobs`."""
    at = Position.of(key)
    reader.job = name
    if not JOB_ID.match(name):
        reader.error(key, f"'{name}' cannot be the name of a job", "use letters, digits, '_' and '-'")
    if not isinstance(node, yaml.MappingNode) or _is_misplaced(name, node):
        _refuse_job(reader, name, key, node)
        reader.job = None
        return ReadJob(Job(id=name, at=at), {})
    fields = reader.fields(node, f"the job '{name}'", JOB_KEYS, elsewhere=ELSEWHERE)
    _check_kind(reader, name, key, fields)
    needs_at = _read_needs(reader, fields["needs"], name) if "needs" in fields else {}
    inputs = read_job_inputs(reader, fields["inputs"]) if "inputs" in fields else ()
    _add_implied(inputs, needs_at)
    job = _build(reader, name, at, fields, inputs, tuple(needs_at))
    reader.job = None
    return ReadJob(job, needs_at)


def _is_misplaced(name: str, node: yaml.MappingNode) -> bool:
    """Whether a key of a job stands where the name of a job should: its indentation is wrong."""
    return name in JOB_KEYS and not {"uses", "steps"} & {key.value for key, _ in node.value}


def _refuse_job(reader: WorkflowReader, name: str, key: yaml.Node, node: yaml.Node) -> None:
    if name in JOB_KEYS:
        reader.error(key, f"'{name}' stands where the name of a job should", "indent it under its job")
    elif is_null(node):
        reader.error(key, f"the job '{name}' is empty", "write 'uses' and 'with', or 'steps', under it")
    else:
        reader.error(node, f"the job '{name}' must be a mapping, not {kind_of(node)}")


def _check_kind(reader: WorkflowReader, name: str, key: yaml.Node, fields: dict[str, yaml.Node]) -> None:
    if "uses" in fields and "steps" in fields:
        reader.error(
            fields["steps"],
            f"the job '{name}' has both 'uses' and 'steps'",
            "make two jobs, or a step with 'uses'",
        )
    elif "uses" not in fields and "steps" not in fields:
        reader.error(key, f"the job '{name}' has neither 'uses' nor 'steps'", "write what it is to do")
    if "with" in fields and "uses" not in fields:
        reader.error(fields["with"], f"'with' goes with 'uses', which the job '{name}' has not")


def _read_needs(reader: WorkflowReader, node: yaml.Node, name: str) -> dict[str, Position]:
    found: dict[str, Position] = {}
    for item in reader.items_or_one(node, "'needs'"):
        need = reader.plain(item, "an item of 'needs'")
        if need is None:
            continue
        if need in found:
            reader.warn(item, f"'{need}' stands twice in 'needs' of '{name}'")
        found.setdefault(need, Position.of(item))
    return found


def _add_implied(inputs: tuple[JobInput, ...], needs_at: dict[str, Position]) -> None:
    """An input that takes another job's output needs that job."""
    for item in inputs:
        if item.job is not None:
            needs_at.setdefault(item.job, item.at)


def _build(
    reader: WorkflowReader,
    name: str,
    at: Position,
    fields: dict[str, yaml.Node],
    inputs: tuple[JobInput, ...],
    needs: tuple[str, ...],
) -> Job:
    call = read_call(reader, fields, Place.JOB_WITH)
    reuse = fields.get("reuse")
    no_reuse = isinstance(reuse, yaml.ScalarNode) and reader.truth(reuse, "'reuse'") is False
    environment, url = _read_environment(reader, fields.get("environment"))
    expect, expect_at = _read_expectations(reader, fields.get("expect"))
    return Job(
        id=name,
        name=_template(reader, fields, "name", Place.JOB),
        needs=needs,
        condition=reader.condition(fields["if"], "'if'", Place.JOB_IF) if "if" in fields else None,
        uses=call.uses,
        with_=call.values,
        steps=read_steps(reader, fields["steps"]) if "steps" in fields else (),
        image=_template(reader, fields, "image", Place.JOB),
        env=reader.variables(fields["env"], "'env'", Place.JOB_ENV) if "env" in fields else {},
        inputs=inputs,
        outputs=read_outputs(reader, fields["outputs"]) if "outputs" in fields else (),
        resources=read_resources(reader, fields["resources"]) if "resources" in fields else _NO_RESOURCES,
        strategy=read_strategy(reader, fields["strategy"]) if "strategy" in fields else None,
        retry=read_retry(reader, fields["retry"]) if "retry" in fields else None,
        timeout_minutes=reader.amount(fields["timeout-minutes"], "'timeout-minutes'", Place.JOB)
        if "timeout-minutes" in fields
        else None,
        continue_on_error=reader.flag(fields["continue-on-error"], "'continue-on-error'", Place.JOB) or False
        if "continue-on-error" in fields
        else False,
        services=read_services(reader, fields["services"]) if "services" in fields else (),
        environment=environment,
        environment_url=url,
        concurrency=read_concurrency(reader, fields["concurrency"], Place.JOB)
        if "concurrency" in fields
        else None,
        reuse=None if reuse is None or no_reuse else _read_reuse(reader, reuse),
        no_reuse=no_reuse,
        expect=expect,
        expect_at=expect_at,
        priority=reader.integer(fields["priority"], "'priority'") if "priority" in fields else None,
        checkout=reader.truth(fields["checkout"], "'checkout'") is not False
        if "checkout" in fields
        else True,
        at=at,
        uses_at=call.uses_at,
        with_at=call.places,
        image_at=Position.of(fields["image"]) if "image" in fields else None,
    )


_NO_RESOURCES: Final = Resources()


def _template(reader: WorkflowReader, fields: dict[str, yaml.Node], key: str, place: Place) -> str | None:
    return reader.template(fields[key], f"'{key}'", place) if key in fields else None


def _read_reuse(reader: WorkflowReader, node: yaml.Node) -> Reuse:
    if isinstance(node, yaml.ScalarNode):
        return Reuse()
    fields = reader.fields(node, "'reuse'", REUSE_KEYS)
    return Reuse(
        key=_template(reader, fields, "key", Place.STEP),
        max_age_s=reader.duration(fields["max-age"], "'max-age'") if "max-age" in fields else None,
    )


def _read_environment(reader: WorkflowReader, node: yaml.Node | None) -> tuple[str | None, str | None]:
    if node is None or is_null(node):
        return None, None
    if isinstance(node, yaml.ScalarNode):
        return reader.template(node, "'environment'", Place.JOB), None
    fields = reader.fields(node, "'environment'", ENVIRONMENT_KEYS)
    if "name" not in fields:
        reader.error(node, "'environment' has no 'name'", "name it; variables for the job go under 'env'")
    return _template(reader, fields, "name", Place.JOB), _template(reader, fields, "url", Place.STEP)


def _read_expectations(
    reader: WorkflowReader, node: yaml.Node | None
) -> tuple[dict[str, str], dict[str, Position]]:
    """The conditions by metric, and where they stand."""
    found: dict[str, str] = {}
    places: dict[str, Position] = {}
    entries = reader.entries(node, "'expect'") if node is not None else {}
    for metric, (key, value) in entries.items():
        text = reader.text(value, f"the condition on '{metric}'")
        if text is None:
            continue
        if "${{" in text:
            reader.template(value, f"the condition on '{metric}'", Place.JOB)
        else:
            try:
                parse_condition(text)
            except ConditionError as error:
                reader.error(value, f"the condition on '{metric}': {error.problem}", error.remedy)
        found[metric], places[metric] = text.strip(), Position.of(key)
    return found, places
