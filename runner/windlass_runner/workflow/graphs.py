"""Actions that are a graph of jobs (`using: workflow`): their manifest's jobs, read as those of a workflow.

What a workflow may say at a job that is such a graph is checked by `workflow.calls`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import yaml

from windlass_registry.documents import compose
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lock_parts import name_in_lock
from windlass_registry.manifest import ActionManifest, GraphRuns
from windlass_runner.expressions import ExpressionError
from windlass_runner.workflow.facts import Named, facts_of, facts_within
from windlass_runner.workflow.graph_outputs import GraphOutput, GraphOutputs, pairs
from windlass_runner.workflow.lint import check_graph, check_matrices
from windlass_runner.workflow.model import Defaults, Workflow
from windlass_runner.workflow.parse import lines_of, read_defaults, read_jobs
from windlass_runner.workflow.places import locate
from windlass_runner.workflow.reading import Place, Text, WorkflowReader
from windlass_runner.workflow.texts import NAMES, check_texts

REFUSED: Final[Mapping[str, str]] = {
    "environment": "leave it out: the workflow deploys, in a job of its own that needs the graph",
    "concurrency": "leave it out: the workflow that uses the graph says what may not run at the same time",
}
"""Keys of a job that only a workflow's own jobs may have: they name what belongs to a repository."""
_DEFAULT_NAMES: Final = frozenset({"github", "event", "vars"})
_FOR_SECRETS: Final = {place for place, names in NAMES.items() if "secrets" in names} - {Place.JOB_INPUT}
"""Where an input that may be a secret can be used: what a job has under `inputs` becomes a file."""


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
        self.top = pairs(root)
        self.runs = self.top["runs"][1]
        self.fields = {name: value for name, (_, value) in pairs(self.runs).items()}

    def read(self) -> Graph:
        reader, fields = self.reader, self.fields
        reader.inputs = frozenset(pairs(self._of_top("inputs")))
        read = read_jobs(reader, self.runs, fields["jobs"])
        jobs = {name: each.job for name, each in read.items()}
        defaults = read_defaults(reader, fields["defaults"]) if "defaults" in fields else Defaults()
        env = reader.variables(fields["env"], "'env'", Place.FILE_ENV) if "env" in fields else {}
        check_graph(reader, read)
        check_matrices(reader, jobs.values())
        check_texts(reader, jobs, self.lines)
        self._refuse_keys()
        self._check_defaults()
        self._check_inputs()
        name = self._of_top("name")
        outputs = GraphOutputs(reader, self.lines, jobs)
        return Graph(
            workflow=Workflow(
                path=reader.path,
                name=str(name.value) if isinstance(name, yaml.ScalarNode) else reader.path,
                defaults=defaults,
                env=env,
                jobs=jobs,
            ),
            outputs={output.name: output for output in outputs.read(self._of_top("outputs"))},
        )

    def _of_top(self, name: str) -> yaml.Node | None:
        pair = self.top.get(name)
        return None if pair is None else pair[1]

    def _refuse_keys(self) -> None:
        for _, job in pairs(self.fields["jobs"]).values():
            for name, (key, _) in pairs(job).items():
                if name in REFUSED:
                    self.reader.error(key, f"a job of a graph has no '{name}'", REFUSED[name])

    def _check_defaults(self) -> None:
        """What an input is where nothing is given is known before there is a job."""
        for name, (_, node) in pairs(self._of_top("inputs")).items():
            default = pairs(node).get("default")
            if default is None or not isinstance(default[1], yaml.ScalarNode):
                continue
            try:
                found = facts_within(str(default[1].value))
            except ExpressionError as error:
                self.reader.error(default[1], " ".join(error.message.split()).rstrip("."))
                continue
            unknown = {named.path[0] for facts, _ in found for named in facts.names} - _DEFAULT_NAMES
            for each in sorted(unknown):
                message = f"'{each}' cannot be used in the default of the input '{name}' of a graph"
                self.reader.error(default[1], message, "leave it out: whoever uses the graph gives it")

    # -- inputs and secrets ------------------------------------------------------------------------

    def _check_inputs(self) -> None:
        """Inputs stand where they are known. And a package never names a secret: it is handed one, as an
        input that says so."""
        secret = self._secret_inputs()
        for text, named, offset in self._named():
            match named.path:
                case ("secrets", *_):
                    self.reader.error(
                        locate(text, offset, self.lines),
                        "a graph cannot name a secret of the repositories that use it",
                        "declare an input, list it under permissions.secrets, and write inputs.NAME",
                    )
                case ("inputs", name, *_) if name in secret and text.place not in _FOR_SECRETS:
                    self.reader.error(
                        locate(text, offset, self.lines),
                        f"the input '{name}' may be a secret, and cannot be used here ({text.place.value})",
                        "use it in 'with', 'env' or a step",
                    )

    def _secret_inputs(self) -> frozenset[str]:
        listed = pairs(self._of_top("permissions")).get("secrets")
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
