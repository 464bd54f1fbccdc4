"""Which images a plan will need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from windlass_registry.catalog import Catalog
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.images import images_of
from windlass_runner.plan.known_images import planned_images
from windlass_runner.run.prepare import plan_run
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow

EVENT = Event(kind="push", repository="r", sha="1" * 40)


@pytest.mark.parametrize(
    ("job", "images"),
    [
        ("{uses: script@v1, with: {script: x, image: 'a:1'}}", ("a:1",)),
        ("{uses: script@v1, with: {script: x}}", ("python:3.12",)),
        ("{uses: container@v1, with: {command: x, image: '${{ inputs.image }}'}}", ("b:2",)),
        ("{uses: container@v1, with: {command: x}}", ("python:3.12",)),
        ("{image: 'c:3', steps: [{run: x}, {run: y, image: 'd:4'}, {run: z}]}", ("c:3", "d:4")),
        ("{strategy: {matrix: {v: [1]}}, uses: container@v1, with: {image: 'x:${{ matrix.v }}'}}", None),
    ],
)
def test_the_images_of_a_job_are_known_as_far_as_they_can_be(
    job: str, images: tuple[str, ...] | None, tmp_path: Path
) -> None:
    text = f"inputs: {{image: {{type: string, default: 'b:2'}}}}\njobs: {{a: {job}}}\n"
    plan = plan_run(
        parse_workflow(text, path="w.yaml"),
        event=EVENT,
        reason="",
        root=tmp_path,
        pins=None,
        catalog=Catalog.of_builtin(),
        options=PlanOptions(),
    )
    found = images_of(plan.specs["a"], {"inputs": plan.inputs})
    assert found == (images if images is not None else ("x:${{ matrix.v }}",))


def test_the_images_of_a_run_are_told_with_the_first_job_that_names_each(tmp_path: Path) -> None:
    text = """
inputs: {tag: {type: string, default: '1'}}
env: {BASE: 'env:${{ inputs.tag }}'}
jobs:
  a:
    image: 'leg:${{ matrix.v }}'
    strategy: {matrix: {other: [1, 2, 3], v: [x, y]}}
    outputs: {o: {type: string}}
    steps: [{run: x}, {run: x, image: '${{ env.BASE }}'}, {run: x, image: 'n:${{ strategy.job-index }}'}]
  b: {needs: a, image: '${{ needs.a.outputs.o }}', services: {db: {image: redis}}, steps: [{run: x}]}
  c: {needs: a, image: 'leg:x', steps: [{run: x}]}
"""
    plan = plan_run(
        parse_workflow(text, path="w.yaml"),
        event=replace(EVENT, inputs={"tag": "7"}),
        reason="",
        root=tmp_path,
        pins=None,
        catalog=Catalog.of_builtin(),
        options=PlanOptions(),
    )
    numbered = {f"n:{index}": "a" for index in range(6)}
    assert planned_images(plan) == {"leg:x": "a", "env:7": "a", "leg:y": "a", "redis": "b", **numbered}
