"""A check as GitHub takes it: pure translation into the bodies of requests, cut to GitHub's limits.

The limits are those of https://docs.github.com/en/rest/checks/runs. "65535 characters" are bytes of
UTF-8 to the server that counts them ("exceeds a maximum bytesize of 65535").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from windlass_runner.forges.base import Check, CheckAction, CheckAnnotation, CheckState
from windlass_runner.forges.commit_statuses import web_address

Body = dict[str, Any]
Key = tuple[Any, ...]

MOST_ANNOTATIONS: Final = 50
_LONGEST_TEXT_BYTES: Final = 65_535
_LONGEST_MESSAGE_BYTES: Final = 65_535
_LONGEST_TITLE: Final = 255
_MOST_ACTIONS: Final = 3
_NO_FILE: Final = ".github"
"""The path of annotations without one, as GitHub's own runner writes them: a path must not be empty."""
_STATES: Final[Mapping[CheckState, tuple[str, str | None]]] = {
    "queued": ("queued", None),
    "waiting": ("completed", "action_required"),
    "running": ("in_progress", None),
    "success": ("completed", "success"),
    "failure": ("completed", "failure"),
    "cancelled": ("completed", "cancelled"),
    "skipped": ("completed", "skipped"),
    "timed_out": ("completed", "timed_out"),
    "neutral": ("completed", "neutral"),
}


def github_state(state: CheckState) -> tuple[str, str | None]:
    """`status` and `conclusion`. What waits for somebody's approval asks for action."""
    return _STATES[state]


def to_body(check: Check) -> Body:
    """All of a check but its annotations, for `POST` and `PATCH` alike."""
    status, conclusion = github_state(check.state)
    output = {
        "title": cut_line(check.title, _LONGEST_TITLE) or check.name,
        "summary": cut_text(check.summary),
        "text": cut_text(check.text),
    }
    times = {
        "started_at": stamp(check.started_at),
        "completed_at": stamp(check.completed_at) if conclusion else None,
    }
    optional = {"conclusion": conclusion, "details_url": web_address(check.url), **times}
    return {
        "name": check.name,
        "external_id": check.external_id,
        "status": status,
        "output": output,
        "actions": [_action(action) for action in check.actions[:_MOST_ACTIONS]],
        **{key: value for key, value in optional.items() if value is not None},
    }


def replaced_body() -> Body:
    """What ends the check run of a run that is not the newest any more."""
    told = "A newer run of this workflow on the commit took its place."
    output = {"title": "a newer run took its place", "summary": told}
    return {"status": "completed", "conclusion": "neutral", "output": output, "actions": []}


def digest(body: Body) -> str:
    """Tells whether what would be posted is what was posted last."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def with_annotations(body: Body, annotations: Sequence[Body]) -> Body:
    """The same, with (at most 50) annotations to add to those that are there."""
    return {**body, "output": {**body["output"], "annotations": list(annotations)}} if annotations else body


def batches(annotations: Sequence[Body]) -> Iterator[Sequence[Body]]:
    """As many as one request takes."""
    for start in range(0, len(annotations), MOST_ANNOTATIONS):
        yield annotations[start : start + MOST_ANNOTATIONS]


def to_annotation(annotation: CheckAnnotation) -> Body:
    """Columns are only taken where the annotation begins and ends on one line."""
    first = max(1, annotation.line)
    last = max(first, annotation.end_line)
    columns = {"start_column": annotation.column, "end_column": annotation.end_column or annotation.column}
    optional = {
        "title": cut_line(annotation.title, _LONGEST_TITLE) or None,
        **(columns if first == last and annotation.column else {}),
    }
    return {
        "path": annotation.path or _NO_FILE,
        "start_line": first,
        "end_line": last,
        "annotation_level": annotation.level,
        "message": cut_text(annotation.message, limit_bytes=_LONGEST_MESSAGE_BYTES) or "(no message)",
        **{key: value for key, value in optional.items() if value is not None},
    }


def annotation_key(annotation: Mapping[str, Any]) -> Key:
    """What tells annotations apart, in what we send and in what GitHub gives back."""
    names = ("path", "start_line", "end_line", "annotation_level", "message")
    return (*(annotation[name] for name in names), annotation.get("title") or None)


def cut_text(text: str, *, limit_bytes: int = _LONGEST_TEXT_BYTES) -> str:
    """The text, or as many of its lines as fit and a line that says so. A code block is closed again."""
    encoded = text.encode()
    if len(encoded) <= limit_bytes:
        return text
    told = f"\n\n*Cut: {len(encoded):,} bytes are more than the {limit_bytes:,} that GitHub takes.*"
    kept = encoded[: limit_bytes - len(told.encode()) - len("\n```")].decode(errors="ignore")
    kept = kept[: kept.rfind("\n")] if "\n" in kept else kept
    is_open = sum(line.lstrip().startswith("```") for line in kept.split("\n")) % 2
    return kept + ("\n```" if is_open else "") + told


def cut_line(text: str, limit: int) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def stamp(at: float | None) -> str | None:
    """Seconds since 1970 as GitHub writes a time."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _action(action: CheckAction) -> Body:
    return {
        "label": cut_line(action.label, 20),
        "description": cut_line(action.description, 40),
        "identifier": f"{action.identifier}:{action.mark}" if action.mark else action.identifier,
    }
