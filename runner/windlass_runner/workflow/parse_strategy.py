"""`strategy` and `services` of a job."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

import yaml

from windlass_registry.documents import Position, Value, is_null, kind_of
from windlass_runner.workflow.model import Service, Strategy
from windlass_runner.workflow.quantities import duration_s
from windlass_runner.workflow.reading import JOB_ID, Place, WorkflowReader

STRATEGY_KEYS: Final = frozenset({"matrix", "fail-fast", "max-parallel"})
SERVICE_KEYS: Final = frozenset({"image", "env", "command", "ports", "options", "health"})
HEALTH_KEYS: Final = frozenset({"command", "interval", "timeout", "retries"})
_HEALTH_OPTIONS: Final = {
    "--health-cmd": "command",
    "--health-interval": "interval",
    "--health-timeout": "timeout",
    "--health-retries": "retries",
}
_SERVICE_ELSEWHERE: Final = {
    "credentials": "name the pull secret under resources: {container-registries: […]}",
    "volumes": "services keep nothing; give a job 'inputs' and 'outputs' instead",
    "args": "write 'command'",
    "healthcheck": "write health: {command: …, interval: 2s, timeout: 5s, retries: 30}",
    "environment": "write 'env'",
}


def read_strategy(reader: WorkflowReader, node: yaml.Node) -> Strategy:
    """A `strategy` mapping."""
    fields = reader.fields(
        node,
        "'strategy'",
        STRATEGY_KEYS,
        elsewhere={"include": "write it under 'matrix'", "exclude": "write it under 'matrix'"},
    )
    matrix: dict[str, Value] | str | None = None
    include: tuple[Mapping[str, Value], ...] | str = ()
    exclude: tuple[Mapping[str, Value], ...] | str = ()
    if "matrix" in fields:
        matrix, include, exclude = _read_matrix(reader, fields["matrix"])
    fail_fast = (
        reader.flag(fields["fail-fast"], "'fail-fast'", Place.STRATEGY) if "fail-fast" in fields else True
    )
    return Strategy(
        matrix=matrix,
        include=include,
        exclude=exclude,
        fail_fast=True if fail_fast is None else fail_fast,
        max_parallel=reader.count(fields["max-parallel"], "'max-parallel'", Place.STRATEGY, least=1)
        if "max-parallel" in fields
        else None,
        at=Position.of(node),
    )


_Rows = tuple[Mapping[str, Value], ...] | str


def _read_matrix(
    reader: WorkflowReader, node: yaml.Node
) -> tuple[dict[str, Value] | str | None, _Rows, _Rows]:
    if isinstance(node, yaml.ScalarNode):
        text = reader.template(node, "'matrix'", Place.STRATEGY)
        if text is not None and "${{" not in text:
            reader.error(node, f"'matrix' must be a mapping of axes, not '{text}'")
        return text, (), ()
    axes: dict[str, Value] = {}
    rows: dict[str, _Rows] = {"include": (), "exclude": ()}
    for name, (key, value) in reader.entries(node, "'matrix'").items():
        if name in rows:
            rows[name] = _read_rows(reader, value, name)
            continue
        if not JOB_ID.match(name):
            reader.error(key, f"'{name}' cannot be the name of an axis", "use letters, digits, '_' and '-'")
        axes[name] = _read_axis(reader, value, name)
    if not axes and not rows["include"]:
        reader.error(node, "'matrix' has no axes", "write one, such as python: ['3.11', '3.12']")
    return axes, rows["include"], rows["exclude"]


def _read_axis(reader: WorkflowReader, node: yaml.Node, name: str) -> Value:
    if isinstance(node, yaml.ScalarNode):
        text = reader.template(node, f"the axis '{name}'", Place.STRATEGY)
        if text is not None and "${{" not in text:
            reader.error(node, f"the axis '{name}' must be a list, not '{text}'", f"write [{text}]")
        return text
    if not isinstance(node, yaml.SequenceNode):
        reader.error(node, f"the axis '{name}' must be a list, not {kind_of(node)}")
        return []
    if not node.value:
        reader.error(node, f"the axis '{name}' is empty", "give it at least one value")
    return reader.value(node, Place.STRATEGY)


def _read_rows(reader: WorkflowReader, node: yaml.Node, name: str) -> _Rows:
    if isinstance(node, yaml.ScalarNode) and not is_null(node):
        text = reader.template(node, f"'{name}'", Place.STRATEGY)
        if text is not None and "${{" not in text:
            reader.error(node, f"'{name}' must be a list of mappings, not '{text}'")
        return text or ""
    found: list[Mapping[str, Value]] = []
    for item in reader.items(node, f"'{name}'"):
        row = reader.value(item, Place.STRATEGY)
        if isinstance(row, dict):
            found.append(row)
        else:
            reader.error(item, f"an item of '{name}' must be a mapping, not {kind_of(item)}")
    return tuple(found)


def read_services(reader: WorkflowReader, node: yaml.Node) -> tuple[Service, ...]:
    """Containers beside the job, by the name under which it reaches them."""
    found: list[Service] = []
    for name, (key, value) in reader.entries(node, "'services'").items():
        if not JOB_ID.match(name):
            reader.error(key, f"'{name}' cannot be the name of a service", "use letters, digits, '_' and '-'")
        found.append(_read_service(reader, name, value))
    return tuple(found)


def _read_service(reader: WorkflowReader, name: str, node: yaml.Node) -> Service:
    at = Position.of(node)
    if isinstance(node, yaml.ScalarNode) and not is_null(node):
        reader.error(node, f"the service '{name}' must be a mapping", f"write {{image: {node.value}}}")
        return Service(name=name, image="", at=at)
    fields = reader.fields(node, f"the service '{name}'", SERVICE_KEYS, elsewhere=_SERVICE_ELSEWHERE)
    if "image" not in fields:
        reader.error(node, f"the service '{name}' has no 'image'", "name the image to run")
    health = _read_options(reader, fields["options"]) if "options" in fields else {}
    if "health" in fields:
        health |= _read_health(reader, fields["health"])
    return Service(
        name=name,
        image=(reader.template(fields["image"], f"the image of '{name}'", Place.JOB_ENV) or "")
        if "image" in fields
        else "",
        env=reader.variables(fields["env"], "'env'", Place.JOB_ENV) if "env" in fields else {},
        command=_read_command(reader, fields["command"]) if "command" in fields else (),
        ports=tuple(reader.texts(fields["ports"], "'ports'")) if "ports" in fields else (),
        health_command=health.get("command"),
        health_interval_s=duration_s(health.get("interval", "")) or 2.0,
        health_timeout_s=duration_s(health.get("timeout", "")) or 5.0,
        health_retries=int(health.get("retries", "30")),
        at=at,
    )


def _read_command(reader: WorkflowReader, node: yaml.Node) -> tuple[str, ...]:
    """A list, or one text that is split as a shell would."""
    if not isinstance(node, yaml.ScalarNode):
        found = (
            reader.template(item, "an item of 'command'", Place.JOB_ENV)
            for item in reader.items(node, "'command'")
        )
        return tuple(word for word in found if word is not None)
    text = reader.template(node, "'command'", Place.JOB_ENV)
    return tuple(_split(reader, node, text or ""))


def _split(reader: WorkflowReader, node: yaml.Node, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        reader.error(node, f"'{text}' cannot be split into words: {error}", "close the quotation")
        return []


def _read_health(reader: WorkflowReader, node: yaml.Node) -> dict[str, str]:
    fields = reader.fields(
        node, "'health'", HEALTH_KEYS, elsewhere={"cmd": "write 'command'", "test": "write 'command'"}
    )
    found: dict[str, str] = {}
    for key, value in fields.items():
        match key:
            case "retries":
                retries = reader.whole(value, "'retries'", least=1)
                found[key] = str(retries or 1)
            case "command" if isinstance(value, yaml.SequenceNode):
                found[key] = shlex.join(reader.texts(value, "'command'"))
            case "command":
                found[key] = reader.text(value, "'command'") or ""
            case _:
                reader.duration(value, f"'{key}'")
                found[key] = str(getattr(value, "value", ""))
    if "command" not in found:
        reader.error(node, "'health' has no 'command'", "write what answers with 0 once the service is ready")
    return found


def _read_options(reader: WorkflowReader, node: yaml.Node) -> dict[str, str]:
    """GitHub's `options`, of which health checks are understood."""
    text = reader.text(node, "'options'")
    words = iter(_split(reader, node, text or ""))
    found: dict[str, str] = {}
    for word in words:
        option, equals, value = word.partition("=")
        if option not in _HEALTH_OPTIONS:
            reader.error(
                node,
                f"the option '{option}' of a service is not supported",
                "keep to --health-cmd, --health-interval, --health-timeout and --health-retries",
            )
            return found
        found[_HEALTH_OPTIONS[option]] = value if equals else next(words, "")
    _check_options(reader, node, found)
    return found


def _check_options(reader: WorkflowReader, node: yaml.Node, found: dict[str, str]) -> None:
    if not found.get("retries", "1").isdecimal():
        reader.error(node, f"--health-retries cannot be '{found.pop('retries')}'", "write a whole number")
    for key in ("interval", "timeout"):
        if key in found and duration_s(found[key]) is None:
            reader.error(node, f"--health-{key} cannot be '{found[key]}'", "write one such as 5s")
