"""A plan as a picture, for tools that draw: Mermaid and Graphviz. Pure."""

from __future__ import annotations

from collections import Counter

from windlass_runner.plan.model import Plan


def mermaid(plan: Plan) -> str:
    """The graph in Mermaid's language (https://mermaid.js.org/syntax/flowchart.html)."""
    names = {job: f"j{number}" for number, job in enumerate(plan.specs)}
    labels = _labels(plan)
    lines = ["flowchart LR"]
    lines += [f'  {names[job]}["{_escaped(label)}"]' for job, label in labels.items()]
    lines += [f"  {names[before]} --> {names[after]}" for before, after in _edges(plan)]
    return "\n".join(lines) + "\n"


def dot(plan: Plan) -> str:
    """The graph in Graphviz' language (https://graphviz.org/doc/info/lang.html)."""
    lines = ["digraph plan {", "  rankdir=LR;", "  node [shape=box, style=rounded, fontname=sans];"]
    lines += [f"  {_quoted(job)} [label={_quoted(label)}];" for job, label in _labels(plan).items()]
    lines += [f"  {_quoted(before)} -> {_quoted(after)};" for before, after in _edges(plan)]
    return "\n".join([*lines, "}"]) + "\n"


def _labels(plan: Plan) -> dict[str, str]:
    counts = Counter(job.job_id for job in plan.jobs)
    labels: dict[str, str] = {}
    for spec in plan.specs.values():
        times = f" ×{counts[spec.id]}" if counts[spec.id] > 1 else ""
        gpu = spec.resources.gpu
        gpus = f" · {gpu.count} GPU" if gpu is not None and gpu.count else ""
        labels[spec.id] = f"{spec.name}{times}{gpus}"
    return labels


def _edges(plan: Plan) -> list[tuple[str, str]]:
    return [(need, spec.id) for spec in plan.specs.values() for need in spec.needs if need in plan.specs]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace("\n", " ")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
