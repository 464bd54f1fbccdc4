"""`windlass action`: begin an action of your own, and hold its examples against what it does."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Final

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass action new word-count --using python
windlass action test word-count
windlass action test . --example "Two files" --engine process
"""
_ACTIONS: Final = {
    "new": "a folder with an action that works, to begin from",
    "test": "run the action's examples, and compare what comes of them with what they promise",
}
USING: Final = ("python", "docker", "composite", "node", "workflow")


def configure(parser: ArgumentParser) -> None:
    """What to do, with which folder."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(_ACTIONS))
    made = {name: actions.add_parser(name, help=line, allow_abbrev=False) for name, line in _ACTIONS.items()}
    _configure_new(made["new"])
    _configure_test(made["test"])


def _configure_new(parser: ArgumentParser) -> None:
    parser.add_argument("name", type=_name, metavar="NAME", help="what others will write after 'uses:'")
    parser.add_argument("folder", nargs="?", metavar="DIR", help="where to put it (./NAME)")
    parser.add_argument(
        "--using", choices=USING, default="python", help="what it is written in (%(default)s)"
    )


def _configure_test(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", default=".", metavar="DIR", help="the action's folder (this one)"
    )
    parser.add_argument(
        "--example", "-e", metavar="NAME", action="append", default=[], help="only the example of that name"
    )
    parser.add_argument(
        "--all", action="store_true", help="also examples that need the network, secrets or files"
    )
    parser.add_argument("--engine", choices=("docker", "process"), help="what runs them (docker)")
    parser.add_argument("--image", metavar="IMAGE", help="the image of jobs whose action brings none")
    parser.add_argument(
        "--secret",
        metavar="NAME",
        action="append",
        default=[],
        help="give the examples the variable NAME of this environment as a secret",
    )
    parser.add_argument(
        "--measure",
        nargs="?",
        const="",
        metavar="FILE",
        help="note run time, memory and image size, for 'windlass publish' (in FILE: for another machine)",
    )
    parser.add_argument("--plain", action="store_true", help="plain lines, also on a terminal")
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    add_json(parser)


def _name(text: str) -> str:
    """A name that a registry takes."""
    if (
        not text.isascii()
        or not text.replace("-", "").isalnum()
        or not text[0].isalnum()
        or text != text.lower()
    ):
        raise ArgumentTypeError(f"'{text}' may have small letters, digits and '-' alone, as in word-count")
    return text


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """0 where it was made, or every example does what it says; 1 where one does not."""
    if arguments.action == "new":
        from windlass_runner.commands.action_new import make_action

        return make_action(arguments, invocation)
    from windlass_runner.commands.action_test import test_action

    return test_action(arguments, invocation)
