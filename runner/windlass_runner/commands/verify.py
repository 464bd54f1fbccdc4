"""`windlass verify`: who vouches for what a lock pins, one line a check."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass verify                     # all that this repository's lock pins
windlass verify acme/train@1.2.0    # one release
windlass verify --offline           # by what was read last
"""


def configure(parser: ArgumentParser) -> None:
    """What to check."""
    parser.add_argument(
        "what", nargs="?", metavar="FILE|NAME@VERSION", help="a lock, or a release (this repository's lock)"
    )
    parser.add_argument("--offline", action="store_true", help="ask no registry: go by what was read last")
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """0 where every check holds, 1 where one does not."""
    from windlass_runner.commands.verifying import verify

    return verify(arguments, invocation)
