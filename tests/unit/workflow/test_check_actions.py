"""`with` against the manifests of the actions."""

from __future__ import annotations

from typing import Any

from windlass_registry.manifest import ActionInput, ActionManifest, ApprovalRuns, DockerRuns, NodeRuns
from windlass_runner.workflow.lint import check_actions
from windlass_runner.workflow.parse import parse_workflow


def manifest(*inputs: ActionInput, **changes: Any) -> ActionManifest:
    values = {
        "name": "x",
        "inputs": {item.name: item for item in inputs},
        "runs": NodeRuns(using="node20", main="x.js"),
    }
    return ActionManifest(**{**values, **changes})


SCRIPT = manifest(
    ActionInput(name="script", required=True, code="shell"),
    ActionInput(name="image", type="string"),
    ActionInput(name="ref", aliases=("branch",)),
    ActionInput(name="epochs", type="number"),
    ActionInput(name="fast", type="boolean"),
    ActionInput(name="mode", type="choice", options=("a", "b")),
    ActionInput(name="args", type="list"),
    ActionInput(name="shell"),
)


def check(values: str, action: ActionManifest = SCRIPT) -> list[str]:
    text = f"jobs:\n  one:\n    uses: script@v1\n    with: {values}\n"
    workflow = parse_workflow(text, path="w.yaml").workflow
    return [str(problem) for problem in check_actions(workflow, {"script@v1": action})]


def test_values_that_fit_are_no_problem() -> None:
    assert check("{script: x, epochs: 3, fast: true, mode: a, args: [1, 2], branch: main}") == []
    assert (
        check("{script: x, epochs: '3.10', fast: 'TRUE', mode: '${{ inputs.m }}'}".replace("inputs.m", "1"))
        == []
    )


def test_an_undeclared_input_has_its_place_and_the_nearest_name() -> None:
    assert check("{script: x, imgae: y}") == [
        "w.yaml:4:23: 'script@v1' has no input 'imgae'; did you mean 'image'?"
    ]


def test_an_input_that_is_deprecated_is_taken_with_a_warning() -> None:
    action = manifest(
        ActionInput(name="token", deprecated="use 'secret'"), ActionInput(name="old", deprecated="")
    )
    assert check("{token: x, old: y}", action) == [
        "w.yaml:4:12: warning: the input 'token' of 'script@v1' is deprecated; use 'secret'",
        "w.yaml:4:22: warning: the input 'old' of 'script@v1' is deprecated",
    ]
    assert check("{}", action) == []


def test_a_required_input_may_not_be_left_out() -> None:
    assert check("{image: y}") == [
        "w.yaml:3:11: 'script@v1' needs the input 'script'; write it under 'with': script: …"
    ]


def test_a_value_of_the_wrong_type_is_refused() -> None:
    found = check("{script: x, epochs: many, fast: maybe, mode: c, image: [a], args: {a: 1}}")
    assert [text.split(": ", 1)[1] for text in found] == [
        "'epochs' must be a number, not 'many'",
        "'fast' must be true or false, not 'maybe'",
        "'mode' must be one of a, b, not 'c'",
        "'image' must be text",
        "'args' must be text or a list",
    ]


def test_an_input_and_its_older_spelling_together_are_refused() -> None:
    assert "'branch' and 'ref' are the same input" in check("{script: x, ref: a, branch: b}")[0]


def test_undeclared_inputs_of_untyped_actions_are_refused_too() -> None:
    action = manifest(ActionInput(name="path"))
    assert "has no input 'pth'" in check("{pth: x}", action)[0]
    assert check("{path: 3}", action) == []


def test_a_docker_action_takes_githubs_args_and_entrypoint() -> None:
    action = manifest(runs=DockerRuns(image="docker://x"))
    assert check("{args: a b, entrypoint: /x}", action) == []
    assert len(check("{other: a}", action)) == 1


def test_a_strangers_value_in_python_code_is_refused() -> None:
    python = manifest(ActionInput(name="script", code="python"))
    assert (
        "a stranger can set 'github.head_ref'"
        in check("{script: 'print(\"${{ github.head_ref }}\")'}", python)[0]
    )
    assert "a stranger can set" in check("{shell: python, script: '${{ event.title }}'}")[0]
    assert check("{script: 'echo ${{ event.title }}'}") == []


def test_steps_are_checked_and_unknown_actions_left_aside() -> None:
    text = "jobs:\n  one:\n    steps:\n      - uses: script@v1\n        with: {scirpt: x}\n"
    text += "      - uses: other@v1\n"
    workflow = parse_workflow(text, path="w.yaml").workflow
    found = check_actions(workflow, {"script@v1": SCRIPT})
    assert [(problem.line, problem.column) for problem in found] == [(4, 15), (5, 16)]


def test_an_approval_is_a_job_of_its_own_that_deploys_nothing() -> None:
    text = """jobs:
  one:
    steps: [{run: x}, {uses: ask@v1}]
  two: {uses: ask@v1, environment: production}
  three: {uses: ask@v1}
"""
    workflow = parse_workflow(text, path="w.yaml").workflow
    found = check_actions(workflow, {"ask@v1": manifest(runs=ApprovalRuns())})
    assert [str(problem) for problem in found] == [
        "w.yaml:3:30: an approval is no step; write 'uses: ask@v1' at a job of its own, "
        "and let this one need it",
        "w.yaml:4:15: an approval deploys to no environment; write 'environment' at the job that deploys",
    ]
