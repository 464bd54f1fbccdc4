"""`windlass yank`: tell everybody not to start using a release; who has locked it keeps it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass yank acme/train@1.2.0 --reason 'loses the last checkpoint'
windlass yank acme/train@1.2.0 --undo
"""


def configure(parser: ArgumentParser) -> None:
    """Which release, and why."""
    parser.add_argument("release", metavar="NAME@VERSION", help="as acme/train@1.2.0")
    why = parser.add_mutually_exclusive_group(required=True)
    why.add_argument("--reason", metavar="TEXT", help="what is wrong with it; everybody reads that")
    why.add_argument("--undo", action="store_true", help="it was right after all")
    parser.add_argument("--registry", metavar="NAME", help="which registry (the only one)")
    parser.add_argument("--passphrase-file", metavar="FILE", help="the release key's passphrase, in a file")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Sign it."""
    from windlass_runner.commands.marking import yank

    return yank(arguments, invocation)
