"""What jobs ask of hosts and of time: `resources`, `retry`, `concurrency`."""

from __future__ import annotations

import re
from typing import Final, get_args

import yaml

from windlass_registry.documents import Position, is_null
from windlass_runner.workflow.model import Concurrency, GpuRequest, Resources, Retry, RetryCause
from windlass_runner.workflow.quantities import cpu_count, size_bytes
from windlass_runner.workflow.reading import Place, WorkflowReader

RESOURCE_KEYS: Final = frozenset(
    {"gpu", "cpu", "memory", "shm-size", "instance-type", "labels", "container-registries"}
)
GPU_KEYS: Final = frozenset({"count", "memory", "model"})
RETRY_KEYS: Final = frozenset({"limit", "when", "on", "delay", "backoff", "max-delay"})
CONCURRENCY_KEYS: Final = frozenset({"group", "cancel-in-progress", "queue"})
RETRY_CAUSES: Final[tuple[RetryCause, ...]] = get_args(RetryCause)
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]*\Z")
_SIZE: Final = "a size such as 40GB or 512Mi"
_ELSEWHERE: Final = {
    "gpus": "write 'gpu'",
    "cpus": "write 'cpu'",
    "mem": "write 'memory'",
    "ram": "write 'memory'",
    "instanceType": "write 'instance-type'",
    "machine-type": "write 'instance-type'",
    "limits": "write the amounts directly under 'resources'",
    "requests": "write the amounts directly under 'resources'",
}


def read_resources(reader: WorkflowReader, node: yaml.Node) -> Resources:
    """A `resources` mapping."""
    fields = reader.fields(node, "'resources'", RESOURCE_KEYS, elsewhere=_ELSEWHERE)

    def size(key: str) -> int | None:
        return reader.measure(fields[key], f"'{key}'", size_bytes, _SIZE) if key in fields else None

    def texts(key: str) -> tuple[str, ...]:
        items = reader.items_or_one(fields[key], f"'{key}'") if key in fields else []
        found = (reader.template(item, f"an item of '{key}'", Place.JOB) for item in items)
        return tuple(item for item in found if item is not None)

    return Resources(
        gpu=_read_gpu(reader, fields["gpu"]) if "gpu" in fields else None,
        cpu=reader.measure(fields["cpu"], "'cpu'", cpu_count, "a number of CPUs such as 4, 0.5 or 500m")
        if "cpu" in fields
        else None,
        memory_bytes=size("memory"),
        shm_bytes=size("shm-size"),
        instance_type=reader.template(fields["instance-type"], "'instance-type'", Place.JOB)
        if "instance-type" in fields
        else None,
        labels=texts("labels"),
        container_registries=_read_registries(reader, fields.get("container-registries")),
    )


def _read_registries(reader: WorkflowReader, node: yaml.Node | None) -> tuple[str, ...]:
    """The names of pull secrets: not addresses, and not images."""
    found: list[str] = []
    for item in reader.items_or_one(node, "'container-registries'") if node is not None else ():
        name = reader.template(item, "an item of 'container-registries'", Place.JOB)
        if name is None:
            continue
        if "${{" not in name and not _SECRET_NAME.match(name):
            reader.warn(
                item,
                f"'{name}' is hardly the name of a container registry",
                "write the name under which its credentials are kept; an image stands under 'with'",
            )
        found.append(name)
    return tuple(found)


def _read_gpu(reader: WorkflowReader, node: yaml.Node) -> GpuRequest | None:
    if isinstance(node, yaml.ScalarNode):
        if is_null(node):
            return None
        if not node.value.isdecimal():
            reader.error(
                node,
                f"'gpu' must be a count or a mapping, not '{node.value}'",
                "write gpu: 1, or gpu: {count: 1, model: …, memory: 40GB}",
            )
            return None
        return GpuRequest(count=int(node.value))
    fields = reader.fields(
        node, "'gpu'", GPU_KEYS, elsewhere={"type": "write 'model'", "name": "write 'model'"}
    )
    count = reader.whole(fields["count"], "'count' of 'gpu'") if "count" in fields else 1
    return GpuRequest(
        count=1 if count is None else count,
        memory_bytes=reader.measure(fields["memory"], "'memory' of 'gpu'", size_bytes, _SIZE)
        if "memory" in fields
        else None,
        model=reader.template(fields["model"], "'model' of 'gpu'", Place.JOB) if "model" in fields else None,
    )


def read_retry(reader: WorkflowReader, node: yaml.Node) -> Retry | None:
    """`retry: 3`, or a mapping."""
    if isinstance(node, yaml.ScalarNode):
        if is_null(node):
            return None
        limit = reader.whole(node, "'retry'")
        return None if limit is None else Retry(limit=limit)
    fields = reader.fields(
        node,
        "'retry'",
        RETRY_KEYS,
        elsewhere={"max": "write 'limit'", "attempts": "write 'limit'", "max-attempts": "write 'limit'"},
    )
    limit = reader.whole(fields["limit"], "'limit' of 'retry'") if "limit" in fields else None
    if "limit" not in fields:
        reader.error(node, "'retry' has no 'limit'", "write how many times to try again, such as limit: 2")
    return Retry(
        limit=limit or 0,
        when=reader.condition(fields["when"], "'when' of 'retry'", Place.RETRY) if "when" in fields else None,
        on=_read_causes(reader, fields["on"]) if "on" in fields else RETRY_CAUSES,
        delay_s=(reader.duration(fields["delay"], "'delay'") or 0.0) if "delay" in fields else 0.0,
        backoff=(reader.number(fields["backoff"], "'backoff'", above=0) or 1.0)
        if "backoff" in fields
        else 1.0,
        max_delay_s=reader.duration(fields["max-delay"], "'max-delay'") if "max-delay" in fields else None,
    )


def _read_causes(reader: WorkflowReader, node: yaml.Node) -> tuple[RetryCause, ...]:
    words = [
        reader.choice(item, "a cause to retry on", RETRY_CAUSES)
        for item in reader.items_or_one(node, "'on' of 'retry'")
    ]
    return tuple(cause for cause in RETRY_CAUSES if cause in words)


def read_concurrency(reader: WorkflowReader, node: yaml.Node, place: Place) -> Concurrency | None:
    """`concurrency: GROUP`, or a mapping."""
    at = Position.of(node)
    if isinstance(node, yaml.ScalarNode):
        group = reader.template(node, "'concurrency'", place)
        return None if group is None else Concurrency(group=group, at=at)
    fields = reader.fields(node, "'concurrency'", CONCURRENCY_KEYS)
    if "group" not in fields:
        reader.error(node, "'concurrency' has no 'group'", "name one, such as group: ${{ github.ref }}")
        return None
    group = reader.template(fields["group"], "'group' of 'concurrency'", place)
    cancel = (
        reader.flag(fields["cancel-in-progress"], "'cancel-in-progress'", place)
        if "cancel-in-progress" in fields
        else False
    )
    queue = reader.whole(fields["queue"], "'queue' of 'concurrency'") if "queue" in fields else 1
    return Concurrency(
        group=group or "",
        cancel_in_progress=False if cancel is None else cancel,
        queue=1 if queue is None else queue,
        at=at,
    )
