"""`windlass logs`: what the jobs of a run wrote; with `-f` also what they still write."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, add_place, add_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from windlass_runner.commands.following import Display
    from windlass_runner.commands.run_view import JobLine, RunView

EXAMPLE = """
windlass logs -f             # the latest run, live
windlass logs 1m7y5x train
"""


def configure(parser: ArgumentParser) -> None:
    """The run, the jobs, whether to go on."""
    add_run(parser, is_optional=True)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="only these jobs")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Print the lines; with `-f` the exit code is the run's."""
    from windlass_runner.commands.chosen_jobs import keys_of
    from windlass_runner.commands.chosen_run import find_run
    from windlass_runner.commands.context import find_place, open_ledger
    from windlass_runner.commands.following import Follower, follow, ledger_pause
    from windlass_runner.commands.telling import exit_code

    place = find_place(arguments, invocation)
    with open_ledger(place) as ledger:
        run = find_run(ledger, arguments.run)
        if run.state == "failure" and not ledger.runs.jobs(run.id):
            invocation.say(
                f"run {run.id} has no logs: its workflow was refused; see 'windlass show {run.id}'"
            )
            return 1 if arguments.follow else 0
        keys = keys_of(ledger, run, arguments.jobs)
        follower = Follower(ledger, place.storage, run.id, jobs=keys)
        display = _display(arguments, invocation, only_one=keys is not None and len(keys) == 1)
        if not arguments.follow:
            lines = follower.read()
            display.update(follower.view, lines)
            display.close(follower.view)
            return 0
        view = follow(follower, display, pause=ledger_pause(ledger))
    return exit_code(view)


class _JsonLines:
    """A `Display` for programs: one object for each line."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def update(self, view: RunView, lines: Sequence[JobLine]) -> None:
        for item in lines:
            line = asdict(item.line)
            del line["offset"]
            self._invocation.print_json({"job": item.job_key, "attempt": item.attempt, **line})

    def close(self, view: RunView) -> None:
        self._invocation.out.flush()


def _display(arguments: Namespace, invocation: Invocation, *, only_one: bool) -> Display:
    from windlass_runner.commands.paint import Paint
    from windlass_runner.commands.plain_progress import PlainProgress

    if arguments.json:
        return _JsonLines(invocation)
    paint = Paint(invocation.has_colour(invocation.out))
    return PlainProgress(
        invocation.out, paint, with_states=arguments.follow and not only_one, with_names=not only_one
    )
