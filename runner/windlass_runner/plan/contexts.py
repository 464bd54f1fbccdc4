"""The contexts that expressions see, built from the event. What strangers can set is marked so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

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
    owner, name = owner_and_name(event.repository)
    return {
        "event_name": event.kind,
        "event": untrusted(event.payload),
        "ref": Untrusted(ref),
        "ref_name": Untrusted(short),
        "ref_type": "tag" if is_tag else "branch",
        "head_ref": Untrusted(event.head_ref or ""),
        "base_ref": Untrusted(event.base_ref or ""),
        "sha": event.sha,
        "repository": f"{owner}/{name}" if owner else name,
        "repository_owner": owner,
        "url": event.repository,
        "actor": Untrusted(event.actor),
        "triggering_actor": Untrusted(event.actor),
        "workflow": workflow,
        "workflow_ref": f"{path}@{ref}",
        "workflow_sha": event.workflow_sha,
        "run_id": run_id,
        "run_number": str(run_number),
        "run_attempt": str(attempt),
        **_addresses(event.repository),
    }


def owner_and_name(address: str) -> tuple[str, str]:
    """The last two parts of a repository's address, as GitHub and its like name it."""
    rest, _, name = address.rstrip("/").removesuffix(".git").rpartition("/")
    return rest.rpartition("/")[2].rpartition(":")[2], name


def _addresses(repository: str) -> dict[str, str]:
    """The forge that the repository lies on; GitHub's own where that cannot be told."""
    parts = urlsplit(repository)
    if parts.scheme not in ("http", "https") or parts.hostname in (None, "github.com"):
        return {
            "server_url": "https://github.com",
            "api_url": "https://api.github.com",
            "graphql_url": "https://api.github.com/graphql",
        }
    port = f":{parts.port}" if parts.port else ""
    server = f"{parts.scheme}://{parts.hostname}{port}"
    return {"server_url": server, "api_url": f"{server}/api/v3", "graphql_url": f"{server}/api/graphql"}


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
