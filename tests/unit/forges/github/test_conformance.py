"""GitHub's own example payloads (`../shared/conformance/webhooks`), each with what it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from windlass_runner.forges.base import Command, ParsedDelivery
from windlass_runner.forges.github.deliveries import parse_delivery
from windlass_runner.forges.signatures import sign
from windlass_runner.workflow.events import NO_COMMIT, Event

SHARED = Path(__file__).resolve().parents[4].parent / "shared"
PAYLOADS = SHARED / "conformance" / "webhooks"
HELLO = "Codertocat/Hello-World"

EXPECTED: dict[str, dict[str, Any] | Command | None] = {
    # an event's fields, a command, or None for what starts nothing
    "check_run.requested_action": None,  # a button of somebody else's making
    "check_run.rerequested": Command(
        kind="rerun",
        repository="github/hello-world",
        actor="octocat",
        sha="d6fde92930d4715a2b49857d24b940956b26d2d3",
        is_button=True,
    ),
    "check_suite.rerequested": Command(
        kind="rerun",
        repository=HELLO,
        actor="octocoders-linter[bot]",
        sha="ec26c3e57ca3a959ca5aad62de7213c562f8c821",
        is_button=True,
    ),
    "create": {"kind": "create", "ref": "refs/tags/simple-tag", "sha": NO_COMMIT},
    "delete": {"kind": "delete", "ref": "refs/heads/master", "sha": NO_COMMIT},
    "installation.created": None,
    "issue_comment.created": None,  # on an issue, and it asks for nothing
    "ping": None,
    "pull_request.closed": {"action": "closed"},
    "pull_request.opened": {"action": "opened"},
    "pull_request.synchronize": {
        "action": "synchronize",
        "before": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
    },
    "push": {
        "kind": "push",
        "ref": "refs/tags/simple-tag",
        "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
        "sha": NO_COMMIT,
        "changed_paths": None,
    },
    "push.1": {
        "kind": "push",
        "ref": "refs/tags/simple-tag",
        "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
        "sha": NO_COMMIT,
        "changed_paths": None,
    },
    "push.with-new-branch": {
        "kind": "push",
        "ref": "refs/heads/master",
        "before": None,
        "sha": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
        "head_message": "Initial commit",
        "changed_paths": None,
    },
    "repository_dispatch": {
        "kind": "repository_dispatch",
        "repository": "octo-org/octo-repo",
        "action": "on-demand-test",
        "ref": "refs/heads/master",
        "sha": NO_COMMIT,
    },
    "workflow_dispatch": {
        "kind": "workflow_dispatch",
        "repository": "octo-org/octo-repo",
        "ref": "refs/heads/master",
        "sha": NO_COMMIT,
        "subject": ".github/workflows/hello-world-workflow.yml",
        "inputs": {"name": "Mona the Octocat"},
    },
}
PULL_REQUEST = {
    "kind": "pull_request",
    "number": 2,
    "ref": "refs/pull/2/head",
    "sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
    "head_ref": "changes",
    "base_ref": "master",
    "is_fork": False,
}
REPOSITORIES = {
    "check_run.requested_action": "electron/electron",
    "check_run.rerequested": "github/hello-world",
    "installation.created": "",
    "ping": "Octocoders/Hello-World",
    "repository_dispatch": "octo-org/octo-repo",
    "workflow_dispatch": "octo-org/octo-repo",
}


def parse(name: str) -> tuple[ParsedDelivery, dict[str, Any]]:
    body = (PAYLOADS / f"{name}.payload.json").read_bytes()
    headers = {
        "x-github-event": name.partition(".")[0],
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "x-hub-signature-256": sign(body, "hush"),
        "content-type": "application/json",
    }
    return parse_delivery(headers, body, ["hush"]), json.loads(body)


@pytest.mark.skipif(not SHARED.exists(), reason="there is no ../shared beside this repository")
def test_every_example_has_a_stated_meaning() -> None:
    assert {path.name.removesuffix(".payload.json") for path in PAYLOADS.iterdir()} == set(EXPECTED)


@pytest.mark.skipif(not SHARED.exists(), reason="there is no ../shared beside this repository")
@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_means_what_it_says(name: str) -> None:
    parsed, body = parse(name)
    assert parsed.id == "github:72d3162e-cc78-11e3-81ab-4c9367dc0958"
    assert parsed.kind == name.partition(".")[0]
    assert parsed.repository == REPOSITORIES.get(name, HELLO)
    match EXPECTED[name]:
        case None:
            assert (parsed.events, parsed.commands) == ((), ())
        case Command() as command:
            assert (parsed.events, parsed.commands) == ((), (command,))
        case fields:
            usual = {"repository": HELLO, "actor": "Codertocat", "payload": body}
            if parsed.kind == "pull_request":
                usual |= PULL_REQUEST
            assert parsed.events == (Event(**{**usual, **fields}),)
            assert parsed.commands == ()
