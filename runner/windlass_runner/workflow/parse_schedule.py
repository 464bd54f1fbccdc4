"""`on: schedule`: at which times a workflow runs. Called by `workflow.parse_triggers`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import available_timezones

import yaml

from windlass_registry.documents import Position, is_null
from windlass_registry.near_words import nearest
from windlass_runner.workflow.cron import CronError
from windlass_runner.workflow.due_times import DueTimes, zone_of
from windlass_runner.workflow.model import ScheduleTrigger
from windlass_runner.workflow.reading import WorkflowReader

SCHEDULE_KEYS: Final = frozenset({"cron", "timezone", "concurrency-policy", "starting-deadline"})
POLICIES: Final = ("allow", "forbid", "replace")
_ANY_DAY: Final = datetime(2024, 1, 1, tzinfo=UTC)


def read_schedule(reader: WorkflowReader, node: yaml.Node | None, at: Position) -> list[ScheduleTrigger]:
    """All its times. What is wrong is noted in the reader."""
    if node is None or is_null(node):
        reader.error(at, "'schedule' has no times", "write schedule: [{cron: '0 3 * * *'}]")
        return []
    items = [node] if isinstance(node, yaml.MappingNode) else reader.items(node, "'schedule'")
    found = (_read_cron(reader, item) for item in items)
    return [trigger for trigger in found if trigger is not None]


def _read_cron(reader: WorkflowReader, node: yaml.Node) -> ScheduleTrigger | None:
    if isinstance(node, yaml.ScalarNode):
        reader.error(node, "an item of 'schedule' must be a mapping", f"write - cron: '{node.value}'")
        return None
    fields = reader.fields(node, "'schedule'", SCHEDULE_KEYS)
    if "cron" not in fields:
        reader.error(node, "'schedule' has no 'cron'", "write cron: '0 3 * * *'")
        return None
    cron = reader.text(fields["cron"], "'cron'") or ""
    try:
        if DueTimes.of(cron, "UTC").after(_ANY_DAY) is None:
            reader.error(fields["cron"], f"'{cron}' is never due: no calendar has such a day")
    except CronError as error:
        reader.error(fields["cron"], str(error))
    policy = (
        reader.choice(fields["concurrency-policy"], "'concurrency-policy'", POLICIES)
        if "concurrency-policy" in fields
        else "allow"
    )
    return ScheduleTrigger(
        cron=cron,
        timezone=_read_timezone(reader, fields.get("timezone")),
        concurrency_policy=_policy(policy),
        starting_deadline_s=reader.duration(fields["starting-deadline"], "'starting-deadline'")
        if "starting-deadline" in fields
        else None,
        at=Position.of(node),
    )


def _policy(word: str | None) -> Literal["allow", "forbid", "replace"]:
    match word:
        case "forbid" | "replace":
            return word
        case _:
            return "allow"


def _read_timezone(reader: WorkflowReader, node: yaml.Node | None) -> str:
    name = reader.text(node, "'timezone'") if node is not None else None
    if name is None or node is None:
        return "UTC"
    try:
        zone_of(name)
    except (KeyError, ValueError, OSError):
        close = nearest(name, available_timezones())
        remedy = f"did you mean '{close}'?" if close else "write one such as Europe/Berlin or UTC"
        reader.error(node, f"unknown time zone '{name}'", remedy)
    return name
