"""`windlass runs`: the runs of this place, newest first."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Final

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, add_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from windlass_runner.ledger.ledger import Ledger
    from windlass_runner.ledger.records import RunRecord

EXAMPLE = """
windlass runs --state failure
windlass runs --workflow train --json | head -1
"""
STATES: Final = (
    *("queued", "waiting", "running"),
    *("success", "failure", "cancelled", "skipped", "timed_out", "neutral"),
)


def configure(parser: ArgumentParser) -> None:
    """Which runs, and how many."""
    parser.add_argument("--workflow", "-w", metavar="NAME", help="only runs of this workflow")
    parser.add_argument("--repository", metavar="URL", help="only runs of this repository")
    parser.add_argument("--state", choices=STATES, metavar="STATE", help=f"one of {', '.join(STATES)}")
    parser.add_argument("--limit", "-n", type=int, default=20, metavar="N", help="at most so many (20)")
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """A line for each run; with `--json` an object."""
    from windlass_runner.commands.context import find_place, open_ledger
    from windlass_runner.commands.run_records import record_json

    place = find_place(arguments, invocation)
    with open_ledger(place) as ledger:
        found = ledger.runs.list(
            repository=arguments.repository,
            workflow=arguments.workflow,
            state=arguments.state,
            limit=max(1, arguments.limit),
        )
        crons = {run.id: cron for run in found if (cron := _cron(ledger, run)) is not None}
    if arguments.json:
        for run in found:
            invocation.print_json({**record_json(run), "schedule": crons.get(run.id)})
        return 0
    for line in _table(found, invocation, crons):
        invocation.print(line)
    if not found:
        invocation.say(f"no such runs ({place.origin})")
    return 0


def _cron(ledger: Ledger, run: RunRecord) -> str | None:
    """The cron text by which it came due; None: something else has started it."""
    import json

    event = json.loads(ledger.runs.event(run.id))
    return str(event["schedule"]) if event.get("kind") == "schedule" else None


def _table(runs: list[RunRecord], invocation: Invocation, crons: Mapping[str, str]) -> list[str]:
    from windlass_runner.commands.paint import Paint, clip, duration, tame

    paint = Paint(invocation.has_colour(invocation.out))
    names = [clip(tame(f"{run.name} #{run.number}"), 40) for run in runs]
    width = max(map(len, names), default=0)
    now = time.time()
    lines = []
    for run, name in zip(runs, names, strict=True):
        took = duration((run.ended_at or now) - run.started_at) if run.started_at is not None else ""
        branch = tame((run.ref or "").removeprefix("refs/heads/").removeprefix("refs/tags/"))
        state = paint.state(run.state, text=f"{run.state.replace('_', ' '):<9}")
        age = paint(f"{duration(now - run.created_at)} ago", "dim")
        cron = f" schedule '{tame(crons[run.id])}'" if run.id in crons else ""
        place = paint(f"{run.sha[:8]} {branch}{cron}".strip(), "dim")
        lines.append(f"{run.id}  {paint.mark(run.state)} {state} {name:<{width}}  {took:>7}  {place}  {age}")
        if run.state == "waiting":
            lines.append(f"{'':<{len(run.id)}}    {clip(tame(run.reason), 160)}")
    return lines
