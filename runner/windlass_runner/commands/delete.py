"""`windlass delete`: removes runs for good, with their logs and what they put out; or a workflow."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, add_place

if TYPE_CHECKING:
    from windlass_runner.ledger.ledger import Ledger
    from windlass_runner.run.storage import Storage

EXAMPLE = """
windlass delete 1m7y5x
windlass delete 'train#3' 'train#4' --json
windlass delete classify --yes      # the workflow's file, its subscription and what that wrote
"""


def configure(parser: ArgumentParser) -> None:
    """The runs, or the workflows."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="an id, the beginning of one, WORKFLOW#NUMBER, or 'latest'; or a workflow of this repository",
    )
    parser.add_argument("--yes", "-y", action="store_true", help="delete workflows unasked")
    parser.add_argument(
        "--force", action="store_true", help="with a workflow: also files of its sample that you edited"
    )
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Remove them, the newest first. Where one of them is not known, none is removed."""
    from windlass_runner.commands.workflow_deletion import delete_workflows, split_words

    workflows, runs = split_words(arguments, invocation)
    if workflows and not delete_workflows(workflows, arguments, invocation):
        return 1
    return _remove_runs(runs, arguments, invocation) if runs else 0


def _remove_runs(words: tuple[str, ...], arguments: Namespace, invocation: Invocation) -> int:
    from windlass_registry.errors import OperatorError
    from windlass_runner.commands.chosen_run import find_run
    from windlass_runner.commands.context import find_place, open_ledger

    place = find_place(arguments, invocation)
    with open_ledger(place) as ledger:
        wanted = {find_run(ledger, each).id for each in words}
        answers = [_remove(ledger, place.storage, run_id) for run_id in sorted(wanted, reverse=True)]
    for answer in answers:
        _tell(answer, arguments, invocation)
    kept = [answer["run_id"] for answer in answers if not answer["is_removed"]]
    if kept:
        remedy = "'windlass cancel' ends what goes on; delete what was run again together with that"
        raise OperatorError(f"not removed: {', '.join(kept)}", remedy=remedy)
    return 0


def _remove(ledger: Ledger, storage: Storage, run_id: str) -> dict[str, Any]:
    """What became of it, as it is printed for programs."""
    from windlass_registry.errors import OperatorError
    from windlass_runner.daemon.storage_use import folder_bytes
    from windlass_runner.run.removal import remove_run

    size_bytes = folder_bytes(storage.run(run_id)) + folder_bytes(storage.leaving(run_id))
    try:
        reason = remove_run(ledger, storage, run_id, at=time.time())
    except OperatorError as error:
        reason = str(error)
    is_removed = reason is None
    return {
        "run_id": run_id,
        "is_removed": is_removed,
        "freed_bytes": size_bytes if is_removed else 0,
        "reason": reason,
    }


def _tell(answer: dict[str, Any], arguments: Namespace, invocation: Invocation) -> None:
    from windlass_runner.commands.paint import size

    if arguments.json:
        invocation.print_json(answer)
    elif answer["is_removed"]:
        invocation.print(f"run {answer['run_id']} is removed: {size(answer['freed_bytes'])} freed")
    else:
        invocation.say(f"run {answer['run_id']} stays: {answer['reason']}")
