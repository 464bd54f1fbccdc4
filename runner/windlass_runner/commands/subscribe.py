"""`windlass subscribe`: brings a sample workflow into this repository, and keeps it up to date."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_registry.errors import OperatorError
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, pair

EXAMPLE = """
windlass subscribe classify@v1                       # asks for what it needs
windlass subscribe classify@v1 --param epochs=5 --accept
windlass subscribe --update                          # newer releases, merged with your edits
windlass subscribe --update classify --branch --push # offered as a branch
windlass subscribe --update classify@v2              # on to another range of releases
"""


def configure(parser: ArgumentParser) -> None:
    """A new subscription, or news of those there are."""
    parser.add_argument(
        "sample",
        nargs="?",
        metavar="NAME[@VERSION]",
        help="the sample; with --update, one of the subscriptions",
    )
    parser.add_argument(
        "--param",
        "-p",
        action="append",
        default=[],
        type=pair,
        metavar="NAME=VALUE",
        dest="parameters",
        help="a parameter; may be given again",
    )
    parser.add_argument("--as", metavar="NAME", dest="name", help="what to call the workflow here")
    parser.add_argument("--folder", metavar="FOLDER", help="where its files go (a folder of its name)")
    parser.add_argument("--accept", action="store_true", help="accept its licence and agreement unasked")
    parser.add_argument("--update", "-u", action="store_true", help="bring subscriptions up to date")
    parser.add_argument(
        "--branch", action="store_true", help="with --update: commit it on a branch of its own"
    )
    parser.add_argument("--push", action="store_true", help="with --branch: push the branch to 'origin'")
    parser.add_argument(
        "--pull-request",
        action="store_true",
        help="with --push: open it at the forge, with the credentials of the settings",
    )
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    parser.add_argument("--dry-run", action="store_true", help="write nothing; say what would be written")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Subscribe, or update."""
    arguments.push |= arguments.pull_request
    if arguments.update:
        from windlass_runner.commands.subscription_updates import update_subscriptions

        return update_subscriptions(arguments, invocation)
    if arguments.branch or arguments.push or arguments.pull_request:
        raise OperatorError("--branch, --push and --pull-request are for updates", remedy="say --update too")
    if arguments.sample is None:
        raise OperatorError("which sample?", remedy="'windlass samples' lists them")
    from windlass_runner.commands.subscribing import subscribe

    return subscribe(arguments, invocation)
