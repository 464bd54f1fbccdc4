"""`windlass copy`: a workflow of this repository under another name, with its files; no subscription."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass copy classify classify-mine
windlass copy classify letters --folder experiments/letters
"""


def configure(parser: ArgumentParser) -> None:
    """Which one, and what to call the copy."""
    parser.add_argument("workflow", metavar="WORKFLOW", help="a workflow of this repository")
    parser.add_argument("name", metavar="NEW", help="the copy's name")
    parser.add_argument(
        "--folder", metavar="FOLDER", help="where the files of a subscribed one go (a folder of the new name)"
    )
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Write the copy. Overwrites nothing."""
    from windlass_runner.commands.workflow_copies import copy_workflow

    written = copy_workflow(arguments.workflow, arguments.name, arguments.folder, invocation)
    if arguments.json:
        invocation.print_json({"name": arguments.name, "files": written})
        return 0
    for path in written:
        invocation.say(f"wrote  {path}")
    invocation.say(f"'{arguments.name}' is yours: no update touches it")
    return 0
