"""`windlass approve`: lets the jobs of a run through the gates at which they wait, or turns them away."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, add_patience, add_place, add_run

EXAMPLE = """
windlass approve latest
windlass approve 1m7y5x production --comment 'looks good'   # a job or an environment
windlass approve 1m7y5x deploy --reject --comment 'not on a Friday'
"""


def configure(parser: ArgumentParser) -> None:
    """The run, the jobs, and what to say."""
    add_run(parser)
    parser.add_argument(
        "jobs", nargs="*", metavar="JOB", help="a job or an environment (all that wait); may be given again"
    )
    parser.add_argument("--reject", action="store_true", help="turn them away: the jobs fail")
    parser.add_argument("--comment", default="", metavar="TEXT", help="why; shown with the run")
    parser.add_argument(
        "--as", dest="actor", metavar="NAME", help="who says so, as the approvers are named (your login here)"
    )
    add_patience(parser)
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Answer, through the daemon where there is one."""
    from windlass_runner.commands.asking import ask
    from windlass_runner.commands.chosen_run import find_run
    from windlass_runner.commands.context import find_place, open_ledger
    from windlass_runner.commands.planning import login
    from windlass_runner.ledger.gate_records import Answer
    from windlass_runner.run.answers import record_answer

    here = login(invocation.environment)
    who = arguments.actor or here
    via = "command line" + (f" of {here}" if here != who else "")
    place = find_place(arguments, invocation)
    with open_ledger(place) as ledger:
        run = find_run(ledger, arguments.run)
        if place.is_daemon:
            payload = {
                "run_id": run.id,
                "jobs": arguments.jobs,
                "approve": not arguments.reject,
                "actor": who,
                "comment": arguments.comment,
                "via": via,
            }
            keys = tuple(ask(ledger, place, "answer", payload, timeout_s=arguments.timeout)["jobs"])
        else:  # the process that runs it sees it
            answer = Answer(
                actor=who,
                is_approval=not arguments.reject,
                comment=arguments.comment,
                via=via,
                at=time.time(),
            )
            keys = record_answer(ledger, run, answer, names=arguments.jobs, report=False)
    word = "rejected" if arguments.reject else "approved"
    if arguments.json:
        invocation.print_json({"run_id": run.id, "jobs": list(keys), "answer": word, "actor": who})
    else:
        invocation.print(f"run {run.id}: {', '.join(keys) or 'nothing new'} {word} by {who}")
    return 0
