"""`windlass advise`: a security notice: tell everybody that releases of a package are dangerous."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_registry.advisories import SEVERITIES
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass advise acme/train --versions '<1.2.0' --severity high --title 'Logs the token' --file notice.md
windlass advise acme/train --versions '>=1.0.0 <1.2.0' --severity low --title 'Reads more' --text 'Update.'
windlass advise acme/train --withdraw WN-1f3a9c20
"""


def configure(parser: ArgumentParser) -> None:
    """Which releases, how bad, and what to tell."""
    parser.add_argument("package", metavar="NAME", help="as acme/train")
    parser.add_argument(
        "--versions", metavar="RANGE", help="'<1.2.0', '>=1.0.0 <1.2.0', '1.1.0', 'v1', or 'all'"
    )
    parser.add_argument("--severity", choices=SEVERITIES, help="how bad it is for who uses them")
    parser.add_argument("--title", metavar="TEXT", help="what is wrong, in a line")
    text = parser.add_mutually_exclusive_group()
    text.add_argument("--text", metavar="TEXT", help="what can happen, and what to do")
    text.add_argument("--file", metavar="FILE", help="the same, in a file")
    parser.add_argument("--withdraw", metavar="ID", help="take a notice back: it was wrong")
    parser.add_argument("--dry-run", action="store_true", help="show which releases it is about, and stop")
    parser.add_argument("--registry", metavar="NAME", help="which registry (the only one)")
    parser.add_argument("--passphrase-file", metavar="FILE", help="the release key's passphrase, in a file")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Sign it."""
    from windlass_runner.commands import advising

    return (
        advising.withdraw(arguments, invocation)
        if arguments.withdraw
        else advising.advise(arguments, invocation)
    )
