"""`windlass plan`: the resolved graph as it would run, and why it would. Nothing runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_inputs, add_json, merged

if TYPE_CHECKING:
    from windlass_runner.commands.local_events import Repository
    from windlass_runner.workflow.events import Event

EXAMPLE = """
windlass plan .windlass/workflows/train.yaml --input epochs=10
windlass plan train.yaml --ref main             # as a push to main would run it
windlass plan train.yaml --event payload.json   # as this webhook would run it
windlass plan train.yaml --dot | dot -Tsvg > plan.svg
"""


def configure(parser: ArgumentParser) -> None:
    """The file, the event, the form of the answer."""
    parser.add_argument("file", metavar="FILE", help="a workflow file, or its name without the folder")
    add_inputs(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--event", metavar="PAYLOAD.json", help="the webhook to plan for ('-': stdin)")
    source.add_argument("--ref", metavar="REF", help="plan for a push of that branch or tag")
    parser.add_argument("--event-name", metavar="NAME", help="what the payload is of: push, pull_request …")
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    form = parser.add_mutually_exclusive_group()
    add_json(form)
    form.add_argument("--mermaid", action="store_true", help="print the graph for Mermaid")
    form.add_argument("--dot", action="store_true", help="print the graph for Graphviz")


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Print the plan; 1 where the event starts nothing."""
    from windlass_runner.commands.planning import (
        load_workflow,
        make_plan,
        one_file,
        own_settings,
        repository_of,
    )
    from windlass_runner.commands.registries import open_catalog
    from windlass_runner.workflow.triggers import match

    file = one_file(arguments.file, invocation.folder)
    parsed = load_workflow(file)
    event = _event(arguments, invocation, repository_of(file, invocation))
    found = match(parsed.workflow, event)
    if not found.runs:
        if arguments.json:
            invocation.print_json({"runs": False, "reason": found.reason})
        else:
            invocation.print(f"{parsed.workflow.name} does not run: {found.reason}")
        return 1
    settings = own_settings(arguments, invocation)
    catalog = open_catalog(invocation, config=arguments.config)
    plan = make_plan(parsed, event, reason=found.reason, root=file.root, catalog=catalog, settings=settings)
    if arguments.json:
        from windlass_runner.commands.plan_view import stages
        from windlass_runner.plan.codec import encode

        rows = [[spec.id for spec in row] for row in stages(plan)]
        invocation.print_json({"runs": True, **encode(plan), "stages": rows})
    elif arguments.mermaid or arguments.dot:
        from windlass_runner.commands.plan_graph import dot, mermaid

        invocation.out.write(mermaid(plan) if arguments.mermaid else dot(plan))
    else:
        from windlass_runner.commands.paint import Paint
        from windlass_runner.commands.plan_view import render_plan

        paint = Paint(invocation.has_colour(invocation.out))
        invocation.out.write(render_plan(plan, paint=paint, width=invocation.width(invocation.out)))
    return 0


def _event(arguments: Namespace, invocation: Invocation, repository: Repository) -> Event:
    from windlass_runner.commands.local_events import load_event
    from windlass_runner.commands.planning import actor

    inputs = merged(arguments.inputs)
    who = actor(invocation.environment)
    if arguments.event is not None:
        path = Path("/dev/stdin") if arguments.event == "-" else invocation.folder / arguments.event
        event = load_event(path, name=arguments.event_name, repository=repository)
    elif arguments.ref is not None:
        event = repository.push(arguments.ref, actor=who)
    else:
        return repository.by_hand(inputs, actor=who)
    return replace(event, inputs={**event.inputs, **inputs}) if inputs else event
