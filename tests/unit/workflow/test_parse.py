"""What texts become: references, types, limits, places."""

from __future__ import annotations

import time

import pytest

from windlass_registry.documents import Position
from windlass_registry.errors import AuthorError, Problem
from windlass_runner.workflow.model import GpuRequest, JobInput, PushTrigger, Reuse, Workflow
from windlass_runner.workflow.parse import inspect_workflow, parse_workflow


def parse(text: str) -> Workflow:
    return parse_workflow(text, path="dir/w.yaml").workflow


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(AuthorError) as caught:
        parse(text)
    return caught.value.problems


def messages(text: str) -> list[str]:
    return [problem.message for problem in problems(text)]


JOB = "jobs: {one: {uses: script@v1}}\n"


def test_the_files_stem_is_the_name_where_none_is_given() -> None:
    assert parse(JOB).name == "w"
    assert parse("name: other\n" + JOB).name == "other"


def test_an_unquoted_on_is_a_key() -> None:
    (trigger,) = parse("on: push\n" + JOB).triggers
    assert isinstance(trigger, PushTrigger)
    assert trigger.at == Position(line=1, column=5)


@pytest.mark.parametrize("written", ["3.10", "1.0", "010", "1e3", "0x1F", "+5", "12345678901234567890"])
def test_numbers_that_would_change_keep_their_text(written: str) -> None:
    job = parse(f"jobs: {{one: {{uses: a@v1, with: {{version: {written}}}, env: {{V: {written}}}}}}}").jobs[
        "one"
    ]
    assert job.with_["version"] == written
    assert job.env["V"] == written


def test_ordinary_scalars_keep_their_type() -> None:
    job = parse(
        "jobs: {one: {uses: a@v1, with: {a: 3, b: 0.5, c: true, d: yes, e: , f: [1, {g: 2.50}]}}}"
    ).jobs["one"]
    assert job.with_ == {"a": 3, "b": 0.5, "c": True, "d": "yes", "e": None, "f": [1, {"g": "2.50"}]}


def test_gradients_bare_references_become_expressions() -> None:
    text = """
inputs: {epochs: {type: number}}
jobs:
  a: {uses: script@v1, outputs: {out: {type: string}}}
  b:
    needs: [a]
    uses: script@v1
    env: {S: secret:MY_KEY, O: a.outputs.out, I: workflow.inputs.epochs, ODD: 'secret:my key'}
    with: {url: context.event.github.url, ref: context.event.github.ref, plain: model.outputs.csv}
"""
    job = parse(text).jobs["b"]
    assert job.env == {
        "S": "${{ secrets.MY_KEY }}",
        "O": "${{ needs.a.outputs.out }}",
        "I": "${{ inputs.epochs }}",
        "ODD": "${{ secrets['my key'] }}",
    }
    assert job.with_ == {
        "url": "${{ github.url }}",
        "ref": "${{ github.sha }}",
        "plain": "model.outputs.csv",
    }


def test_references_inside_longer_text_stay_text() -> None:
    job = parse("jobs: {a: {uses: x@v1, with: {script: echo secret:KEY}, env: {A: see secret:KEY}}}").jobs[
        "a"
    ]
    assert job.with_ == {"script": "echo secret:KEY"}
    assert job.env == {"A": "see secret:KEY"}


def test_an_input_from_another_job_implies_the_need() -> None:
    text = """
jobs:
  a: {uses: x@v1, outputs: {o: {type: volume}}}
  b: {uses: x@v1, inputs: {i: a.outputs.o}}
  c: {uses: x@v1, inputs: {i: '${{ needs.a.outputs.o }}'}}
"""
    jobs = parse(text).jobs
    assert jobs["b"].needs == jobs["c"].needs == ("a",)
    assert jobs["b"].inputs == (JobInput(name="i", job="a", output="o", at=Position(line=4, column=31)),)
    assert (jobs["c"].inputs[0].job, jobs["c"].inputs[0].output) == ("a", "o")


def test_a_name_that_no_expression_can_spell_is_put_in_brackets() -> None:
    text = """
jobs:
  1st: {uses: x@v1, outputs: {o: {type: string}}}
  b: {needs: 1st, uses: x@v1, env: {A: 1st.outputs.o}}
"""
    assert parse(text).jobs["b"].env == {"A": "${{ needs['1st'].outputs.o }}"}


def test_inputs_of_workflow_dispatch_are_merged() -> None:
    inputs = parse(
        "on: {workflow_dispatch: {inputs: {a: {type: boolean, default: true}}}}\ninputs: {b: }\n" + JOB
    ).inputs
    assert inputs["a"].default is True
    assert inputs["b"].type == "string"


def test_a_condition_loses_its_braces() -> None:
    jobs = parse(
        "jobs: {a: {uses: x@v1, if: '${{ always() }}'}, b: {uses: x@v1, if: always()}, "
        "c: {uses: x@v1, if: false}}"
    ).jobs
    assert [job.condition for job in jobs.values()] == ["always()", "always()", "false"]


def test_amounts_are_read() -> None:
    job = parse("jobs: {a: {uses: x@v1, resources: {gpu: {memory: 40GB}, cpu: 500m, shm-size: 1Gi}}}").jobs[
        "a"
    ]
    assert job.resources.gpu == GpuRequest(count=1, memory_bytes=40 * 10**9)
    assert job.resources.cpu == 0.5
    assert job.resources.shm_bytes == 2**30


def test_reuse_has_three_states() -> None:
    jobs = parse("jobs: {a: {uses: x@v1, reuse: true}, b: {uses: x@v1, reuse: false}, c: {uses: x@v1}}").jobs
    assert [(job.reuse, job.no_reuse) for job in jobs.values()] == [
        (Reuse(), False),
        (None, True),
        (None, False),
    ]


def test_an_error_in_a_block_points_inside_it() -> None:
    text = "jobs:\n  a:\n    steps:\n      - run: |\n          one\n          two ${{ inputs.x }}\n"
    (problem,) = problems(text)
    assert (problem.line, problem.column) == (6, 19)


def test_an_error_in_a_folded_block_points_inside_it() -> None:
    text = "jobs:\n  a:\n    steps:\n      - run: >-\n          one ${{ 1 }}\n"
    text += "          two ${{ github.x &&\n            nope.x }}\n"
    (problem,) = problems(text)
    assert (problem.line, problem.column) == (7, 13)


def test_an_error_in_quoted_text_counts_the_quotation_mark() -> None:
    (problem,) = problems('name: x\nrun-name: "a ${{ nope.x }}"\n' + JOB)
    assert (problem.line, problem.column) == (2, 18)


def test_a_stranger_may_not_write_into_python() -> None:
    found = messages("jobs: {a: {steps: [{shell: python3, run: 'print(\"${{ event.title }}\")'}]}}")
    assert found == ["a stranger can set 'event.title', so it must not be pasted into Python text"]
    parse("jobs: {a: {steps: [{shell: bash, run: 'echo \"${{ event.title }}\"'}]}}")
    parse("jobs: {a: {steps: [{shell: python, run: 'print(${{ github.run_number }})'}]}}")


def test_text_that_looks_like_an_expression_is_a_warning() -> None:
    parsed = parse_workflow(
        "inputs: {x: }\njobs: {a: {uses: s@v1, env: {A: inputs.x, B: github.ref, C: github.com}}}", path="w"
    )
    assert [problem.column for problem in parsed.warnings] == [33, 46]
    assert all(problem.severity == "warning" for problem in parsed.warnings)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "~"])
def test_an_empty_file_says_so(text: str) -> None:
    assert messages(text) == ["the file is empty"]


@pytest.mark.parametrize("text", ["just text", "- a\n- b\n", "3"])
def test_a_file_that_is_no_mapping_says_so(text: str) -> None:
    assert messages(text) == ["a workflow must be a mapping"]


def test_too_many_jobs_are_refused() -> None:
    body = "\n".join(f"  j{n}: {{uses: x@v1}}" for n in range(10_001))
    assert messages("jobs:\n" + body) == ["the file has 10,001 jobs, more than 10,000"]


def test_too_many_combinations_are_refused_before_any_is_made() -> None:
    axes = ", ".join(f"a{n}: [{', '.join(map(str, range(100)))}]" for n in range(9))
    (message,) = messages(f"jobs: {{a: {{uses: x@v1, strategy: {{matrix: {{{axes}}}}}}}}}")
    assert "make 1,000,000,000,000,000,000 jobs" in message


def test_aliases_that_explode_are_refused() -> None:
    text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        text += f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n"
    assert "aliases expand" in messages(text + JOB)[0]


def test_binary_and_broken_yaml_have_their_place() -> None:
    with pytest.raises(AuthorError) as caught:
        parse_workflow(b"\x89PNG\r\n\x1a\n\0\0", path="w")
    assert caught.value.problems[0].line == 1
    assert problems("jobs:\n  a: [\n")[0].line == 3


def test_a_large_file_is_read_in_linear_time() -> None:
    def took(count: int) -> float:
        body = "\n".join(
            f"  j{n}:\n    needs: [{f'j{n - 1}' if n else ''}]\n    uses: x@v1\n    with:\n      script: |\n"
            f"        echo ${{{{ toJSON(needs) }}}}\n" + "        echo more\n" * 14
            for n in range(count)
        )
        start = time.process_time()
        parse("jobs:\n" + body)
        return time.process_time() - start

    took(50)
    few, many = took(500), took(2_000)
    assert many < max(few, 0.02) * 4 * 2.5


def test_defaults_know_no_job() -> None:
    found = messages(
        "defaults: {image: 'a:${{ matrix.x }}', retry: {limit: 1, when: needs.one.result}}\n" + JOB
    )
    assert found == [
        "'matrix' cannot be used here (a job's settings)",
        "'needs' cannot be used here (retry)",
    ]


def test_a_look_at_a_broken_file_gives_what_could_be_read_of_it() -> None:
    found = inspect_workflow("jobs: {a: {runs-on: x, uses: trian@v1}, b: {}}", path="w.yaml")
    assert found.is_broken
    assert found.workflow is not None
    assert found.workflow.jobs["a"].uses == "trian@v1"
    assert inspect_workflow("jobs: [", path="w.yaml").workflow is None


def test_the_inputs_of_a_reusable_workflow_are_not_reported_at_each_use() -> None:
    text = """
on: {workflow_call: {inputs: {plan: {type: string, required: true}}}}
jobs: {a: {uses: script@v1, env: {PLAN: '${{ inputs.plan }}'}, with: {script: x}}}
"""
    with pytest.raises(AuthorError) as caught:
        parse_workflow(text, path="w.yaml")
    assert [problem.message for problem in caught.value.problems] == ["'workflow_call' is not a key of 'on'"]
