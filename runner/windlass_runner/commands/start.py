"""`windlass start`: has the daemon start a workflow of a repository that it watches."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_registry.errors import OperatorError
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_inputs, add_json, add_patience, add_place, merged

EXAMPLE = """
windlass start train --input epochs=10 --ref main --wait
"""


def configure(parser: ArgumentParser) -> None:
    """The workflow, its inputs, its commit."""
    parser.add_argument("workflow", metavar="WORKFLOW", help="its name, or the file's")
    add_inputs(parser)
    parser.add_argument("--ref", metavar="REF", help="a branch or tag (the default branch)")
    parser.add_argument("--repository", metavar="NAME", help="which of the watched repositories")
    parser.add_argument("--wait", action="store_true", help="show it live, and exit as it ends")
    parser.add_argument("--plain", action="store_true", help="plain lines, also on a terminal")
    add_patience(parser)
    add_place(parser)
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Ask for it, and with `--wait` follow it."""
    from windlass_runner.commands.asking import ask
    from windlass_runner.commands.context import find_place, open_ledger
    from windlass_runner.commands.planning import actor
    from windlass_runner.commands.telling import tell_begun

    place = find_place(arguments, invocation)
    if not place.is_daemon:
        raise OperatorError(
            f"no daemon works on {place.origin}",
            remedy="name its settings with --config, or run it here with 'windlass run'",
        )
    payload = {
        "workflow": arguments.workflow,
        "repository": arguments.repository,
        "ref": arguments.ref,
        "inputs": merged(arguments.inputs),
        "actor": actor(invocation.environment),
    }
    with open_ledger(place) as ledger:
        answer = ask(ledger, place, "start", payload, timeout_s=arguments.timeout)
        return tell_begun(answer, ledger, place.storage, arguments=arguments, invocation=invocation)
