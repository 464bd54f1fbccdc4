"""`windlass cancel`: stops a run gracefully."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, add_patience, add_place, add_run

EXAMPLE = """
windlass cancel latest
windlass cancel 1m7y5x --wait
windlass cancel 1m7y5x --force    # at once, without the steps and jobs that always run
"""


def configure(parser: ArgumentParser) -> None:
    """The run."""
    add_run(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; shown with the run")
    parser.add_argument(
        "--force", action="store_true", help="at once: no grace period, and nothing that runs `if: always()`"
    )
    parser.add_argument("--wait", action="store_true", help="until it has ended")
    add_patience(parser)
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Ask for it."""
    from windlass_registry.errors import OperatorError
    from windlass_runner.commands.asking import ask
    from windlass_runner.commands.chosen_run import find_run
    from windlass_runner.commands.context import find_place, open_ledger
    from windlass_runner.commands.following import ledger_pause
    from windlass_runner.ledger.records import FINAL

    place = find_place(arguments, invocation)
    with open_ledger(place) as ledger:
        run = find_run(ledger, arguments.run)
        if run.state not in FINAL and not place.is_daemon and arguments.force:
            raise OperatorError(
                f"run {run.id} belongs to a `windlass run`", remedy="press Ctrl-C twice where that runs"
            )
        if run.state not in FINAL and not place.is_daemon:
            ledger.runs.request_cancel(run.id, at=time.time())  # the process that runs it sees it
        elif run.state not in FINAL:
            payload = {"run_id": run.id, "reason": arguments.reason, "force": arguments.force}
            ask(ledger, place, "cancel", payload, timeout_s=arguments.timeout)
        pause = ledger_pause(ledger)
        while arguments.wait and ledger.runs.get(run.id).state not in FINAL:
            pause()
        state = ledger.runs.get(run.id).state
    if arguments.json:
        invocation.print_json({"run_id": run.id, "state": state})
    elif run.state in FINAL:
        invocation.print(f"run {run.id} has ended already: {state}")
    else:
        invocation.print(f"run {run.id}: {state if state in FINAL else 'stopping'}")
    return 0
