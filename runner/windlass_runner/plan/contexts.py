"""The contexts that expressions see, built from the event. What strangers can set is marked so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_runner.expressions.values import Untrusted, untrusted
from windlass_runner.workflow.events import Event


def github_context(
    event: Event, *, workflow: str, path: str, run_id: str = "", run_number: int = 0, attempt: int = 1
) -> dict[str, Any]:
    """The `github` context. Gradient's `url` stands in it too.

    Source: https://docs.github.com/actions/reference/accessing-contextual-information-about-workflow-runs
    """
    ref = event.ref or ""
    is_tag = ref.startswith("refs/tags/")
    short = ref.removeprefix("refs/heads/").removeprefix("refs/tags/").removeprefix("refs/")
    owner, _, _ = event.repository.rpartition("/")
    return {
        "event_name": event.kind,
        "event": untrusted(event.payload),
        "ref": Untrusted(ref),
        "ref_name": Untrusted(short),
        "ref_type": "tag" if is_tag else "branch",
        "head_ref": Untrusted(event.head_ref or ""),
        "base_ref": Untrusted(event.base_ref or ""),
        "sha": event.sha,
        "repository": event.repository,
        "repository_owner": owner.rpartition("/")[2],
        "url": event.repository,
        "actor": Untrusted(event.actor),
        "triggering_actor": Untrusted(event.actor),
        "workflow": workflow,
        "workflow_ref": f"{path}@{ref}",
        "workflow_sha": event.workflow_sha,
        "run_id": run_id,
        "run_number": str(run_number),
        "run_attempt": str(attempt),
    }


def event_contexts(
    event: Event,
    *,
    workflow: str,
    path: str,
    inputs: Mapping[str, Any],
    variables: Mapping[str, str],
) -> dict[str, Any]:
    """What is known before anything runs: `github`, `event`, `inputs`, `vars`. A fork's inputs are a
    stranger's."""
    return {
        "github": github_context(event, workflow=workflow, path=path),
        "event": untrusted(event.payload),
        "inputs": untrusted(inputs) if event.is_fork else dict(inputs),
        "vars": dict(variables),
    }
