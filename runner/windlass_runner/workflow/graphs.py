"""Actions that are a graph of jobs (`using: workflow`): their manifest's jobs, read as those of a workflow.

What a workflow may say at a job that is such a graph is checked by `workflow.calls`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import yaml

from windlass_registry.documents import Position, compose, is_null, merged_items
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lock_parts import name_in_lock
from windlass_registry.manifest import ActionManifest, GraphRuns
from windlass_registry.near_words import did_you_mean
from windlass_runner.expressions import ExpressionError
from windlass_runner.workflow import references
from windlass_runner.workflow.facts import Named, facts_of, facts_within
from windlass_runner.workflow.lint import FILES, check_graph, check_matrices
from windlass_runner.workflow.model import Defaults, Job, OutputSpec, OutputType, Workflow
from windlass_runner.workflow.parse import lines_of, read_defaults, read_jobs
from windlass_runner.workflow.places import locate
from windlass_runner.workflow.reading import Place, Text, WorkflowReader
from windlass_runner.workflow.texts import NAMES, check_texts

REFUSED: Final[Mapping[str, str]] = {
    "environment": "leave it out: the workflow deploys, in a job of its own that needs the graph",
    "concurrency": "leave it out: the workflow that uses the graph says what may not run at the same time",
}
"""Keys of a job that only a workflow's own jobs may have: they name what belongs to a repository."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The jobs of an action, with what comes out of them."""

    workflow: Workflow
    outputs: Mapping[str, GraphOutput]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphInspection:
    """What a look at a graph gives; without a `graph` it cannot run."""

    graph: Graph | None
    problems: tuple[Problem, ...] = ()


def inspect_graph(runs: GraphRuns) -> GraphInspection:
    """The graph of a manifest, with its problems as values, in the order of the text."""
    return _inspected(runs.source, runs.path)


def problems_of(manifest: ActionManifest) -> tuple[Problem, ...]:
    """What is wrong with the graph of a manifest, and with those in its own folders; of any other nothing."""
    if not isinstance(manifest.runs, GraphRuns):
        return ()
    inner = [problem for part in manifest.runs.parts.values() for problem in problems_of(part.manifest)]
    return (*inspect_graph(manifest.runs).problems, *inner)


def parse_graph(runs: GraphRuns) -> Graph:
    """The graph of a manifest.

    Raises:
        AuthorError: with every problem of its jobs.
    """
    found = inspect_graph(runs)
    if found.graph is None:
        raise AuthorError(*found.problems)
    return found.graph


def named_as_locked(graph: Graph, uses: str, runs: GraphRuns) -> Graph:
    """The graph with what its jobs use under the names that a lock has. `uses`: how the lock names itself."""

    def name(text: str | None) -> str | None:
        return None if text is None else name_in_lock(uses, runs, text)

    jobs = {
        job.id: replace(
            job,
            uses=name(job.uses),
            steps=tuple(replace(step, uses=name(step.uses)) if step.uses else step for step in job.steps),
        )
        for job in graph.workflow.jobs.values()
    }
    return replace(graph, workflow=replace(graph.workflow, jobs=jobs))


@lru_cache(maxsize=256)
def _inspected(source: str, path: str) -> GraphInspection:
    try:
        root = compose(source, path=path)
    except AuthorError as error:
        return GraphInspection(graph=None, problems=error.problems)
    reader = WorkflowReader(path)
    graph = _GraphReader(reader, root, source).read()
    problems = tuple(sorted(dict.fromkeys(reader.problems), key=lambda one: (one.line, one.column)))
    is_broken = any(problem.severity == "error" for problem in problems)
    return GraphInspection(graph=None if is_broken else graph, problems=problems)


class _GraphReader:
    """One pass over a manifest whose other parts have been read."""

    def __init__(self, reader: WorkflowReader, root: yaml.Node | None, source: str) -> None:
        self.reader = reader
        self.lines = lines_of(source)
        self.top = _pairs(root)
        self.runs = self.top["runs"][1]
        self.fields = {name: value for name, (_, value) in _pairs(self.runs).items()}

    def read(self) -> Graph:
        reader, fields = self.reader, self.fields
        reader.inputs = frozenset(_pairs(self._of_top("inputs")))
        read = read_jobs(reader, self.runs, fields["jobs"])
        jobs = {name: each.job for name, each in read.items()}
        defaults = read_defaults(reader, fields["defaults"]) if "defaults" in fields else Defaults()
        env = reader.variables(fields["env"], "'env'", Place.FILE_ENV) if "env" in fields else {}
        check_graph(reader, read)
        check_matrices(reader, jobs.values())
        check_texts(reader, jobs, self.lines)
        self._refuse_keys()
        self._check_secrets()
        name = self._of_top("name")
        return Graph(
            workflow=Workflow(
                path=reader.path,
                name=str(name.value) if isinstance(name, yaml.ScalarNode) else reader.path,
                defaults=defaults,
                env=env,
                jobs=jobs,
            ),
            outputs={output.name: output for output in self._outputs(jobs)},
        )

    def _of_top(self, name: str) -> yaml.Node | None:
        pair = self.top.get(name)
        return None if pair is None else pair[1]

    def _refuse_keys(self) -> None:
        for _, job in _pairs(self.fields["jobs"]).values():
            for name, (key, _) in _pairs(job).items():
                if name in REFUSED:
                    self.reader.error(key, f"a job of a graph has no '{name}'", REFUSED[name])

    # -- secrets ---------------------------------------------------------------------------------

    def _check_secrets(self) -> None:
        """A package never names a secret: it is handed one, as an input that says so."""
        secret = self._secret_inputs()
        for text, named, offset in self._named():
            match named.path:
                case ("secrets", *_):
                    self.reader.error(
                        locate(text, offset, self.lines),
                        "a graph cannot name a secret of the repositories that use it",
                        "declare an input, list it under permissions.secrets, and write inputs.NAME",
                    )
                case ("inputs", name, *_) if name in secret and "secrets" not in NAMES[text.place]:
                    self.reader.error(
                        locate(text, offset, self.lines),
                        f"the input '{name}' may be a secret, and cannot be used here ({text.place.value})",
                        "use it in 'with', 'env' or a step",
                    )

    def _secret_inputs(self) -> frozenset[str]:
        listed = _pairs(self._of_top("permissions")).get("secrets")
        node = None if listed is None else listed[1]
        items = node.value if isinstance(node, yaml.SequenceNode) else []
        return frozenset(str(item.value) for item in items)

    def _named(self) -> Iterator[tuple[Text, Named, int]]:
        for text in self.reader.noted:
            try:
                found = ((facts_of(text.text), 0),) if text.is_condition else facts_within(text.text)
            except ExpressionError:  # told by `check_texts`
                continue
            for facts, offset in found:
                for named in facts.names:
                    yield text, named, offset + max(named.position - 1, 0)

    # -- outputs ---------------------------------------------------------------------------------

    def _outputs(self, jobs: Mapping[str, Job]) -> Iterator[GraphOutput]:
        for name, (key, node) in _pairs(self._of_top("outputs")).items():
            fields = _pairs(node)
            value = fields["value"][1] if "value" in fields else None
            if not isinstance(value, yaml.ScalarNode) or is_null(value):
                self.reader.error(
                    key,
                    f"the output '{name}' of a graph does not say which job it is from",
                    "write value: ${{ jobs.JOB.outputs.NAME }}",
                )
                continue
            output = self._output(name, value, jobs)
            kind = fields["type"][1] if "type" in fields else None
            if isinstance(kind, yaml.ScalarNode) and not is_null(kind):
                self._check_type(output, kind)
            yield output

    def _output(self, name: str, node: yaml.ScalarNode, jobs: Mapping[str, Job]) -> GraphOutput:
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
        self._check_names(Text(node, text, Place.JOB_OUTPUT, None, None, False, False), jobs)
        if taken is None:
            return GraphOutput(name=name, value=text)
        declared = {each.name: each.type for each in _outputs_of(jobs, taken[0])}
        kind = declared.get(taken[1], "string")
        return GraphOutput(name=name, value=text, job=taken[0], output=taken[1], type=kind)

    def _check_names(self, text: Text, jobs: Mapping[str, Job]) -> None:
        try:
            found = facts_within(text.text)
        except ExpressionError as error:
            at = locate(text, error.offset or 0, self.lines)
            self.reader.error(at, " ".join(error.message.split()).rstrip("."))
            return
        for facts, offset in found:
            for named in facts.names:
                self._check_name(named, locate(text, offset + max(named.position - 1, 0), self.lines), jobs)

    def _check_name(self, named: Named, at: Position, jobs: Mapping[str, Job]) -> None:
        context, *rest = named.path
        if context not in _OUTPUT_NAMES:
            known = ", ".join(sorted(_OUTPUT_NAMES))
            remedy = "write jobs.JOB.outputs.NAME" if context == "needs" else f"known here: {known}"
            self.reader.error(at, f"'{context}' cannot be used here (outputs of a graph)", remedy)
        if context != "jobs" or not rest or rest[0] == "*":
            return
        job, *below = rest
        if job not in jobs:
            remedy = did_you_mean(job, jobs) or "name one of its jobs: " + ", ".join(jobs)
            self.reader.error(at, f"the graph has no job '{job}'", remedy)
        elif below and below[0] not in ("outputs", "result", "*"):
            self.reader.error(at, f"a job has no '{below[0]}'", did_you_mean(below[0], ("outputs", "result")))
        elif len(below) > 1 and below[0] == "outputs" and below[1] != "*":
            known_outputs = [output.name for output in _outputs_of(jobs, job)]
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


def _outputs_of(jobs: Mapping[str, Job], name: str) -> tuple[OutputSpec, ...]:
    return jobs[name].outputs if name in jobs else ()


def _pairs(node: yaml.Node | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """The entries of a mapping that say something: keys and values by name."""
    items = merged_items(node) if isinstance(node, yaml.MappingNode) else []
    return {str(key.value): (key, value) for key, value in items if not is_null(value)}
