"""`windlass github`: make a GitHub App for this daemon, and see what is missing at GitHub."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Final

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass github setup --organization acme --url https://ci.example.org --write
windlass github status
"""
_ACTIONS: Final = {
    "setup": "make a GitHub App in a browser, and store its key here",
    "status": "what the credentials reach at GitHub, and what is missing",
}


def configure(parser: ArgumentParser) -> None:
    """What to do, and with which GitHub."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(_ACTIONS))
    made = {name: actions.add_parser(name, help=line, allow_abbrev=False) for name, line in _ACTIONS.items()}
    for each in made.values():
        each.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    _configure_setup(made["setup"])
    made["status"].add_argument(
        "names", nargs="*", metavar="NAME", help="credentials of the settings (all of them)"
    )
    add_json(made["status"])


def _configure_setup(parser: ArgumentParser) -> None:
    parser.add_argument("--organization", metavar="ORG", help="who shall own the App (you yourself)")
    parser.add_argument(
        "--url", metavar="URL", help="how GitHub reaches the daemon ([server] url); without one it polls"
    )
    parser.add_argument(
        "--name", type=_name, default="github", metavar="NAME", help="the credentials' name (%(default)s)"
    )
    parser.add_argument("--app-name", metavar="NAME", help="the App's name at GitHub (windlass-…)")
    parser.add_argument(
        "--api-url", metavar="URL", help="the API of another GitHub, as https://git.example.org/api/v3"
    )
    parser.add_argument("--web-url", metavar="URL", help="where people see it, where that does not follow")
    parser.add_argument("--write", action="store_true", help="append to the settings, rather than print")
    parser.add_argument("--no-browser", action="store_true", help="open none: print the address")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until the App is installed")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="of the page here (any free one)")
    parser.add_argument(
        "--timeout", type=float, default=900.0, metavar="S", help="how long to wait for you (%(default)g)"
    )


def _name(text: str) -> str:
    """A bare key of TOML, which is a file's name too."""
    if not text.isascii() or not text.replace("-", "").replace("_", "").isalnum():
        raise ArgumentTypeError(f"'{text}' may have letters, digits, '-' and '_' alone")
    return text


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """0 where nothing is missing; 3 where the owner has something to do, 4 where GitHub does not answer."""
    if arguments.action == "setup":
        from windlass_runner.commands.github_setup import set_up

        return set_up(arguments, invocation)
    from windlass_runner.commands.github_status import tell_status

    return tell_status(arguments, invocation)
