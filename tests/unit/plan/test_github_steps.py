"""Steps of GitHub's own actions, as they are planned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError
from windlass_runner.plan.codec import dumps, loads
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.contexts import github_context
from windlass_runner.plan.images import images_of
from windlass_runner.plan.model import ContainerStep, NodeStep, Plan, PlannedStep, Stage
from windlass_runner.plan.steps import commands_of, is_like_githubs
from windlass_runner.run.action_stages import first_stages, last_stages
from windlass_runner.run.prepare import plan_run
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow

EVENT = Event(kind="push", repository="https://git.example.org:3000/acme/digits.git", sha="1" * 40)


def planned(root: Path, actions: Mapping[str, str], steps: str, **options: object) -> tuple[PlannedStep, ...]:
    for name, runs in actions.items():
        (root / name).mkdir()
        (root / name / "action.yml").write_text(f"name: {name}\nruns: {runs}\n")
    plan = plan_run(
        parse_workflow(f"jobs: {{job: {{steps: {steps}}}}}", path="w.yaml"),
        event=EVENT,
        reason="",
        root=root,
        pins=None,
        catalog=Catalog.of_builtin(),
        options=PlanOptions(**options),  # type: ignore[arg-type]
    )
    assert loads(Plan, dumps(plan)) == plan
    return plan.specs["job"].steps


def test_a_javascript_action_runs_in_the_image_of_its_kind_or_of_the_settings(tmp_path: Path) -> None:
    actions = {"a": "{using: node20, main: m.js}", "b": "{using: node24, main: m.js}"}
    steps = planned(tmp_path, actions, "[{uses: ./a}, {uses: ./b}]", node_images={"node24": "mine:24"})
    assert [step.image for step in steps if isinstance(step, NodeStep)] == [
        "node:20-bookworm-slim",
        "mine:24",
    ]


def test_actions_that_unfold_to_millions_of_steps_are_refused_without_unfolding_them(tmp_path: Path) -> None:
    actions = {"a0": "{using: composite, steps: [{run: x, shell: sh}]}"}
    for number in range(1, 7):
        inner = ", ".join([f"{{uses: ./a{number - 1}}}"] * 40)
        actions[f"a{number}"] = f"{{using: composite, steps: [{inner}]}}"
    with pytest.raises(AuthorError, match="the job 'job' has more than 2,000 steps") as caught:
        planned(tmp_path, actions, "[{run: x}, {uses: ./a6}]")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (1, 39)


def test_stages_stand_in_order_before_and_in_reverse_after(tmp_path: Path) -> None:
    actions = {
        "a": "{using: node20, main: m.js, pre: p.js, post: q.js, post-if: '${{ success() }}'}",
        "b": "{using: docker, image: Dockerfile, pre-entrypoint: /p, post-entrypoint: /q, pre-if: failure()}",
        "c": "{using: composite, steps: [{id: in, uses: ./b}, {run: x, shell: sh}]}",
    }
    steps = planned(tmp_path, actions, "[{uses: ./a}, {id: c, uses: ./c}, {uses: ./a}]")
    assert [one.path for one in first_stages(steps)] == ["1", "c/in", "3"]
    assert [one.path for one in last_stages(steps)] == ["3", "c/in", "1"]
    assert first_stages(steps)[1].stage == Stage(program="/p", condition="failure()")
    assert last_stages(steps)[0].stage == Stage(program="q.js", condition="success()")
    assert commands_of(steps) == 4 + 6


@pytest.mark.parametrize(
    ("runs", "with_", "expected"),
    [
        ("{image: 'docker://x'}", "{args: 'a \"b c\"', entrypoint: /e}", ("/e", ["a", "b c"])),
        ("{image: 'docker://x', args: [d], entrypoint: /own}", "{args: a, entrypoint: /e}", ("/e", ["d"])),
        ("{image: 'docker://x', args: [d], entrypoint: /own}", "{}", ("/own", ["d"])),
        (
            "{image: 'docker://x'}",
            "{args: '--to=${{ github.ref }} ${{ env.A }}'}",
            (None, ["--to=${{ github.ref }}", "${{ env.A }}"]),
        ),
        ("{image: 'docker://x'}", "{args: it's}", (None, ["it's"])),
        ("{image: 'docker://x'}", "{}", (None, None)),
    ],
)
def test_every_docker_action_may_be_given_arguments_and_an_entrypoint(
    runs: str, with_: str, expected: tuple[object, object], tmp_path: Path
) -> None:
    actions = {"a": runs.replace("{", "{using: docker, ", 1)}
    (step,) = planned(tmp_path, actions, f"[{{uses: ./a, with: {with_}}}]")
    assert isinstance(step, ContainerStep)
    assert (step.entrypoint, step.args) == expected
    assert step.inputs == {}


def test_who_brings_an_image_finds_githubs_folders_who_runs_yours_does_not(tmp_path: Path) -> None:
    actions = {"a": "{using: docker, image: 'docker://x'}", "n": "{using: node20, main: m.js}"}
    own, node, yours = planned(
        tmp_path, actions, "[{uses: ./a}, {uses: ./n}, {uses: container@v1, with: {image: y, command: z}}]"
    )
    assert [is_like_githubs(step) for step in (own, node, yours)] == [True, True, False]  # type: ignore[arg-type]


def test_an_image_that_is_built_is_shown_as_its_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "action.yml").write_text("name: A\nruns: {using: docker, image: ./Dockerfile}")
    plan = plan_run(
        parse_workflow("jobs: {job: {uses: ./a}}", path="w.yaml"),
        event=EVENT,
        reason="",
        root=tmp_path,
        pins=None,
        catalog=Catalog.of_builtin(),
        options=PlanOptions(),
    )
    assert images_of(plan.specs["job"], {}) == ("./a/Dockerfile",)


@pytest.mark.parametrize(
    ("address", "repository", "server"),
    [
        ("https://github.com/acme/digits.git", "acme/digits", "https://github.com"),
        ("git@github.com:acme/digits.git", "acme/digits", "https://github.com"),
        ("https://git.example.org:3000/acme/digits", "acme/digits", "https://git.example.org:3000"),
        ("https://user:word@git.example.org/group/acme/digits/", "acme/digits", "https://git.example.org"),
        ("file:///srv/git/digits.git", "git/digits", "https://github.com"),
    ],
)
def test_a_repository_is_named_as_github_names_it(address: str, repository: str, server: str) -> None:
    event = Event(kind="push", repository=address, sha="1" * 40)
    found = github_context(event, workflow="w", path="w.yaml")
    assert (found["repository"], found["server_url"]) == (repository, server)
    assert found["repository_owner"] == repository.partition("/")[0]
