"""`windlass stop`: ends an app; its job succeeds, and what it put out is kept."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, add_patience, add_place, add_run

EXAMPLE = """
windlass stop latest              # the app of the latest run
windlass stop 1m7y5x notebook     # that of one job, where several run
"""


def configure(parser: ArgumentParser) -> None:
    """The run, and the job."""
    add_run(parser)
    parser.add_argument(
        "job", nargs="?", metavar="JOB", help="the job that is the app, where there are several"
    )
    add_patience(parser)
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Ask for it."""
    from windlass_registry.errors import OperatorError
    from windlass_runner.commands.asking import ask
    from windlass_runner.commands.chosen_jobs import keys_of
    from windlass_runner.commands.chosen_run import find_run
    from windlass_runner.commands.context import find_place, open_ledger
    from windlass_runner.run.app import answering_apps

    place = find_place(arguments, invocation)
    with open_ledger(place) as ledger:
        run = find_run(ledger, arguments.run)
        if not place.is_daemon:
            raise OperatorError(
                f"run {run.id} belongs to a `windlass run`",
                remedy="let the app's own page end it, or press Ctrl-C",
            )
        named = keys_of(ledger, run, [arguments.job] if arguments.job else [])
        apps = sorted(key for key in answering_apps(ledger, run) if named is None or key in named)
        if len(apps) != 1:
            found = f"{len(apps)} apps of run {run.id} run: {', '.join(apps)}" if apps else ""
            raise OperatorError(
                found or f"no app of run {run.id} runs",
                remedy="name one of them" if apps else "'windlass show' says how it stands",
            )
        ask(ledger, place, "stop", {"run_id": run.id, "job": apps[0]}, timeout_s=arguments.timeout)
    if arguments.json:
        invocation.print_json({"run": run.id, "job": apps[0]})
    else:
        invocation.print(f"run {run.id}: the app '{apps[0]}' is being stopped")
    return 0
