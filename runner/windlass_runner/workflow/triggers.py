"""Does an event start a workflow? Pure, with the reason in words.

The filters are GitHub's: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#on
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from windlass_registry.documents import Position
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.model import (
    DispatchTrigger,
    OtherTrigger,
    PullRequestTrigger,
    PushTrigger,
    RefFilter,
    ScheduleTrigger,
    Trigger,
    VersionTrigger,
    WebhookTrigger,
    Workflow,
    WorkflowRunTrigger,
)
from windlass_runner.workflow.patterns import selects

MOST_CHANGED_FILES: Final = 300
"""GitHub compares this many files of a change with path filters; of a larger one nobody knows all."""

_SKIP_WORDS: Final = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
_SKIP_TRAILER = re.compile(r"^skip-checks:\s*true\s*$", re.IGNORECASE | re.MULTILINE)
_PARAGRAPHS = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What became of an event: the trigger that it matched (None: it does not run), and why, in words."""

    trigger: Trigger | None
    reason: str
    is_by_paths: bool = False
    """It does not run, and only because of the files that were changed."""

    @property
    def runs(self) -> bool:
        """Whether the workflow is to run."""
        return self.trigger is not None


def match(workflow: Workflow, event: Event) -> Match:
    """Hold an event against the triggers of a workflow; the first that matches is taken.

    A workflow may always be started by hand (`workflow_dispatch`), whatever its `on` says: who may do
    that is not the file's matter.
    """
    if event.kind == "workflow_dispatch":
        return _match_dispatch(workflow)
    of_kind = [trigger for trigger in workflow.triggers if _kind(trigger) == event.kind]
    if not of_kind:
        return Match(trigger=None, reason=_no_such_trigger(workflow, event))
    if event.kind in ("push", "pull_request") and (word := skip_word(event.head_message)):
        return Match(trigger=None, reason=f"the head commit's message says {word}")
    reasons: list[str] = []
    for trigger in of_kind:
        reason = _refusal(trigger, event)
        if reason is None:
            return Match(trigger=trigger, reason=_acceptance(trigger, event))
        reasons.append(reason)
    whatever_changed = replace(event, changed_paths=None)
    return Match(
        trigger=None,
        reason="; ".join(dict.fromkeys(reasons)),
        is_by_paths=any(_refusal(trigger, whatever_changed) is None for trigger in of_kind),
    )


def skip_word(message: str) -> str | None:
    """What in a commit's message asks for no run: one of GitHub's words, or the `skip-checks` trailer."""
    folded = message.lower()
    for word in _SKIP_WORDS:
        if word in folded:
            return word
    _, *body = _PARAGRAPHS.split(message.strip().replace("\r\n", "\n"))
    return "skip-checks: true" if body and _SKIP_TRAILER.search(body[-1]) else None


def _kind(trigger: Trigger) -> str:
    """The kind of event that a trigger is about."""
    match trigger:
        case PushTrigger():
            return "push"
        case PullRequestTrigger():
            return "pull_request"
        case ScheduleTrigger():
            return "schedule"
        case DispatchTrigger():
            return "workflow_dispatch"
        case WebhookTrigger():
            return "webhook"
        case VersionTrigger(kind=kind):
            return kind
        case WorkflowRunTrigger():
            return "workflow_run"
        case OtherTrigger(event=event):
            return event


def _match_dispatch(workflow: Workflow) -> Match:
    declared = next((item for item in workflow.triggers if isinstance(item, DispatchTrigger)), None)
    fallback = DispatchTrigger(at=_first_place(workflow))
    return Match(trigger=declared or fallback, reason="started by hand")


def _first_place(workflow: Workflow) -> Position:
    return next((job.at for job in workflow.jobs.values()), Position(line=1, column=1))


def _no_such_trigger(workflow: Workflow, event: Event) -> str:
    if not workflow.triggers:
        return f"{_shown(event)}: the workflow has no 'on', so it is started by hand only"
    kinds = dict.fromkeys(_kind(trigger) for trigger in workflow.triggers)
    return f"{_shown(event)}: 'on' names only {', '.join(kinds)}"


def _shown(event: Event) -> str:
    """The event in words, as it begins a reason."""
    match event.kind:
        case "push":
            return f"push to {event.ref}"
        case "pull_request":
            return f"pull_request {event.action or 'opened'} into {event.base_ref}"
        case _ if event.action:
            return f"{event.kind} {event.action}"
        case _:
            return event.kind


def _acceptance(trigger: Trigger, event: Event) -> str:
    match trigger:
        case PushTrigger(filter=wanted) | PullRequestTrigger(filter=wanted):
            filters = _filters(wanted)
            return f"{_shown(event)} matches " + (", ".join(filters) if filters else f"'on: {event.kind}'")
        case ScheduleTrigger(cron=cron):
            return f"schedule '{cron}' is due"
        case WebhookTrigger(name=name):
            return f"webhook '{name}' was called"
        case VersionTrigger(kind=kind, name=name):
            return f"{kind} '{name}' has a new version"
        case WorkflowRunTrigger():
            return f"workflow '{event.subject}' ended with {event.conclusion}"
        case _:
            return f"{_shown(event)} matches 'on: {event.kind}'"


def _filters(wanted: RefFilter) -> list[str]:
    lists = {
        "branches": wanted.branches,
        "branches-ignore": wanted.branches_ignore,
        "tags": wanted.tags,
        "tags-ignore": wanted.tags_ignore,
        "paths": wanted.paths,
        "paths-ignore": wanted.paths_ignore,
    }
    return [f"{name} [{', '.join(items)}]" for name, items in lists.items() if items]


def _refusal(trigger: Trigger, event: Event) -> str | None:
    """Why a trigger of the event's kind does not match; None where it does."""
    match trigger:
        case PushTrigger(filter=wanted):
            return _push_refusal(wanted, event)
        case PullRequestTrigger():
            return _pull_request_refusal(trigger, event)
        case ScheduleTrigger(cron=cron):
            is_due = event.schedule is None or event.schedule == cron
            return None if is_due else f"schedule '{event.schedule}' is due, not '{cron}'"
        case WebhookTrigger(name=name):
            return None if event.subject == name else f"webhook '{event.subject}' is not '{name}'"
        case VersionTrigger():
            return _version_refusal(trigger, event)
        case WorkflowRunTrigger():
            return _workflow_run_refusal(trigger, event)
        case OtherTrigger(types=types):
            return _types_refusal(types, event)
        case DispatchTrigger():
            return None


def _push_refusal(wanted: RefFilter, event: Event) -> str | None:
    shown = _shown(event)
    if event.is_deletion:
        return f"{shown}: the ref was deleted"
    has_branches = bool(wanted.branches or wanted.branches_ignore)
    has_tags = bool(wanted.tags or wanted.tags_ignore)
    if event.tag_name is not None:
        if has_branches and not has_tags:
            return f"{shown}: a tag, and only branches are named"
        refusal = _list_refusal("tags", wanted.tags, wanted.tags_ignore, event.tag_name)
        # GitHub does not compare paths for pushes of tags.
        return f"{shown}: {refusal}" if refusal else None
    if event.branch is None:
        return f"{shown}: neither a branch nor a tag"
    if has_tags and not has_branches:
        return f"{shown}: a branch, and only tags are named"
    refusal = _list_refusal("branches", wanted.branches, wanted.branches_ignore, event.branch)
    refusal = refusal or _paths_refusal(wanted, event)
    return f"{shown}: {refusal}" if refusal else None


def _pull_request_refusal(trigger: PullRequestTrigger, event: Event) -> str | None:
    shown = _shown(event)
    if event.action is not None and event.action not in trigger.types:
        return f"{shown}: types [{', '.join(trigger.types)}] do not include it"
    wanted = trigger.filter
    base = (event.base_ref or "").removeprefix("refs/heads/")
    refusal = _list_refusal("branches", wanted.branches, wanted.branches_ignore, base)
    refusal = refusal or _paths_refusal(wanted, event)
    return f"{shown}: {refusal}" if refusal else None


def _list_refusal(name: str, wanted: Sequence[str], ignored: Sequence[str], text: str) -> str | None:
    if wanted and not selects(wanted, text):
        return f"{name} [{', '.join(wanted)}] do not include it"
    if ignored and selects(ignored, text):
        return f"{name}-ignore [{', '.join(ignored)}] include it"
    return None


def _paths_refusal(wanted: RefFilter, event: Event) -> str | None:
    """Why the changed files keep it from running. What nobody knows, or not all of, counts as a match."""
    paths = event.changed_paths
    if paths is None or len(paths) > MOST_CHANGED_FILES:
        return None
    if wanted.paths and not any(selects(wanted.paths, path) for path in paths):
        return f"paths [{', '.join(wanted.paths)}] include none of the {_files(len(paths))} changed"
    if wanted.paths_ignore and paths and all(selects(wanted.paths_ignore, path) for path in paths):
        return (
            f"paths-ignore [{', '.join(wanted.paths_ignore)}] include all of the {_files(len(paths))} changed"
        )
    return None


def _files(count: int) -> str:
    return f"{count} file" + ("" if count == 1 else "s")


def _version_refusal(trigger: VersionTrigger, event: Event) -> str | None:
    if event.subject != trigger.name:
        return f"{trigger.kind} '{event.subject}' is not '{trigger.name}'"
    if trigger.tag is not None and event.tag != trigger.tag:
        return f"the new version of {trigger.kind} '{trigger.name}' has not the tag '{trigger.tag}'"
    return None


def _workflow_run_refusal(trigger: WorkflowRunTrigger, event: Event) -> str | None:
    if event.action not in (None, "completed"):
        return f"workflow '{event.subject}' has not ended"
    if event.subject not in trigger.workflows:
        return f"workflow '{event.subject}' is not among [{', '.join(trigger.workflows)}]"
    if trigger.conclusions and event.conclusion not in trigger.conclusions:
        listed = ", ".join(trigger.conclusions)
        return f"workflow '{event.subject}' ended with {event.conclusion}, not with [{listed}]"
    branch = event.branch or (event.head_ref or "")
    return _list_refusal("branches", trigger.branches, trigger.branches_ignore, branch)


def _types_refusal(types: Sequence[str], event: Event) -> str | None:
    if not types or event.action in types:
        return None
    return f"{_shown(event)}: types [{', '.join(types)}] do not include it"
