"""What an action's example promises, as a workflow and against what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from windlass_registry.errors import AuthorError
from windlass_registry.manifest import ActionManifest, parse_manifest
from windlass_runner.commands.action_examples import (
    JOB,
    Difference,
    check_expressions,
    chosen_examples,
    differences,
    workflow_of,
)


def manifest(outputs: str, *, inputs: str = "{}") -> ActionManifest:
    return parse_manifest(
        f"name: A\noutputs: {{model: {{type: model}}, n: {{type: number}}}}\n"
        "runs: {using: python, main: main.py}\n"
        f"examples: [{{name: one, inputs: {inputs}, outputs: {outputs}}}]",
        path="action.yml",
    )


def compared(outputs: str, **found: Any) -> list[tuple[str, str, str]]:
    told = {name: {"type": "string", "text": each} for name, each in found.items()}
    example = manifest(outputs).examples[0]
    return [(each.where, each.expected, each.found) for each in differences(example, told)]


def test_a_text_must_be_the_same_but_for_a_line_end_at_its_end() -> None:
    assert compared("{a: 'two words', n: 3, flag: true}", a="two words\n", n="3", flag="true") == []
    assert compared("{a: x}", a="y\n") == [("a", "x", "y")]


def test_an_expression_must_match_all_of_the_text() -> None:
    assert compared("{a: '/0\\.9\\d+/'}", a="0.934") == []
    assert compared("{a: '/0\\.9/'}", a="0.93") == [("a", "a match of /0\\.9/", "0.93")]
    assert compared("{a: {matches: 'b+'}, b: {equals: '/usr/'}}", a="bb", b="/usr/") == []


def test_an_output_that_is_not_there_is_a_difference() -> None:
    assert compared("{a: {type: string}}") == [("a", "an output", "nothing")]
    assert compared("{a: {type: string}}", a="whatever") == []


def test_files_are_held_against_text_expression_or_digest(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("accuracy 0.9\n")
    (tmp_path / "x").write_text("test")
    digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    files = f"{{report.txt: /accuracy .*/, x: '{digest}', y: , report.txt.gz: }}"
    example = manifest(f"{{d: {{type: volume, files: {files}}}}}").examples[0]
    assert differences(example, {"d": {"type": "volume", "path": str(tmp_path)}}) == (
        Difference(where="d/y", expected="a file", found="nothing"),
        Difference(where="d/report.txt.gz", expected="a file", found="nothing"),
    )
    (tmp_path / "x").write_text("else")
    assert "d/x" in [one.where for one in differences(example, {"d": {"path": str(tmp_path)}})]


def test_an_example_is_a_job_as_it_would_stand_in_a_workflow() -> None:
    found = manifest("{model: , text: hello, d: {type: volume, files: {a: b}}, f: {sha256: x}, n: }")
    parsed = workflow_of(found.examples[0], found, uses="./a", image="img:1", path="action.yml")
    job = parsed.workflow.jobs[JOB]
    assert (job.uses, parsed.workflow.defaults.image) == ("./a", "img:1")
    assert {output.name: output.type for output in job.outputs} == {
        "model": "volume",
        "text": "string",
        "d": "volume",
        "f": "artifact",
        "n": "string",
    }


def test_files_of_the_package_are_handed_to_an_example_as_inputs() -> None:
    found = manifest("{}", inputs="{data: ./examples/data/}")
    parsed = workflow_of(found.examples[0], found, uses="./a", image=None, path="action.yml")
    given, job = parsed.workflow.jobs.values()
    assert given.steps[0].run == "cp -R '/workspace/examples/data' '/outputs/data'"
    assert [(item.name, item.job, item.output) for item in job.inputs] == [("data", given.id, "data")]


def test_what_comes_from_a_job_that_is_not_there_is_refused() -> None:
    found = manifest("{}", inputs="{data: train.outputs.data}")
    with pytest.raises(AuthorError, match=r"another job; write a file or folder of the package"):
        workflow_of(found.examples[0], found, uses="./a", image=None, path="action.yml")


def test_an_expression_that_cannot_be_read_is_told_before_anything_runs() -> None:
    with pytest.raises(AuthorError, match="what 'a' must match cannot be read"):
        check_expressions(manifest("{a: '/(/'}").examples[0], path="action.yml")
    check_expressions(manifest("{a: {files: {x: /y/}}, b: 3}").examples[0], path="action.yml")


def test_examples_are_chosen_by_name() -> None:
    found = manifest("{}")
    assert chosen_examples(found, ["one"], path="a") == found.examples == chosen_examples(found, [], path="a")
    with pytest.raises(AuthorError, match="no example 'oen'; did you mean 'one'"):
        chosen_examples(found, ["oen"], path="a")
    bare = parse_manifest("name: A\nruns: {using: python, main: m.py}", path="action.yml")
    with pytest.raises(AuthorError, match="has no examples, so there is nothing to test"):
        chosen_examples(bare, [], path="a")


def test_an_example_that_needs_more_than_an_engine_is_run_where_it_is_asked_for() -> None:
    text = (
        "name: a\nruns: {using: composite, steps: [{run: 'true'}]}\nexamples: [{name: far, needs: network}]\n"
    )
    found = parse_manifest(text, path="action.yml")
    assert chosen_examples(found, [], path="a") == ()
    assert chosen_examples(found, [], is_all=True, path="a") == found.examples
    assert chosen_examples(found, ["far"], path="a") == found.examples
