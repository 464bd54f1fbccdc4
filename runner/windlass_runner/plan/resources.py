"""What a job asks of its host: its own words, the workflow's defaults, and Gradient's machine names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from windlass_runner.workflow.model import GpuRequest, Resources

GIB: Final = 1024**3

GRADIENT_MACHINES: Final[Mapping[str, Resources]] = {
    **{
        name: Resources(cpu=cpus, memory_bytes=memory * GIB)
        for name, cpus, memory in (
            ("C1", 1, 1),
            ("C2", 1, 2),
            ("C3", 2, 4),
            ("C4", 2, 4),
            ("C5", 4, 8),
            ("C6", 8, 16),
            ("C7", 12, 30),
            ("C8", 16, 60),
            ("C9", 20, 120),
            ("C10", 32, 244),
        )
    },
    **{
        name: Resources(gpu=GpuRequest(count=count, model=model))
        for name, model, count in (
            ("K80", "K80", 1),
            ("GPU+", "M4000", 1),
            ("P4000", "P4000", 1),
            ("P5000", "P5000", 1),
            ("P6000", "P6000", 1),
            ("RTX4000", "RTX4000", 1),
            ("RTX5000", "RTX5000", 1),
            ("A4000", "A4000", 1),
            ("A5000", "A5000", 1),
            ("A6000", "A6000", 1),
            ("V100", "V100", 1),
            ("V100-32G", "V100", 1),
            ("A100", "A100", 1),
            ("A100-80G", "A100", 1),
            ("H100", "H100", 1),
            ("TPU", "TPU", 1),
        )
    },
}
"""The machines of Gradient's price list, as far as its users' files name them. C machines ask for
what they had, at most: a smaller host gives all it has (see `bounded`)."""


def resolve_resources(
    own: Resources, defaults: Resources, instance_types: Mapping[str, Mapping[str, Any]]
) -> Resources:
    """The job's words first, then the workflow's; an instance type fills what neither says."""
    merged = _over(own, defaults)
    if merged.instance_type is None:
        return merged
    return _over(merged, _machine(merged.instance_type, instance_types))


def _machine(name: str, instance_types: Mapping[str, Mapping[str, Any]]) -> Resources:
    if name in instance_types:
        return _from_settings(instance_types[name])
    base, _, count = name.partition("x")
    known = GRADIENT_MACHINES.get(name) or GRADIENT_MACHINES.get(base)
    if known is None:
        return Resources()
    if known.gpu is not None and count.isdigit():
        return replace(known, gpu=replace(known.gpu, count=int(count)))
    return known


def _from_settings(words: Mapping[str, Any]) -> Resources:
    gpu = words.get("gpu")
    return Resources(
        gpu=None if gpu is None else GpuRequest(count=int(gpu)),
        cpu=words.get("cpu"),
        memory_bytes=words.get("memory_bytes"),
    )


def _over(first: Resources, second: Resources) -> Resources:
    """`first`, with what it leaves open taken from `second`."""
    return Resources(
        **{item.name: getattr(first, item.name) or getattr(second, item.name) for item in fields(Resources)}
    )


def bounded(resources: Resources, *, cpus: int, memory_bytes: int) -> Resources:
    """What an instance type asks for, cut to what this host has; explicit requests stay as they are."""
    if resources.instance_type is None:
        return resources
    return replace(
        resources,
        cpu=None if resources.cpu is None else min(resources.cpu, float(cpus)),
        memory_bytes=None if resources.memory_bytes is None else min(resources.memory_bytes, memory_bytes),
    )
