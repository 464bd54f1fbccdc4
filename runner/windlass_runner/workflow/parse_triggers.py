"""The `on` key: when a workflow runs, in Gradient's and in GitHub's spelling."""

from __future__ import annotations

from typing import Final, Literal

import yaml

from windlass_registry.documents import Position, is_null, kind_of, merged_items
from windlass_runner.workflow.model import (
    DispatchTrigger,
    InputSpec,
    OtherTrigger,
    PullRequestTrigger,
    PushTrigger,
    RefFilter,
    Trigger,
    VersionTrigger,
    WebhookTrigger,
    WorkflowRunTrigger,
)
from windlass_runner.workflow.parse_filters import (
    FILTER_KEYS,
    read_filter,
    read_gradient_filter,
    read_patterns,
)
from windlass_runner.workflow.parse_inputs import read_inputs
from windlass_runner.workflow.parse_schedule import read_schedule
from windlass_runner.workflow.reading import WorkflowReader

PULL_REQUEST_KEYS: Final = frozenset({"types", "branches", "branches-ignore", "paths", "paths-ignore"})
WEBHOOK_KEYS: Final = frozenset({"name", "secret", "inputs"})
VERSION_KEYS: Final = frozenset({"name", "tag"})
WORKFLOW_RUN_KEYS: Final = frozenset({"workflows", "types", "conclusions", "branches", "branches-ignore"})
PULL_REQUEST_TYPES: Final = frozenset(
    [
        "assigned",
        "unassigned",
        "labeled",
        "unlabeled",
        "opened",
        "edited",
        "closed",
        "reopened",
        "synchronize",
        "converted_to_draft",
        "locked",
        "unlocked",
        "enqueued",
        "dequeued",
        "milestoned",
        "demilestoned",
        "ready_for_review",
        "review_requested",
        "review_request_removed",
        "auto_merge_enabled",
        "auto_merge_disabled",
    ]
)
DEFAULT_PULL_REQUEST_TYPES: Final = ("opened", "synchronize", "reopened")
CONCLUSIONS: Final = frozenset({"success", "failure", "cancelled", "skipped", "timed_out", "neutral"})
OTHER_EVENTS: Final = frozenset(
    [
        "branch_protection_rule",
        "check_run",
        "check_suite",
        "create",
        "delete",
        "deployment",
        "deployment_status",
        "discussion",
        "discussion_comment",
        "fork",
        "gollum",
        "issue_comment",
        "issues",
        "label",
        "merge_group",
        "milestone",
        "page_build",
        "public",
        "pull_request_review",
        "pull_request_review_comment",
        "registry_package",
        "release",
        "repository_dispatch",
        "status",
        "watch",
    ]
)
OWN_EVENTS: Final = frozenset(
    [
        "github",
        "push",
        "pull_request",
        "schedule",
        "workflow_dispatch",
        "webhook",
        "dataset",
        "model",
        "workflow_run",
    ]
)
EVENTS: Final = OWN_EVENTS | OTHER_EVENTS
_NOT_HERE: Final = {
    "pull_request_target": "write 'pull_request': a fork's change runs once somebody approved it",
    "workflow_call": "publish the steps as an action and name it with 'uses'",
    "manual": "write 'workflow_dispatch'",
    "cron": "write schedule: [{cron: '…'}]",
    "merge_request": "write 'pull_request'",
    "tag": "write push: {tags: ['…']}",
    "branches": "write push: {branches: […]}",
}


def read_triggers(
    reader: WorkflowReader, node: yaml.Node
) -> tuple[tuple[Trigger, ...], dict[str, InputSpec]]:
    """All triggers of a file, and the inputs of its `workflow_dispatch`."""
    found: list[Trigger] = []
    inputs: dict[str, InputSpec] = {}
    for name, (key, value) in _events(reader, node).items():
        if name not in EVENTS:
            _refuse_event(reader, key, name)
            if name == "workflow_call":
                inputs = {**_called_inputs(value), **inputs}
            continue
        at = Position.of(key)
        match name:
            case "workflow_dispatch":
                found.append(DispatchTrigger(at=at))
                inputs = _read_dispatch(reader, value)
            case "schedule":
                found.extend(read_schedule(reader, value, at))
            case "dataset" | "model":
                found.extend(_read_versions(reader, name, value, at))
            case _:
                trigger = _read_one(reader, name, value, at)
                if trigger is not None:
                    found.append(trigger)
    return tuple(found), inputs


def _events(reader: WorkflowReader, node: yaml.Node) -> dict[str, tuple[yaml.ScalarNode, yaml.Node | None]]:
    """The events by name; short forms (`on: push`, `on: [push]`) have no value."""
    if isinstance(node, yaml.MappingNode):
        return dict(reader.entries(node, "'on'"))
    found: dict[str, tuple[yaml.ScalarNode, yaml.Node | None]] = {}
    for item in reader.items_or_one(node, "'on'"):
        name = reader.text(item, "an event of 'on'")
        if name is not None and isinstance(item, yaml.ScalarNode):
            found[name] = (item, None)
    return found


def _refuse_event(reader: WorkflowReader, key: yaml.ScalarNode, name: str) -> None:
    reader.fields(
        yaml.MappingNode("tag:yaml.org,2002:map", [(key, key)], key.start_mark, key.end_mark),
        "'on'",
        EVENTS,
        elsewhere=_NOT_HERE,
    )


def _called_inputs(node: yaml.Node | None) -> dict[str, InputSpec]:
    """The names of a reusable workflow's inputs, so that their uses are not reported as well."""
    for key, value in merged_items(node) if node is not None else ():
        if key.value == "inputs":
            names = (name for name, _ in merged_items(value))
            return {str(name.value): InputSpec(name=str(name.value), at=Position.of(name)) for name in names}
    return {}


def _read_one(reader: WorkflowReader, name: str, node: yaml.Node | None, at: Position) -> Trigger | None:
    match name:
        case "push":
            return PushTrigger(filter=read_filter(reader, node, "'push'", FILTER_KEYS), at=at)
        case "github":
            return PushTrigger(filter=read_gradient_filter(reader, node), at=at)
        case "pull_request":
            return _read_pull_request(reader, node, at)
        case "webhook":
            return _read_webhook(reader, node, at)
        case "workflow_run":
            return _read_workflow_run(reader, node, at)
        case _:
            return _read_other(reader, name, node, at)


def _read_pull_request(reader: WorkflowReader, node: yaml.Node | None, at: Position) -> PullRequestTrigger:
    fields = reader.fields(node, "'pull_request'", PULL_REQUEST_KEYS) if node is not None else {}
    types: tuple[str, ...] = DEFAULT_PULL_REQUEST_TYPES
    if "types" in fields:
        words = [
            reader.choice(item, "a type of 'pull_request'", PULL_REQUEST_TYPES)
            for item in reader.items_or_one(fields.pop("types"), "'types'")
        ]
        types = tuple(word for word in words if word is not None)
    lists = {key.replace("-", "_"): read_patterns(reader, value, f"'{key}'") for key, value in fields.items()}
    return PullRequestTrigger(types=types, filter=RefFilter(**lists), at=at)


def _read_dispatch(reader: WorkflowReader, node: yaml.Node | None) -> dict[str, InputSpec]:
    if node is None:
        return {}
    fields = reader.fields(node, "'workflow_dispatch'", {"inputs"})
    return read_inputs(reader, fields["inputs"], "'inputs'") if "inputs" in fields else {}


def _read_webhook(reader: WorkflowReader, node: yaml.Node | None, at: Position) -> WebhookTrigger | None:
    if node is None or is_null(node):
        reader.error(at, "'webhook' has no name", "write webhook: {name: …, secret: NAME}")
        return None
    if isinstance(node, yaml.ScalarNode):
        return WebhookTrigger(name=reader.plain(node, "'webhook'") or "", secret=None, inputs={}, at=at)
    fields = reader.fields(node, "'webhook'", WEBHOOK_KEYS)
    if "name" not in fields:
        reader.error(node, "'webhook' has no 'name'", "name it: it becomes a part of its address")
    secret = reader.plain(fields["secret"], "'secret' of 'webhook'") if "secret" in fields else None
    inputs: dict[str, str] = {}
    for name, (_, value) in (
        reader.entries(fields["inputs"], "'inputs'").items() if "inputs" in fields else ()
    ):
        text = reader.text(value, f"the input '{name}' of 'webhook'")
        inputs[name] = text or ""
    return WebhookTrigger(
        name=(reader.plain(fields["name"], "'name' of 'webhook'") or "") if "name" in fields else "",
        secret=secret.removeprefix("secret:") if secret is not None else None,
        inputs=inputs,
        at=at,
    )


def _read_versions(
    reader: WorkflowReader, kind: Literal["dataset", "model"], node: yaml.Node | None, at: Position
) -> list[Trigger]:
    if node is None or is_null(node):
        reader.error(at, f"'{kind}' names none", f"write {kind}: {{name: …}}")
        return []
    items = [node] if not isinstance(node, yaml.SequenceNode) else reader.items(node, f"'{kind}'")
    found: list[Trigger] = []
    for item in items:
        if isinstance(item, yaml.ScalarNode):
            name, _, tag = (reader.plain(item, f"'{kind}'") or "").partition(":")
            found.append(VersionTrigger(kind=kind, name=name, tag=tag or None, at=Position.of(item)))
            continue
        fields = reader.fields(item, f"'{kind}'", VERSION_KEYS)
        if "name" not in fields:
            reader.error(item, f"'{kind}' has no 'name'", "write which one")
            continue
        found.append(
            VersionTrigger(
                kind=kind,
                name=reader.plain(fields["name"], f"'name' of '{kind}'") or "",
                tag=reader.plain(fields["tag"], f"'tag' of '{kind}'") if "tag" in fields else None,
                at=Position.of(item),
            )
        )
    return found


def _read_workflow_run(
    reader: WorkflowReader, node: yaml.Node | None, at: Position
) -> WorkflowRunTrigger | None:
    if node is None or is_null(node) or not isinstance(node, yaml.MappingNode):
        reader.error(at, "'workflow_run' names no workflows", "write workflow_run: {workflows: [NAME]}")
        return None
    fields = reader.fields(node, "'workflow_run'", WORKFLOW_RUN_KEYS)
    if "workflows" not in fields:
        reader.error(node, "'workflow_run' has no 'workflows'", "list the names of those to wait for")
    for item in reader.items_or_one(fields["types"], "'types'") if "types" in fields else ():
        reader.choice(item, "a type of 'workflow_run'", ("completed",))
    conclusions = [
        reader.choice(item, "a conclusion", CONCLUSIONS)
        for item in (
            reader.items_or_one(fields["conclusions"], "'conclusions'") if "conclusions" in fields else ()
        )
    ]
    return WorkflowRunTrigger(
        workflows=tuple(reader.texts(fields["workflows"], "'workflows'")) if "workflows" in fields else (),
        conclusions=tuple(word for word in conclusions if word is not None),
        branches=read_patterns(reader, fields.get("branches"), "'branches'"),
        branches_ignore=read_patterns(reader, fields.get("branches-ignore"), "'branches-ignore'"),
        at=at,
    )


def _read_other(reader: WorkflowReader, name: str, node: yaml.Node | None, at: Position) -> OtherTrigger:
    if node is None or is_null(node):
        return OtherTrigger(event=name, types=(), at=at)
    if not isinstance(node, yaml.MappingNode):
        reader.error(node, f"'{name}' must be a mapping, not {kind_of(node)}")
        return OtherTrigger(event=name, types=(), at=at)
    fields = reader.fields(node, f"'{name}'", {"types"})
    types = reader.texts(fields["types"], f"'types' of '{name}'") if "types" in fields else []
    return OtherTrigger(event=name, types=tuple(types), at=at)
