"""Arguments that several commands share."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, _ActionsContainer
from collections.abc import Iterable


def add_json(parser: _ActionsContainer) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print data for programs")


def add_place(parser: ArgumentParser) -> None:
    """`--config` and `--storage`: whose runs are meant; see `context.find_place`."""
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    parser.add_argument("--storage", metavar="FOLDER", help="the folder that holds the ledger and the runs")


def add_run(parser: ArgumentParser, *, is_optional: bool = False) -> None:
    """`RUN`; see `chosen_run.find_run`."""
    text = "an id, the beginning of one, WORKFLOW#NUMBER, or 'latest'"
    if is_optional:
        parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help=text)
    else:
        parser.add_argument("run", metavar="RUN", help=text)


def add_patience(parser: ArgumentParser) -> None:
    """`--timeout`: for commands that ask the daemon."""
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="S", help="how long to wait for the daemon (10)"
    )


def add_inputs(parser: ArgumentParser) -> None:
    """`--input k=v`, any number of times."""
    parser.add_argument(
        "--input",
        "-i",
        action="append",
        default=[],
        type=pair,
        metavar="NAME=VALUE",
        dest="inputs",
        help="an input of the workflow; may be given again",
    )


def add_answers(parser: ArgumentParser) -> None:
    """`--yes` and `--approve`: what is said to the gates of a run in this process."""
    parser.add_argument("--yes", "-y", action="store_true", help="let all jobs through their gates")
    parser.add_argument(
        "--approve",
        metavar="NAME",
        action="append",
        default=[],
        help="let the job or environment NAME through its gate; may be given again",
    )


def pair(text: str) -> tuple[str, str]:
    """`NAME=VALUE` as two texts."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name.strip(), value


def merged(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs as a mapping; the last one of a name wins."""
    return dict(pairs)
