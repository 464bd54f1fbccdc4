"""The shape of a workflow, for its picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from windlass_registry.samples.outline import layers, outline
from windlass_registry.server.graph_svg import graph_svg

FLOW = """\
jobs:
  prepare: {uses: script@v1, with: {script: 'true'}, outputs: {data: {type: volume}}}
  train:
    inputs: {data: prepare.outputs.data}
    strategy: {matrix: {n: [1, 2]}}
    steps: [{run: 'echo 1'}, {run: 'echo 2'}]
  look: {needs: prepare, steps: [{run: "echo '${{ needs.train.outputs.loss }}'"}]}
  alone: {uses: ./tool}
"""


def test_jobs_wait_for_what_they_need_and_for_what_they_read() -> None:
    jobs = {job.name: job for job in outline(FLOW)}
    assert {name: job.needs for name, job in jobs.items()} == {
        "prepare": (),
        "train": ("prepare",),
        "look": ("prepare", "train"),
        "alone": (),
    }
    assert (jobs["train"].what, jobs["train"].is_matrix) == ("2 steps", True)


def test_each_job_stands_behind_all_that_it_waits_for() -> None:
    assert [[job.name for job in layer] for layer in layers(outline(FLOW))] == [
        ["prepare", "alone"],
        ["train"],
        ["look"],
    ]


def test_a_graph_has_its_jobs_where_its_manifest_says_how_it_runs() -> None:
    jobs = "".join(f"  {line}\n" for line in FLOW.splitlines())
    assert outline(f"name: f\nruns:\n  using: workflow\n{jobs}") == outline(FLOW)


def test_what_cannot_be_read_has_no_picture() -> None:
    for text in ("", "jobs: [", "jobs: 3", "- a", "jobs: {a: 3}\n", "runs: [jobs]", "&a [*a]"):
        assert all(job.needs == () for job in outline(text))
    assert graph_svg(()) == ""


def test_a_circle_is_drawn_all_the_same() -> None:
    jobs = outline("jobs:\n  a: {needs: b}\n  b: {needs: a}\n")
    assert sum(map(len, layers(jobs))) == 2


def test_the_picture_is_well_formed_whatever_the_names_hold() -> None:
    long = "a-very-long-name-of-a-job-that-does-not-fit"
    text = f'jobs:\n  "<b>&\\"x": {{uses: "</svg>"}}\n  {long}: {{steps: [{{run: x}}]}}\n'
    picture = ET.fromstring(graph_svg(outline(text)))
    texts = [each.text for each in picture.iter() if each.tag.endswith("text")]
    assert "</svg>" in texts
    assert all(each is not None and len(each) <= 22 for each in texts)
