"""`windlass deprecate`: say what to use in place of a package, or of one release of it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass deprecate acme/train --successor acme/fit@v1
windlass deprecate acme/train@1.0.0 --successor acme/train@v2 --reason 'no resume'
windlass deprecate acme/train --undo
"""


def configure(parser: ArgumentParser) -> None:
    """Which releases, and what instead."""
    parser.add_argument("release", metavar="NAME[@VERSION]", help="a package, or one release of it")
    parser.add_argument("--successor", metavar="USES", help="what to write instead, as acme/train@v2")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; everybody reads that")
    parser.add_argument("--undo", action="store_true", help="it is good again")
    parser.add_argument("--registry", metavar="NAME", help="which registry (the only one)")
    parser.add_argument("--passphrase-file", metavar="FILE", help="the release key's passphrase, in a file")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Sign it."""
    from windlass_runner.commands.marking import deprecate

    return deprecate(arguments, invocation)
