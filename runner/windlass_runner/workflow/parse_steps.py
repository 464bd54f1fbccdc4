"""A job's `steps`, in GitHub's spelling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import yaml

from windlass_registry.documents import Position, Value, is_null
from windlass_runner.workflow.model import Step
from windlass_runner.workflow.reading import STEP_ID, Place, WorkflowReader

STEP_KEYS: Final = frozenset(
    [
        "id",
        "name",
        "if",
        "uses",
        "with",
        "run",
        "shell",
        "image",
        "env",
        "working-directory",
        "continue-on-error",
        "timeout-minutes",
    ]
)
_ELSEWHERE: Final = {
    "script": "write 'run'",
    "command": "write 'run'",
    "when": "write 'if'",
    "container": "write 'image'",
    "timeout": "write 'timeout-minutes'",
    "environment": "write 'env'",
    "inputs": "write 'with' for an action's inputs; a job's 'inputs' stand at the job",
    "outputs": "write outputs at the job; a step writes to the file named by $GITHUB_OUTPUT",
    "needs": "steps run in order; 'needs' stands at the job",
    "runs-on": "leave it out: where a job runs is said by its 'image' and 'resources'",
}


class Call(NamedTuple):
    """A `uses` with its `with`, and where they stand."""

    uses: str | None
    values: Mapping[str, Value]
    uses_at: Position | None
    places: Mapping[str, Position]


def read_steps(reader: WorkflowReader, node: yaml.Node) -> tuple[Step, ...]:
    """All steps of a job."""
    items = reader.items(node, "'steps'")
    if not items and isinstance(node, yaml.SequenceNode):
        reader.error(node, "'steps' is empty", "write at least one step with 'run' or 'uses'")
    found: list[Step] = []
    ids: dict[str, Position] = {}
    for number, item in enumerate(items):
        reader.step = number
        step = _read_step(reader, item)
        if step.id is not None:
            if step.id in ids:
                first = ids[step.id].line
                reader.error(item, f"two steps have the id '{step.id}'", f"the first is on line {first}")
            ids.setdefault(step.id, step.at)
        found.append(step)
    reader.step = None
    return tuple(found)


def _read_step(reader: WorkflowReader, node: yaml.Node) -> Step:
    at = Position.of(node)
    if isinstance(node, yaml.ScalarNode):
        remedy = "write - run: … or - uses: …" if is_null(node) else f"write - run: {node.value[:60]}"
        reader.error(node, "a step must be a mapping", remedy)
        return Step(at=at)
    fields = reader.fields(node, "a step", STEP_KEYS, elsewhere=_ELSEWHERE)
    _check_kind(reader, node, fields)
    call = read_call(reader, fields, Place.STEP)
    shell = reader.template(fields["shell"], "'shell'", Place.STEP) if "shell" in fields else None

    def text(key: str) -> str | None:
        return reader.template(fields[key], f"'{key}'", Place.STEP) if key in fields else None

    return Step(
        id=_read_id(reader, fields["id"]) if "id" in fields else None,
        name=text("name"),
        condition=reader.condition(fields["if"], "'if'", Place.STEP_IF) if "if" in fields else None,
        run=reader.template(fields["run"], "'run'", Place.STEP, is_python=is_python(shell))
        if "run" in fields
        else None,
        shell=shell,
        image=text("image"),
        uses=call.uses,
        with_=call.values,
        env=reader.variables(fields["env"], "'env'", Place.STEP) if "env" in fields else {},
        working_directory=text("working-directory"),
        continue_on_error=reader.flag(fields["continue-on-error"], "'continue-on-error'", Place.STEP) or False
        if "continue-on-error" in fields
        else False,
        timeout_minutes=reader.amount(fields["timeout-minutes"], "'timeout-minutes'", Place.STEP)
        if "timeout-minutes" in fields
        else None,
        at=at,
        uses_at=call.uses_at,
        with_at=call.places,
    )


def is_python(shell: str | None) -> bool:
    """Whether a step's `shell` runs Python: `python`, `python3`, `/usr/bin/python3 {0}` …"""
    program = shell.split()[0].rsplit("/", 1)[-1] if shell and shell.split() else ""
    return program.startswith("python") or program in ("pypy", "pypy3")


def _check_kind(reader: WorkflowReader, node: yaml.Node, fields: dict[str, yaml.Node]) -> None:
    if "run" in fields and "uses" in fields:
        reader.error(fields["uses"], "a step has both 'run' and 'uses'", "make two steps of it")
    elif "run" not in fields and "uses" not in fields and isinstance(node, yaml.MappingNode):
        reader.error(node, "a step has neither 'run' nor 'uses'", "write one of them")
    if "with" in fields and "uses" not in fields:
        reader.error(fields["with"], "'with' goes with 'uses', which this step has not", "use 'env'")
    for key in ("shell", "image"):
        if key in fields and "uses" in fields and "run" not in fields:
            reader.error(fields[key], f"'{key}' goes with 'run', not with 'uses'")


def _read_id(reader: WorkflowReader, node: yaml.Node) -> str | None:
    name = reader.plain(node, "'id'")
    if name is not None and not STEP_ID.match(name):
        remedy = "begin with a letter or '_', go on with letters, digits, '_' and '-'"
        reader.error(node, f"'{name}' cannot be the id of a step", remedy)
    return name


def read_call(reader: WorkflowReader, fields: dict[str, yaml.Node], place: Place) -> Call:
    """`uses` and `with` of a job or step."""
    uses = _read_uses(reader, fields["uses"]) if "uses" in fields else None
    values: dict[str, Value] = {}
    places: dict[str, Position] = {}
    for name, (key, value) in reader.entries(fields["with"], "'with'").items() if "with" in fields else ():
        places[name] = Position.of(key)
        if isinstance(value, yaml.ScalarNode):
            values[name] = reader.referring(value, place)
        else:
            values[name] = reader.value(value, place)
    return Call(uses, values, Position.of(fields["uses"]) if "uses" in fields else None, places)


def _read_uses(reader: WorkflowReader, node: yaml.Node) -> str | None:
    uses = reader.plain(node, "'uses'")
    if uses is None:
        return None
    uses = uses.strip()
    if uses.startswith("docker://"):
        image = uses.removeprefix("docker://")
        reader.error(
            node,
            f"'{uses}' is an image, not an action",
            f"write uses: container@v1 and with: {{image: {image}}}",
        )
    elif uses.startswith(("./", "$/", "../")) or uses in (".", "$"):
        pass
    elif "@" not in uses:
        reader.error(node, f"'{uses}' names no version", f"write one, such as {uses or 'script'}@v1")
    elif not all(uses.rsplit("@", 1)) or any(blank in uses for blank in " \t\n"):
        reader.error(node, f"'{uses}' is not [host/][namespace/]name@version", "such as script@v1")
    return uses
