"""Which images a plan will need."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass_registry.catalog import Catalog
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.images import images_of
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
