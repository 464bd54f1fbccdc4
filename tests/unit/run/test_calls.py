"""Graphs of jobs in a run: when their jobs run, what these see, what others see of a graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from windlass_registry.catalog import Catalog
from windlass_runner.plan.compile import PlanOptions, compile_plan
from windlass_runner.run.looking_up import resolve_actions
from windlass_runner.run.progress import Progress
from windlass_runner.run.tasks import job_contexts
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow

FLOW = """\
name: Flow
version: 1.0.0
inputs: {n: {type: number, default: 1}, late: {type: boolean}}
outputs:
  file: {value: b.outputs.file}
  text: {value: 'n=${{ inputs.n }} ${{ jobs.b.outputs.text }} ${{ jobs.c.result }}'}
runs:
  using: workflow
  jobs:
    a: {steps: [{run: x}]}
    b:
      needs: [a]
      steps: [{run: x}]
      outputs: {file: {type: volume}, text: {type: string}}
    c: {needs: [a], if: inputs.n > 5, steps: [{run: x}]}
    d: {needs: [b], if: always(), steps: [{run: x}]}
"""
STRING = {"type": "string"}


class Run:
    """A run whose jobs end as the test says."""

    def __init__(self, root: Path, workflow: str) -> None:
        (root / "flow").mkdir()
        (root / "flow/action.yml").write_text(FLOW)
        parsed = parse_workflow(workflow, path="w.yaml").workflow
        lock = resolve_actions(parsed, root=root, pins=None, catalog=Catalog.of_builtin())
        event = Event(kind="push", repository="r", ref="refs/heads/main", sha="0" * 40)
        self.plan = compile_plan(parsed, event, lock, PlanOptions())
        self.contexts: dict[str, Any] = {"github": {"ref": "refs/heads/main"}, "inputs": {"n": "not this"}}
        self.progress = Progress(self.plan, contexts=self.contexts)
        self.running: set[str] = set()
        self.ended: dict[str, tuple[str, str]] = {}
        self.take(self.progress.begin())

    def take(self, decisions: Any) -> None:
        for one in decisions:
            if one.what == "start":
                self.running.add(one.key)
            elif one.what == "end":
                self.ended[one.key] = (one.state, one.reason)
            else:
                self.running.discard(one.key)
                self.ended[one.key] = (one.state, one.reason)
                self.take(self.progress.finish(one.key, one.state))

    def end(self, key: str, state: Any = "success", **outputs: dict[str, str]) -> None:
        self.running.remove(key)
        self.ended[key] = (state, "")
        self.take(self.progress.finish(key, state, outputs))

    def needs(self, job: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.progress.needs_context(job)[name]
        return found


def test_a_graph_runs_and_what_follows_sees_what_came_of_it(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        "jobs:\n  g: {uses: ./flow, outputs: {file: {type: volume}, text: {type: string}}}\n"
        "  z: {needs: [g], inputs: {f: g.outputs.file}, steps: [{run: x}]}\n",
    )
    assert run.running == {"g/a"}
    run.end("g/a")
    assert run.running == {"g/b"}
    assert run.ended["g/c"] == ("skipped", "if: inputs.n > 5")
    run.end("g/b", text={**STRING, "text": "hi"}, file={"type": "volume", "path": "/kept/file"})
    run.end("g/d")
    assert run.running == {"z"}
    seen = run.needs("z", "g")
    assert (seen["result"], seen["outputs"]["text"]) == ("success", "n=1 hi skipped")
    assert run.progress.output_of("g", "file") == {"type": "volume", "path": "/kept/file"}


def test_a_condition_of_a_graph_holds_for_all_of_its_jobs(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        "jobs:\n  g: {uses: ./flow, if: github.ref == 'refs/heads/dev'}\n"
        "  z: {needs: [g], steps: [{run: x}]}\n"
        "  y: {needs: [g], if: needs.g.result == 'skipped' && always(), steps: [{run: x}]}\n",
    )
    assert {run.ended[f"g/{job}"][0] for job in "abcd"} == {"skipped"}
    assert run.ended["g/d"][1] == "g: if: github.ref == 'refs/heads/dev'"
    assert run.ended["z"] == ("skipped", "needs g (skipped)")
    assert run.running == {"y"}


@pytest.mark.parametrize(
    ("condition", "runs"), [("", False), (", if: always()", True), (", if: failure()", True)]
)
def test_a_graph_after_a_failure_runs_where_it_asks_for_it(
    tmp_path: Path, condition: str, runs: bool
) -> None:
    run = Run(
        tmp_path, f"jobs:\n  p: {{steps: [{{run: x}}]}}\n  g: {{needs: [p], uses: ./flow{condition}}}\n"
    )
    run.end("p", "failure")
    assert run.running == ({"g/a"} if runs else set())
    if not runs:
        assert run.ended["g/d"] == ("skipped", "g: needs p (failure)")


def test_a_job_that_fails_makes_its_graph_fail_and_one_that_may_does_not(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        "jobs:\n  g: {uses: ./flow}\n  z: {needs: [g], steps: [{run: x}]}\n"
        "  y: {needs: [g], if: failure(), steps: [{run: x}]}\n",
    )
    run.end("g/a", "failure")
    assert run.ended["g/b"] == ("skipped", "needs a (failure)")
    run.end("g/d")
    assert run.ended["z"] == ("skipped", "needs g (failure)")
    assert run.running == {"y"}


def test_one_of_a_matrix_that_fails_stops_the_others(tmp_path: Path) -> None:
    workflow = "jobs: {g: {uses: ./flow, strategy: {matrix: {n: [1, 2]}%s}}}"
    run = Run(tmp_path, workflow % "")
    run.end("g (2)/a")
    run.end("g (1)/a", "failure")
    assert run.running == {"g (1)/d"}
    assert run.ended["g (2)/b"] == ("cancelled", "fail-fast: g (1) / a failed")
    assert run.ended["g (2)/d"] == ("cancelled", "fail-fast: g (1) / a failed")

    (tmp_path / "other").mkdir()
    run = Run(tmp_path / "other", workflow % ", fail-fast: false")
    run.end("g (2)/a")
    run.end("g (1)/a", "failure")
    assert run.running == {"g (1)/d", "g (2)/b"}


def test_a_job_of_a_graph_sees_what_its_graph_was_given(tmp_path: Path) -> None:
    before = "  p: {steps: [{run: x}], outputs: {n: {type: string}, l: {type: string}}}\n"
    given = "{n: p.outputs.n, late: '${{ needs.p.outputs.l }}'}"
    run = Run(tmp_path, f"jobs:\n{before}  g: {{needs: [p], uses: ./flow, with: {given}}}\n")
    run.end("p", n={**STRING, "text": "7"}, l={**STRING, "text": "false"})
    run.end("g/a")
    assert run.running == {"g/b", "g/c"}
    seen = job_contexts(run.progress, run.progress.legs["g/c"].job)
    assert seen["inputs"] == {"n": 7, "late": False}
    assert list(seen["needs"]) == ["a"]
    assert job_contexts(run.progress, run.progress.legs["p"].job)["inputs"] == {"n": "not this"}
    again = Progress(run.plan, contexts=run.contexts)
    again.restore("p", "success", run.progress.legs["p"].outputs)
    assert [one.key for one in again.begin()] == ["g/a"]
    assert job_contexts(again, again.legs["g/a"].job)["inputs"] == {"n": 7, "late": False}


def test_a_run_that_is_taken_up_again_goes_on_inside_a_graph(tmp_path: Path) -> None:
    run = Run(tmp_path, "jobs:\n  g: {uses: ./flow}\n  z: {needs: [g], steps: [{run: x}]}\n")
    again = Progress(run.plan, contexts=run.contexts)
    again.restore("g/a", "success", {})
    again.restore("g/b", "success", {"text": {**STRING, "text": "hi"}})
    again.restore("g/c", "skipped", {})
    assert [(one.key, one.what) for one in again.begin()] == [("g/d", "start")]
    assert [(one.key, one.what) for one in again.finish("g/d", "success")] == [("z", "start")]


def test_a_cancelled_run_ends_its_graphs(tmp_path: Path) -> None:
    run = Run(tmp_path, "jobs:\n  p: {steps: [{run: x}]}\n  g: {needs: [p], uses: ./flow}\n")
    run.take(run.progress.cancel())
    assert run.progress.is_over
    assert run.ended["g/a"][0] == "cancelled"
    assert run.progress.final_state() == "cancelled"
