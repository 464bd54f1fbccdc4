"""Graphs of jobs (`using: workflow`): what is wrong with them, and with how they are used, at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass_registry.catalog import Catalog
from windlass_registry.errors import Problem
from windlass_runner.run.looking_up import look_up_actions
from windlass_runner.workflow.parse import parse_workflow

HEAD = "name: Flow\nversion: 1.0.0\n"
RUNS = "runs:\n  using: workflow\n  jobs:\n"
FINE = HEAD + RUNS + "    a: {steps: [{run: echo}]}\n"


def problems(root: Path, workflow: str, **manifests: str) -> list[Problem]:
    """What is wrong with a workflow that uses graphs in these folders (`__` stands for '/')."""
    for folder, manifest in manifests.items():
        place = root / folder.replace("__", "/") / "action.yml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(manifest)
    parsed = parse_workflow(workflow, path="w.yaml").workflow
    _, found = look_up_actions(parsed, root=root, pins=None, catalog=Catalog.of_builtin())
    return list(found)


def told(found: list[Problem]) -> list[str]:
    return [f"{each.path}:{each.line}:{each.column}: {each.message}" for each in found]


def test_a_graph_that_is_fine_says_nothing(tmp_path: Path) -> None:
    assert problems(tmp_path, "jobs: {x: {uses: ./flow}}", flow=FINE) == []


@pytest.mark.parametrize(
    ("jobs", "at", "message"),
    [
        ("a: {needs: [b], steps: [{run: x}]}", "6:17", "unknown job 'b' in what 'a' needs"),
        ("a: {steps: [{run: x}], environment: prod}", "6:28", "a job of a graph has no 'environment'"),
        ("a: {steps: [{run: x}], concurrency: one}", "6:28", "a job of a graph has no 'concurrency'"),
        ("a: {steps: [{run: 'x ${{ inputs.y }}'}]}", "6:30", "unknown workflow input 'y'"),
        ("a: {steps: [{run: 'x ${{ secrets.Y }}'}]}", "6:30", "a graph cannot name a secret of the"),
        ("a: {steps: [{run: x}], retry: {limit: 1, when: inputs.y}}", "6:52", "unknown workflow input 'y'"),
        ("a: {steps: [{run: x}], env: {Y: secret:Z}}", "6:37", "a graph cannot name a secret of the"),
        (
            "a: {steps: [{uses: script@v1, with: {script: x, imag: y}}]}",
            "6:53",
            "'script@v1' has no input 'imag'",
        ),
    ],
)
def test_what_is_wrong_with_a_job_is_told_at_its_place_in_the_manifest(
    tmp_path: Path, jobs: str, at: str, message: str
) -> None:
    found = told(problems(tmp_path, "jobs: {x: {uses: ./flow}}", flow=f"{HEAD}{RUNS}    {jobs}\n"))
    assert found[0].startswith(f"flow/action.yml:{at}: {message}"), found


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("{value: '${{ jobs.b.outputs.m }}'}", "the graph has no job 'b'"),
        ("{value: a.outputs.n}", "the job 'a' declares no output 'n'"),
        ("{value: fixed}", "the output 'o' is a fixed text, and names no job"),
        ("{description: none}", "the output 'o' of a graph does not say which job it is from"),
        ("{value: '${{ needs.a.outputs.m }}'}", "'needs' cannot be used here (outputs of a graph)"),
        ("{value: a.outputs.m, type: string}", "the output 'o' is of the type volume at its job 'a'"),
        ("{value: 'x ${{ jobs.a.result }}', type: volume}", "the output 'o' is a text that is put together"),
    ],
)
def test_outputs_are_taken_from_jobs_that_have_them(tmp_path: Path, output: str, message: str) -> None:
    job = "    a: {steps: [{run: x}], outputs: {m: {type: volume}}}\n"
    manifest = f"{HEAD}outputs:\n  o: {output}\n{RUNS}{job}"
    found = problems(tmp_path, "jobs: {x: {uses: ./flow}}", flow=manifest)
    assert [each.message[: len(message)] for each in found] == [message]
    assert (found[0].path, found[0].line) == ("flow/action.yml", 4)
    assert found[0].remedy


def test_two_jobs_of_one_name_are_told(tmp_path: Path) -> None:
    found = told(problems(tmp_path, "jobs: {x: {uses: ./flow}}", flow=FINE + "    a: {steps: [{run: y}]}\n"))
    assert found == ["flow/action.yml:7:5: 'a' stands twice in 'jobs'"]


def test_a_graph_is_no_step(tmp_path: Path) -> None:
    found = problems(tmp_path, "jobs: {x: {steps: [{uses: ./flow}]}}", flow=FINE)
    assert told(found) == ["w.yaml:1:27: './flow' is a graph of jobs, which stands for a job and is no step"]
    assert found[0].remedy == "write 'uses: ./flow' at a job of its own, and let this one need it"


def test_nor_is_it_one_in_an_action_of_several_steps(tmp_path: Path) -> None:
    steps = "name: s\nruns: {using: composite, steps: [{uses: ./flow}]}\n"
    found = problems(tmp_path, "jobs: {x: {uses: ./steps}}", flow=FINE, steps=steps)
    assert told(found) == [
        "w.yaml:1:18: './steps' uses './flow' as a step, which is a graph of jobs and stands for a job"
    ]


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ("image: x", "has no 'image' of its own"),
        ("environment: prod", "has no 'environment' of its own"),
        ("continue-on-error: true", "has no 'continue-on-error' of its own"),
        ("checkout: false", "has no 'checkout' of its own"),
        ("strategy: {matrix: {a: [1]}, max-parallel: 1}", "its matrix has no 'max-parallel'"),
        ("with: {n: x}", "'./flow' has no input 'n'"),
        ("outputs: {n: {type: string}}", "'./flow' has no output 'n'"),
        ("outputs: {o: {type: string}}", "the output 'o' of './flow' is of the type volume"),
        ("with: {data: x}", "the input 'data' of './flow' is of the type volume: 'with' cannot hand it on"),
        ("with: {plain: secret:X}", "'./flow' may not be given a secret as 'plain'"),
        ("inputs: {plain: secret:X}", "'./flow' may not be given a secret as 'plain'"),
        ("with: {token: 'x${{ secrets.X }}'}", "a secret is part of the input 'token'"),
        ("with: {plain: '${{ env.X }}'}", "'env' cannot be used in what a graph of jobs is given"),
        ("with: {plain: \"${{ hashFiles('x') }}\"}", "'hashFiles' cannot be used in what a graph"),
    ],
)
def test_what_does_not_belong_at_a_graph_is_refused(tmp_path: Path, beside: str, message: str) -> None:
    manifest = (
        f"{HEAD}inputs: {{data: {{type: volume}}, plain: {{}}, token: {{}}}}\n"
        f"permissions: {{secrets: [token]}}\noutputs: {{o: {{value: a.outputs.m}}}}\n"
        f"{RUNS}    a: {{steps: [{{run: x}}], outputs: {{m: {{type: volume}}}}}}\n"
    )
    found = problems(tmp_path, f"jobs:\n  x:\n    uses: ./flow\n    {beside}\n", flow=manifest)
    assert len(found) == 1
    assert message in found[0].message
    assert found[0].line in (3, 4)
    assert found[0].remedy


def test_a_secret_that_a_graph_is_handed_is_used_where_secrets_are(tmp_path: Path) -> None:
    inputs = "inputs: {token: {}}\npermissions: {secrets: [token]}\n"
    jobs = """\
    a: {if: inputs.token != '', steps: [{run: x}]}
    b: {inputs: {t: workflow.inputs.token}, steps: [{run: x}]}
    c: {timeout-minutes: '${{ inputs.token }}', steps: [{run: x}]}
    d: {retry: {limit: 1, when: inputs.token == 1}, steps: [{run: x}]}
"""
    manifest = f"{HEAD}{inputs}{RUNS}{jobs}"
    found = problems(tmp_path, "jobs: {x: {uses: ./flow, with: {token: secret:X}}}", flow=manifest)
    assert [each.message for each in found] == [
        f"the input 'token' may be a secret, and cannot be used here ({place})"
        for place in ("if", "inputs of a job", "a job's settings", "retry")
    ]


def test_a_default_takes_nobodys_secret(tmp_path: Path) -> None:
    inputs = "inputs:\n  token: {default: '${{ secrets.HUB }}'}\n"
    manifest = f"{HEAD}{inputs}{RUNS}    a: {{steps: [{{run: x}}]}}\n"
    found = told(problems(tmp_path, "jobs: {x: {uses: ./flow}}", flow=manifest))
    assert found == [
        "flow/action.yml:4:20: 'secrets' cannot be used in the default of the input 'token' of a graph"
    ]


def test_a_folder_of_its_own_is_below_it(tmp_path: Path) -> None:
    def flow(uses: str) -> list[str]:
        jobs = f"    a: {{uses: {uses}}}\n"
        return told(problems(tmp_path, "jobs: {x: {uses: ./flow}}", flow=HEAD + RUNS + jobs, flow__in=FINE))

    assert flow("./in") == flow("$/in") == []
    assert flow("./on") == ["flow/action.yml:6:15: the package has no action in its folder './on'"]
    assert flow("./../up") == ["flow/action.yml:6:15: './../up' goes upwards"]
    assert flow("./") == ["flow/action.yml:6:15: the graph uses its own package's root, which is itself"]


def test_what_is_wrong_with_a_graph_in_a_graph_is_told_in_its_own_file(tmp_path: Path) -> None:
    outer = HEAD + RUNS + "    a: {uses: ./in, image: x}\n"
    inner = HEAD + RUNS + "    b: {needs: [c], steps: [{run: x}]}\n"
    found = told(problems(tmp_path, "jobs: {x: {uses: ./flow}}", flow=outer, flow__in=inner))
    assert [each.partition(": ")[0] for each in found] == ["flow/action.yml:6:15", "flow/in/action.yml:6:17"]


def test_graphs_stand_within_each_other_so_deep_and_no_deeper(tmp_path: Path) -> None:
    def deep(levels: int) -> list[str]:
        jobs = "    a: {uses: ./in}\n"
        folders = ["__".join(["flow", *["in"] * level]) for level in range(levels)]
        manifests = dict.fromkeys(folders[:-1], HEAD + RUNS + jobs) | {folders[-1]: FINE}
        return told(problems(tmp_path, "jobs: {x: {uses: ./flow}}", **manifests))

    assert deep(10) == []
    assert len(deep(11)) == 1
    assert "more than 10 graphs stand within each other" in deep(11)[0]
