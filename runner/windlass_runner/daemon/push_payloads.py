"""What a workflow sees of a push as `github.event`, however it was heard of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from windlass_runner.forges.git_objects import Commit
from windlass_runner.plan.contexts import owner_and_name
from windlass_runner.workflow.events import NO_COMMIT, Event

_COMMITS_KEPT: Final = 50
"""Of the list of a push's commits, with every run that it starts; GitHub sends up to 2,048."""


def push_payload(event: Event, commit: Commit) -> dict[str, Any]:
    """All that the forge told, if one did, but for older commits; what matters of it as git has it.

    By the names of https://docs.github.com/en/webhooks/webhook-events-and-payloads#push.
    """
    author = {"name": commit.author_name, "email": commit.author_email}
    owner, name = owner_and_name(event.repository)
    told = dict(event.payload)
    if isinstance(commits := told.get("commits"), list):
        told["commits"] = commits[-_COMMITS_KEPT:]
    head = told.get("head_commit")
    is_told = isinstance(head, Mapping) and head.get("id") == commit.sha
    return {
        **told,
        "ref": event.ref,
        "before": event.before or NO_COMMIT,
        "after": event.sha,
        "created": event.is_creation,
        "deleted": event.is_deletion,
        "pusher": {"name": event.actor or commit.author_name, **_object(told, "pusher")},
        "repository": {
            "name": name,
            "full_name": f"{owner}/{name}" if owner else name,
            "url": event.repository,
            **_object(told, "repository"),
        },
        "head_commit": head if is_told else {"id": commit.sha, "message": commit.message, "author": author},
    }


def _object(told: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = told.get(key)
    return found if isinstance(found, Mapping) else {}
