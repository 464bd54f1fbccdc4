"""`windlass rerun`: a run once more, as it was planned: all of it, or what failed and what follows."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_answers, add_json, add_patience, add_place, add_run

EXAMPLE = """
windlass rerun latest --failed
windlass rerun 1m7y5x --wait
"""


def configure(parser: ArgumentParser) -> None:
    """The run, and how much of it."""
    add_run(parser)
    parser.add_argument("--failed", action="store_true", help="only what failed, and what comes after it")
    parser.add_argument("--wait", action="store_true", help="show it live, and exit as it ends")
    parser.add_argument("--plain", action="store_true", help="plain lines, also on a terminal")
    parser.add_argument("--engine", choices=("docker", "process"), help="for local runs: what runs the jobs")
    parser.add_argument(
        "--secret", metavar="NAME", action="append", default=[], help="for local runs: as in 'run'"
    )
    add_answers(parser)
    add_patience(parser)
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Ask the daemon for it; a local run is run again here and now."""
    from windlass_runner.commands.asking import ask
    from windlass_runner.commands.chosen_run import find_run
    from windlass_runner.commands.context import find_place, open_ledger
    from windlass_runner.commands.running import run_again
    from windlass_runner.commands.telling import tell_begun

    place = find_place(arguments, invocation)
    with open_ledger(place) as ledger:
        run = find_run(ledger, arguments.run)
        if not place.is_daemon:
            return run_again(arguments, invocation, ledger, place.storage, run)
        payload = {"run_id": run.id, "failed": arguments.failed}
        answer = ask(ledger, place, "rerun", payload, timeout_s=arguments.timeout)
        return tell_begun(answer, ledger, place.storage, arguments=arguments, invocation=invocation)
