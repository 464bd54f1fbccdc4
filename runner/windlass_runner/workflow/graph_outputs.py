"""The outputs of a graph of jobs: which of its jobs each is from. Called by `graphs`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from windlass_registry.documents import Position, is_null, merged_items
from windlass_registry.near_words import did_you_mean
from windlass_runner.expressions import ExpressionError
from windlass_runner.workflow import references
from windlass_runner.workflow.facts import Named, facts_within
from windlass_runner.workflow.lint import FILES
from windlass_runner.workflow.model import Job, OutputSpec, OutputType
from windlass_runner.workflow.places import locate
from windlass_runner.workflow.reading import Place, Text, WorkflowReader

_OUTPUT_NAMES: Final = ("jobs", "inputs", "github", "event", "vars")
_PLAIN: Final = re.compile(r"\$\{\{\s*jobs\.([A-Za-z0-9_-]+)\.outputs\.([A-Za-z0-9_.-]+)\s*\}\}\Z")
_TEXTS: Final = ("string", "number", "boolean")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOutput:
    """An output of a graph, as its manifest takes it from its jobs."""

    name: str
    value: str
    """A text with expressions that see `jobs`."""
    job: str | None = None
    """Where it is the output of one job and no more: which, so that files are handed on too."""
    output: str | None = None
    type: OutputType = "string"


class GraphOutputs:
    """Reads them, and notes what is wrong on the reader. `lines`: the manifest's."""

    def __init__(self, reader: WorkflowReader, lines: list[str], jobs: Mapping[str, Job]) -> None:
        self.reader = reader
        self.lines = lines
        self.jobs = jobs

    def read(self, node: yaml.Node | None) -> Iterator[GraphOutput]:
        """The outputs, in the order written; those that are broken are left out."""
        for name, (key, said) in pairs(node).items():
            fields = pairs(said)
            value = fields["value"][1] if "value" in fields else None
            if not isinstance(value, yaml.ScalarNode) or is_null(value):
                self.reader.error(
                    key,
                    f"the output '{name}' of a graph does not say which job it is from",
                    "write value: ${{ jobs.JOB.outputs.NAME }}",
                )
                continue
            output = self._output(name, value)
            kind = fields["type"][1] if "type" in fields else None
            if isinstance(kind, yaml.ScalarNode) and not is_null(kind):
                self._check_type(output, kind)
            yield output

    def _output(self, name: str, node: yaml.ScalarNode) -> GraphOutput:
        text = str(node.value).strip()
        bare = references.read_reference(text)
        taken = (bare.job, bare.output) if isinstance(bare, references.OutputReference) else None
        if taken is not None:
            text = "${{ jobs" + references.path(taken[0], "outputs", taken[1]) + " }}"
        elif (plain := _PLAIN.match(text)) is not None:
            taken = (plain[1], plain[2])
        elif "${{" not in text:
            remedy = "write value: ${{ jobs.JOB.outputs.NAME }}"
            self.reader.error(node, f"the output '{name}' is a fixed text, and names no job", remedy)
        self._check_names(Text(node, text, Place.JOB_OUTPUT, None, None, False, False))
        if taken is None:
            return GraphOutput(name=name, value=text)
        declared = {each.name: each.type for each in self._outputs_of(taken[0])}
        kind = declared.get(taken[1], "string")
        return GraphOutput(name=name, value=text, job=taken[0], output=taken[1], type=kind)

    def _check_names(self, text: Text) -> None:
        try:
            found = facts_within(text.text)
        except ExpressionError as error:
            at = locate(text, error.offset or 0, self.lines)
            self.reader.error(at, " ".join(error.message.split()).rstrip("."))
            return
        for facts, offset in found:
            for named in facts.names:
                self._check_name(named, locate(text, offset + max(named.position - 1, 0), self.lines))

    def _check_name(self, named: Named, at: Position) -> None:
        context, *rest = named.path
        if context not in _OUTPUT_NAMES:
            known = ", ".join(sorted(_OUTPUT_NAMES))
            remedy = "write jobs.JOB.outputs.NAME" if context == "needs" else f"known here: {known}"
            self.reader.error(at, f"'{context}' cannot be used here (outputs of a graph)", remedy)
        if context != "jobs" or not rest or rest[0] == "*":
            return
        job, *below = rest
        if job not in self.jobs:
            remedy = did_you_mean(job, self.jobs) or "name one of its jobs: " + ", ".join(self.jobs)
            self.reader.error(at, f"the graph has no job '{job}'", remedy)
        elif below and below[0] not in ("outputs", "result", "*"):
            self.reader.error(at, f"a job has no '{below[0]}'", did_you_mean(below[0], ("outputs", "result")))
        elif len(below) > 1 and below[0] == "outputs" and below[1] != "*":
            known_outputs = [output.name for output in self._outputs_of(job)]
            if below[1] not in known_outputs:
                remedy = did_you_mean(below[1], known_outputs) or f"declare it under 'outputs' of '{job}'"
                self.reader.error(at, f"the job '{job}' declares no output '{below[1]}'", remedy)

    def _check_type(self, output: GraphOutput, node: yaml.ScalarNode) -> None:
        said = "string" if node.value in _TEXTS else node.value
        if output.job is not None and said != output.type:
            message = f"the output '{output.name}' is of the type {output.type} at its job '{output.job}'"
            self.reader.error(node, message, f"write type: {output.type}")
        elif output.job is None and said in FILES:
            message = f"the output '{output.name}' is a text that is put together, and no {node.value}"
            self.reader.error(node, message, "take it from one job: ${{ jobs.JOB.outputs.NAME }}")

    def _outputs_of(self, name: str) -> tuple[OutputSpec, ...]:
        return self.jobs[name].outputs if name in self.jobs else ()


def pairs(node: yaml.Node | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """The entries of a mapping that say something: keys and values by name."""
    items = merged_items(node) if isinstance(node, yaml.MappingNode) else []
    return {str(key.value): (key, value) for key, value in items if not is_null(value)}
