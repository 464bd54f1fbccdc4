"""`windlass deployments`: what was deployed where, newest first."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, add_place

if TYPE_CHECKING:
    from windlass_runner.ledger.gate_records import DeploymentRecord

EXAMPLE = """
windlass deployments production
windlass deployments --repository file:///srv/git/digits.git --json | head -1
"""


def configure(parser: ArgumentParser) -> None:
    """Which ones, and how many."""
    parser.add_argument("environment", nargs="?", metavar="ENV", help="only to this environment")
    parser.add_argument("--repository", metavar="URL", help="only of this repository")
    parser.add_argument("--limit", "-n", type=int, default=20, metavar="N", help="at most so many (20)")
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """A line for each; with `--json` an object."""
    from dataclasses import asdict

    from windlass_runner.commands.context import find_place, open_ledger

    place = find_place(arguments, invocation)
    with open_ledger(place) as ledger:
        found = ledger.deployments.list(
            environment=arguments.environment,
            repository=arguments.repository,
            limit=max(1, arguments.limit),
        )
    if arguments.json:
        for one in found:
            invocation.print_json(asdict(one))
        return 0
    for line in _table(found, invocation):
        invocation.print(line)
    if not found:
        invocation.say(f"no such deployments ({place.origin})")
    return 0


def _table(found: Sequence[DeploymentRecord], invocation: Invocation) -> Iterator[str]:
    from windlass_runner.commands.paint import Paint, clip, duration, tame

    paint = Paint(invocation.has_colour(invocation.out))
    names = [clip(tame(one.environment), 30) for one in found]
    width = max(map(len, names), default=0)
    now = time.time()
    for one, name in zip(found, names, strict=True):
        branch = tame((one.ref or "").removeprefix("refs/heads/").removeprefix("refs/tags/"))
        state = paint.state(one.state, text=f"{one.state.replace('_', ' '):<9}")
        facts = [f"{one.sha[:8]} {branch}".strip(), f"run {one.run_id}", tame(one.job_key)]
        facts.append(f"{duration(now - one.changed_at)} ago")
        if one.approved_by:
            facts.append(f"approved by {tame(', '.join(one.approved_by))}")
        why = f"  {tame(one.reason)}" if one.reason else ""
        yield f"{paint.mark(one.state)} {name:<{width}}  {state} {paint('  '.join(facts), 'dim')}{why}"
