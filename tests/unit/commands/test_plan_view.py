"""Plans as text and as pictures."""

from __future__ import annotations

from pathlib import Path

from windlass_registry.catalog import Catalog
from windlass_runner.commands.paint import Paint
from windlass_runner.commands.plan_graph import dot, mermaid
from windlass_runner.commands.plan_view import render_plan, stages
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.model import Plan
from windlass_runner.run.prepare import plan_run
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow

TEXT = """
inputs:
  epochs: {type: number, default: 3}
jobs:
  last: {needs: [middle, first], uses: script@v1, with: {script: echo}}
  first:
    uses: script@v1
    with: {script: 'echo "quoted"'}
    outputs: {data: {type: volume}}
    resources: {gpu: {count: 2, memory: 40GB}, cpu: 4}
  middle:
    name: say "hi"
    needs: [first]
    if: github.ref == 'refs/heads/main'
    inputs: {data: first.outputs.data}
    strategy: {max-parallel: 2, matrix: {lr: [0.1, 0.01]}}
    env: {TOKEN: 'secret:TOKEN'}
    uses: script@v1
    with: {script: echo}
"""


def plan_of(text: str) -> Plan:
    event = Event(kind="workflow_dispatch", repository="file:///r", ref="refs/heads/main", sha="a" * 40)
    parsed = parse_workflow(text, path="w.yaml")
    return plan_run(
        parsed,
        event=event,
        reason="started by hand",
        root=Path("/"),
        pins=None,
        catalog=Catalog.of_builtin(),
        options=PlanOptions(),
    )


def test_a_job_stands_one_stage_below_the_last_that_it_needs() -> None:
    rows = [[spec.id for spec in row] for row in stages(plan_of(TEXT))]
    assert rows == [["first"], ["middle"], ["last"]]


def test_the_text_says_what_runs_and_with_what() -> None:
    text = render_plan(plan_of(TEXT), paint=Paint(False), width=100)
    for part in (
        "why       started by hand",
        "inputs    epochs=3",
        "script@v1 → script 1.",
        "sha256:",
        "stage 3",
        "if        github.ref == 'refs/heads/main'",
        "2 jobs, at most 2 at once",
        "lr=0.01",
        "/inputs/data  ← first.outputs.data (read-only)",
        "/outputs/data  → volume",
        "2 with 37 GB each",
        "secrets   TOKEN",
        "4 jobs in 3 stages",
    ):
        assert part in text, part


IMAGES = """
inputs: {image: {type: string, default: 'small:1'}}
jobs:
  a:
    image: ${{ inputs.image }}
    steps: [{run: x}, {run: y, image: '${{ env.MY }}', env: {MY: 'mine:2'}}]
    services: {db: {image: 'db:${{ matrix.v }}'}}
    outputs: {o: {type: string}}
    strategy: {matrix: {v: [1, 2], other: [1, 2, 3]}}
  late: {needs: a, image: '${{ needs.a.outputs.o }}', steps: [{run: x}]}
  legs: {image: 'leg:${{ matrix.v }}', strategy: {matrix: {v: LEGS}}, steps: [{run: x}]}
"""


def test_images_are_shown_as_the_plan_knows_them_and_else_as_they_are_written() -> None:
    text = render_plan(plan_of(IMAGES.replace("LEGS", str([*range(20)]))), paint=Paint(False), width=100)
    for part in (
        "image     small:1 · mine:2\n",
        "Run y in mine:2\n",
        "services  db (db:1 · db:2)\n",
        "image     ${{ needs.a.outputs.o }}\n",
        "image     leg:0 · leg:1 · ",
        " · leg:11 · … and 8 more\n",
    ):
        assert part in text, part


def test_a_long_chain_has_a_stage_for_each_job() -> None:
    jobs = "\n".join(
        f"  j{n}: {{{f'needs: [j{n - 1}], ' if n else ''}uses: script@v1, with: {{script: echo}}}}"
        for n in range(1500)
    )
    assert len(stages(plan_of(f"jobs:\n{jobs}"))) == 1500


def test_pictures_escape_what_people_write() -> None:
    plan = plan_of(TEXT)
    assert 'j1["say &quot;hi&quot;' not in mermaid(plan)  # j1 is 'first'
    assert "&quot;hi&quot; ×2" in mermaid(plan)
    assert "j1 --> j2" in mermaid(plan)
    assert '"first" -> "middle";' in dot(plan)
    assert 'label="say \\"hi\\" ×2"' in dot(plan)
