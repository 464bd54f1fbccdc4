"""Graphs of jobs put in place: names, what they are given, what their jobs need, limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError
from windlass_runner.plan.compile import PlanOptions, compile_plan, job_graph
from windlass_runner.plan.known_images import known_images
from windlass_runner.plan.model import Plan
from windlass_runner.run.looking_up import resolve_actions
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.model import Workflow
from windlass_runner.workflow.parse import parse_workflow

CROSSED = ("cpu:1", "cpu:2", "gpu:1", "gpu:2")
PUSH = Event(
    kind="push",
    repository="https://example.org/a/b",
    ref="refs/heads/main",
    sha="1" * 40,
    payload={"head_commit": {"message": "'; rm -rf /"}},
)
FLOW = """\
name: Flow
version: 1.0.0
inputs:
  n: {type: number, default: 1}
  fast: {type: boolean}
  image: {type: string, default: 'debian:12'}
  text: {}
  data: {type: artifact}
  token: {}
permissions: {secrets: [token]}
outputs: {said: {value: last.outputs.said}}
runs:
  using: workflow
  jobs:
    first: {steps: [{run: echo}], image: '${{ inputs.image }}'}
    quiet: {needs: [first], steps: [{run: echo}]}
    last:
      needs: [first]
      inputs: {d: workflow.inputs.data, t: workflow.inputs.text}
      steps: [{run: 'echo ${{ inputs.token }}'}]
      outputs: {said: {type: string}}
"""


def read(root: Path, workflow: str, **manifests: str) -> tuple[Workflow, Any]:
    for folder, manifest in {"flow": FLOW, **manifests}.items():
        place = root / folder / "action.yml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(manifest)
    parsed = parse_workflow(workflow, path="w.yaml").workflow
    return parsed, resolve_actions(parsed, root=root, pins=None, catalog=Catalog.of_builtin())


def plan(root: Path, workflow: str, *, options: PlanOptions | None = None, **manifests: str) -> Plan:
    parsed, lock = read(root, workflow, **manifests)
    return compile_plan(parsed, PUSH, lock, options or PlanOptions())


def test_what_needs_a_graph_needs_its_last_jobs_and_its_first_need_what_it_needs(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        "jobs:\n  a: {steps: [{run: x}]}\n  g: {needs: [a], uses: ./flow}\n"
        "  z: {needs: [g, a], steps: [{run: x}]}\n",
    )
    assert {job: spec.needs for job, spec in found.specs.items()} == {
        "a": (),
        "g/first": ("a",),
        "g/quiet": ("g/first",),
        "g/last": ("g/first",),
        "z": ("g/quiet", "g/last", "a"),
    }
    assert found.specs["z"].names == {"g": ("g",), "a": ("a",)}
    assert [job.name for job in found.jobs][1:4] == ["g / first", "g / quiet", "g / last"]


def test_inputs_that_are_known_are_settled_and_others_are_left_for_the_run(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        "jobs:\n  a: {steps: [{run: x}], outputs: {o: {type: string}}}\n"
        "  g:\n    needs: [a]\n    uses: ./flow\n"
        "    with: {n: '${{ needs.a.outputs.o }}', fast: 'true', text: '${{ github.event_name }}!'}\n",
    ).calls["g"]
    assert found.given == {"fast": True, "image": "debian:12", "text": "push!", "data": ""} | {"token": ""}
    assert (found.late, found.types) == ({"n": "${{ needs.a.outputs.o }}"}, {"n": "number"})


def test_what_a_stranger_wrote_does_not_lose_its_mark_in_a_plan(tmp_path: Path) -> None:
    written = "${{ github.event.head_commit.message }}"
    found = plan(tmp_path, f"jobs: {{g: {{uses: ./flow, with: {{text: '{written}'}}}}}}")
    assert found.calls["g"].late == {"text": written}
    assert found.specs["g/last"].inputs[1].value == "${{ inputs.text }}"


def test_only_the_jobs_that_read_a_secret_are_given_it(tmp_path: Path) -> None:
    found = plan(tmp_path, "jobs: {g: {uses: ./flow, with: {token: secret:HUB}}}")
    secrets = {job: spec.secrets for job, spec in found.specs.items()}
    assert secrets == {"g/first": (), "g/quiet": (), "g/last": ("HUB",)}
    assert "HUB" not in repr(found.calls)


def test_files_and_texts_of_other_jobs_go_through_to_the_jobs_that_take_them(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        "jobs:\n  a: {steps: [{run: x}], outputs: {d: {type: artifact}, t: {type: string}}}\n"
        "  g: {uses: ./flow, inputs: {data: a.outputs.d}, with: {text: a.outputs.t}}\n",
    ).specs["g/last"]
    assert [(item.name, item.job, item.output) for item in found.inputs] == [("d", "a", "d"), ("t", "a", "t")]


def test_a_matrix_makes_several_graphs_of_one(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        "jobs:\n  g: {uses: ./flow, strategy: {matrix: {n: [1, 2]}}, with: {n: '${{ matrix.n }}'}}\n"
        "  z: {needs: [g], steps: [{run: x}]}\n",
    )
    assert {call.id: call.given["n"] for call in found.calls.values()} == {"g (1)": 1, "g (2)": 2}
    assert found.specs["z"].names == {"g": ("g (1)", "g (2)")}
    assert len(found.specs["z"].needs) == 4


def test_a_graph_knows_nothing_of_the_workflows_env_and_defaults(tmp_path: Path) -> None:
    head = "env: {A: secret:A}\ndefaults: {image: own, env: {B: '1'}}\n"
    found = plan(tmp_path, head + "jobs: {g: {uses: ./flow}}").specs["g/quiet"]
    assert (found.image, found.env, found.secrets) == (PlanOptions().default_image, {}, ())


def test_a_lock_sees_the_images_that_a_graph_is_given(tmp_path: Path) -> None:
    workflow, lock = read(tmp_path, "jobs: {g: {uses: ./flow, with: {image: 'busybox:1'}}}")
    graph = job_graph(workflow, lock, PlanOptions())
    found = known_images(graph.specs["g/first"], workflow, graph.calls)
    assert (found.names, found.open) == (("busybox:1",), ())


OUTER = """\
name: Outer
inputs: {base: {type: string}, kind: {}}
runs:
  using: workflow
  jobs:
    inner: {uses: ./flow, with: {image: '${{ inputs.base }}:${{ inputs.kind }}'}}
"""


@pytest.mark.parametrize(
    ("given", "names", "still_open"),
    [
        ("'${{ inputs.kind }}', base: x", ("x:cpu", "x:gpu"), ()),
        ("'${{ inputs.is-new && 2 || 1 }}', base: '${{ inputs.kind }}'", CROSSED, ()),
        ("'${{ inputs.text }}', base: x", ("x:one",), ("${{ inputs.image }}",)),
        ("'${{ inputs.needed }}', base: x", (), ("${{ inputs.image }}",)),
        ("'${{ github.sha }}', base: x", (), ("${{ inputs.image }}",)),
    ],
)
def test_a_lock_sees_images_through_graphs_that_are_given_the_workflows_inputs(
    tmp_path: Path, given: str, names: tuple[str, ...], still_open: tuple[str, ...]
) -> None:
    text = (
        "inputs:\n  kind: {type: choice, options: [cpu, gpu], default: cpu}\n  is-new: {type: boolean}\n"
        "  text: {type: string, default: one}\n  needed: {type: string, required: true}\n"
        f"jobs: {{g: {{uses: ./outer, with: {{kind: {given}}}}}}}\n"
    )
    workflow, lock = read(tmp_path, text, outer=OUTER, **{"outer/flow": FLOW})
    graph = job_graph(workflow, lock, PlanOptions())
    found = known_images(graph.specs["g/inner/first"], workflow, graph.calls)
    assert (tuple(sorted(found.names)), found.open) == (names, still_open)


def test_the_jobs_of_graphs_count_as_all_others_do(tmp_path: Path) -> None:
    workflow = "jobs: {g: {uses: ./flow, strategy: {matrix: {n: [1, 2]}}}}"
    assert len(plan(tmp_path, workflow, options=PlanOptions(max_jobs=6)).jobs) == 6
    with pytest.raises(AuthorError, match="more than 5 jobs"):
        plan(tmp_path, workflow, options=PlanOptions(max_jobs=5))
