"""Which events start a workflow, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from windlass_runner.workflow.events import NO_COMMIT, Event
from windlass_runner.workflow.model import Workflow
from windlass_runner.workflow.parse import parse_workflow
from windlass_runner.workflow.triggers import Match, match, skip_word

SHA = "a" * 40


def workflow(on: str) -> Workflow:
    text = f"on: {on}\njobs: {{one: {{uses: script@v1}}}}\n" if on else "jobs: {one: {uses: script@v1}}\n"
    return parse_workflow(text, path="w.yaml").workflow


def push(ref: str = "refs/heads/main", **changes: Any) -> Event:
    values: Mapping[str, Any] = {
        "kind": "push",
        "repository": "r",
        "ref": ref,
        "sha": SHA,
        "before": "b" * 40,
        **changes,
    }
    return Event(**values)


def pull_request(action: str = "opened", base: str = "main", **changes: Any) -> Event:
    ref = "refs/pull/1/merge"
    return push(ref, **{"kind": "pull_request", "action": action, "base_ref": base, **changes})


def decide(on: str, event: Event) -> Match:
    return match(workflow(on), event)


def test_gradients_filter_takes_a_push_to_its_branch() -> None:
    on = "{github: {branches: {only: main}}}"
    assert decide(on, push()).runs
    assert not decide(on, push("refs/heads/dev")).runs
    assert not decide(on, push("refs/tags/v1")).runs


def test_gradients_filter_takes_a_list() -> None:
    on = "{github: {branches: {only: [main, dev]}}}"
    assert decide(on, push("refs/heads/dev")).runs
    assert not decide(on, push("refs/heads/other")).runs


def test_the_reason_names_the_filter_that_refused() -> None:
    found = decide("{push: {branches: [main]}}", push("refs/heads/dev"))
    assert found == Match(trigger=None, reason="push to refs/heads/dev: branches [main] do not include it")


def test_the_reason_names_the_filter_that_matched() -> None:
    found = decide("{push: {branches: ['release/**']}}", push("refs/heads/release/1/x"))
    assert found.reason == "push to refs/heads/release/1/x matches branches [release/**]"


def test_push_without_filters_takes_branches_and_tags() -> None:
    assert decide("push", push()).runs
    assert decide("push", push("refs/tags/v1")).runs
    assert not decide("push", push("refs/notes/x")).runs


def test_with_branches_alone_a_tag_does_not_run_and_the_other_way_round() -> None:
    assert not decide("{push: {branches: ['**']}}", push("refs/tags/v1")).runs
    assert not decide("{push: {branches-ignore: [dev]}}", push("refs/tags/v1")).runs
    assert not decide("{push: {tags: ['**']}}", push()).runs
    assert not decide("{push: {tags-ignore: [v1]}}", push()).runs
    assert decide("{push: {branches: [main], tags: [v*]}}", push("refs/tags/v1")).runs
    assert decide("{push: {branches: [main], tags: [v*]}}", push()).runs


def test_the_order_of_patterns_decides() -> None:
    on = "{push: {branches: ['releases/**', '!releases/**-alpha', 'releases/keep-alpha']}}"
    assert decide(on, push("refs/heads/releases/10")).runs
    assert not decide(on, push("refs/heads/releases/10-alpha")).runs
    assert decide(on, push("refs/heads/releases/keep-alpha")).runs


def test_ignored_branches_and_tags_do_not_run() -> None:
    assert not decide("{push: {branches-ignore: ['dev/**']}}", push("refs/heads/dev/x")).runs
    assert decide("{push: {branches-ignore: ['dev/**']}}", push()).runs
    assert not decide("{push: {tags-ignore: [v1.*]}}", push("refs/tags/v1.2")).runs


def test_one_changed_file_that_matches_is_enough() -> None:
    on = "{push: {paths: ['src/**', '!src/docs/**']}}"
    assert decide(on, push(changed_paths=("README.md", "src/a.py"))).runs
    refused = decide(on, push(changed_paths=("README.md", "src/docs/a.md")))
    assert not refused.runs
    assert refused.is_by_paths
    elsewhere = push("refs/tags/v1", changed_paths=("README.md",), head_message="[skip ci]")
    assert not decide("{push: {branches: [main], paths: [x]}}", elsewhere).is_by_paths


def test_paths_that_are_all_ignored_do_not_run() -> None:
    on = "{push: {paths-ignore: ['**.md']}}"
    refused = decide(on, push(changed_paths=("a.md", "docs/b.md")))
    assert (
        refused.reason == "push to refs/heads/main: paths-ignore [**.md] include all of the 2 files changed"
    )
    assert decide(on, push(changed_paths=("a.md", "b.py"))).runs


def test_unknown_or_too_many_changed_files_count_as_a_match() -> None:
    on = "{push: {paths: [src/**]}}"
    assert decide(on, push(changed_paths=None)).runs
    assert decide(on, push(changed_paths=tuple(f"docs/{n}" for n in range(301)))).runs
    assert not decide(on, push(changed_paths=tuple(f"docs/{n}" for n in range(300)))).runs


def test_paths_are_not_compared_for_tags() -> None:
    assert decide("{push: {paths: [src/**], tags: ['*']}}", push("refs/tags/v1", changed_paths=("x",))).runs


def test_branch_and_path_filters_must_both_match() -> None:
    on = "{push: {branches: [main], paths: ['src/**']}}"
    assert not decide(on, push("refs/heads/dev", changed_paths=("src/a",))).runs
    assert not decide(on, push(changed_paths=("docs/a",))).runs


def test_a_new_branch_runs_and_a_deleted_one_never_does() -> None:
    made = push(before=NO_COMMIT)
    assert made.is_creation
    assert decide("push", made).runs
    gone = decide("push", push(sha=NO_COMMIT))
    assert gone.reason == "push to refs/heads/main: the ref was deleted"


@pytest.mark.parametrize("word", ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"])
def test_the_usual_words_skip_a_push_and_a_pull_request(word: str) -> None:
    message = f"Mend the thing {word.upper()}"
    assert decide("push", push(head_message=message)).reason == f"the head commit's message says {word}"
    assert not decide("pull_request", pull_request(head_message=message)).runs


def test_the_trailer_skips_only_as_a_trailer() -> None:
    assert skip_word("Title\n\nBody\n\n\nskip-checks: true") == "skip-checks: true"
    assert skip_word("Title\n\nSigned-off-by: x\nskip-checks:true\n") == "skip-checks: true"
    assert skip_word("Title skip-checks: true") is None
    assert skip_word("Title\n\nskip-checks: true\n\nmore words") is None
    assert skip_word("Title") is None


def test_skip_words_do_not_skip_what_is_started_by_hand() -> None:
    event = push(kind="workflow_dispatch", head_message="x [skip ci]")
    assert decide("workflow_dispatch", event).runs
    assert decide("", event).reason == "started by hand"


def test_without_on_nothing_but_a_hand_starts_it() -> None:
    found = decide("", push())
    assert found.reason == "push to refs/heads/main: the workflow has no 'on', so it is started by hand only"


def test_an_event_that_on_does_not_name_does_not_run() -> None:
    assert decide("pull_request", push()).reason == "push to refs/heads/main: 'on' names only pull_request"


def test_a_pull_request_is_matched_by_type_base_and_paths() -> None:
    assert decide("pull_request", pull_request("synchronize")).runs
    refused = decide("pull_request", pull_request("labeled"))
    assert refused.reason.endswith("types [opened, synchronize, reopened] do not include it")
    assert decide("{pull_request: {types: [labeled]}}", pull_request("labeled")).runs
    on = "{pull_request: {branches: [main], paths: [src/**]}}"
    assert decide(on, pull_request(changed_paths=("src/x",))).runs
    assert not decide(on, pull_request(base="dev", changed_paths=("src/x",))).runs
    assert not decide(on, pull_request(changed_paths=("docs/x",))).runs


def test_other_events_are_matched_by_their_subject() -> None:
    due = push(kind="schedule", schedule="0 3 * * *")
    assert decide("{schedule: [{cron: '0 4 * * *'}, {cron: '0 3 * * *'}]}", due).runs
    assert not decide("{schedule: [{cron: '0 4 * * *'}]}", due).runs
    assert decide("{webhook: nightly}", push(kind="webhook", subject="nightly")).runs
    assert not decide("{webhook: nightly}", push(kind="webhook", subject="other")).runs
    version = push(kind="dataset", subject="digits", tag="v2")
    assert decide("{dataset: digits}", version).runs
    assert decide("{dataset: 'digits:v2'}", version).runs
    assert not decide("{dataset: 'digits:v3'}", version).runs
    assert not decide("{dataset: letters}", version).runs
    assert decide("{issue_comment: {types: [created]}}", push(kind="issue_comment", action="created")).runs
    assert not decide("{issue_comment: {types: [edited]}}", push(kind="issue_comment", action="created")).runs


def test_another_workflows_end_is_matched_by_name_conclusion_and_branch() -> None:
    on = "{workflow_run: {workflows: [train], conclusions: [success], branches: [main]}}"
    ended = push(kind="workflow_run", subject="train", conclusion="success", action="completed")
    assert decide(on, ended).runs
    assert not decide(on, push(kind="workflow_run", subject="other", conclusion="success")).runs
    assert not decide(on, push(kind="workflow_run", subject="train", conclusion="failure")).runs
    assert not decide(
        on, push("refs/heads/x", kind="workflow_run", subject="train", conclusion="success")
    ).runs


def test_an_event_survives_json() -> None:
    event = pull_request(
        changed_paths=("a", "b"), payload={"x": [1, {"y": None}]}, inputs={"n": 1}, is_fork=True, number=7
    )
    assert Event.from_json(event.to_json()) == event
    assert Event.from_json({**event.to_json(), "of_a_later_version": 1}) == event
    assert Event.from_json(push().to_json()).changed_paths is None
