"""`windlass show`: one run: its jobs, what they put out, and what failed first."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, add_place, add_run

EXAMPLE = """
windlass show                # the latest run
windlass show 1m7y5x --json
"""


def configure(parser: ArgumentParser) -> None:
    """The run."""
    add_run(parser, is_optional=True)
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Print it."""
    from windlass_runner.commands.chosen_run import find_run
    from windlass_runner.commands.context import find_place, open_ledger
    from windlass_runner.commands.following import Follower
    from windlass_runner.commands.page_link import open_apps, page_link
    from windlass_runner.commands.paint import Paint
    from windlass_runner.commands.run_records import images_of, run_json
    from windlass_runner.commands.summary import render_summary
    from windlass_runner.commands.telling import failure_tail, short_paths
    from windlass_runner.run.verdicts import judged_of

    place = find_place(arguments, invocation)
    with open_ledger(place) as ledger:
        run = find_run(ledger, arguments.run)
        page, apps = page_link(place, run), open_apps(place, ledger, run)
        if arguments.json:
            told = {**({"url": page} if page else {}), **({"apps": apps} if apps else {})}
            invocation.print_json({**run_json(ledger, run.id), **told})
            return 0
        follower = Follower(ledger, place.storage, run.id, with_lines=False)
        follower.read()
        view = follower.view
        attempts = ledger.runs.attempts(run.id)
        images = sorted({each for one in attempts for each in images_of(one).items()})
    paint = Paint(invocation.has_colour(invocation.out))
    tail = failure_tail(view, place.storage)
    shorten = short_paths(place.storage, run.id)
    invocation.out.write(
        render_summary(
            view,
            paint=paint,
            now=time.time(),
            tail=tail,
            shorten=shorten,
            images=images,
            judged=judged_of(attempts),
        )
    )
    for job, url in apps.items():
        invocation.print(f"app {job} {url}")
    if page is not None:
        invocation.print(paint(f"page {page}", "dim"))
    return 0
