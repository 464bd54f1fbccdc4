"""`windlass tokens`: who may use the daemon's HTTP API."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json, add_place

if TYPE_CHECKING:
    from windlass_runner.commands.context import Place
    from windlass_runner.ledger.ledger import Ledger
    from windlass_runner.ledger.records import TokenRecord

EXAMPLE = """
windlass tokens create github-ci --scope read --scope run --repository digits --expires 90d
windlass tokens list
windlass tokens revoke github-ci
"""
SCOPES: Final = ("read", "run", "approve", "admin")


def configure(parser: ArgumentParser) -> None:
    """What to do, and with which token."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
    create = actions.add_parser("create", help="make one; its text is shown this once", allow_abbrev=False)
    create.add_argument("name", metavar="NAME", help="what it is called")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=SCOPES,
        metavar="SCOPE",
        dest="scopes",
        help="what it may do: read, run (start, cancel, run again), approve (let jobs pass gates) or "
        "admin (everything); may be given again",
    )
    create.add_argument(
        "--repository",
        action="append",
        default=[],
        metavar="NAME",
        dest="repositories",
        help="only this watched repository (all); may be given again",
    )
    create.add_argument("--expires", type=lifetime, metavar="TIME", help="for so long, as 90d (for ever)")
    listing = actions.add_parser("list", help="all, with their last use", allow_abbrev=False)
    revoke = actions.add_parser("revoke", help="take one away, at once", allow_abbrev=False)
    revoke.add_argument("name", metavar="NAME", help="its name or id")
    for each in (create, listing, revoke):
        add_place(each)
        add_json(each)


def lifetime(text: str) -> float:
    """A length of time above zero, in seconds."""
    from windlass_runner.workflow.quantities import duration_s

    seconds = duration_s(text)
    if not seconds:
        raise ArgumentTypeError(f"'{text}' is not a length of time, as 12h or 90d")
    return seconds


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Make one and show its text this once, list them, or take one away."""
    from windlass_registry.errors import OperatorError
    from windlass_runner.commands.context import find_place

    place = find_place(arguments, invocation)
    if not place.is_daemon:
        raise OperatorError(f"no daemon works on {place.origin}", remedy="name its settings with --config")
    with _open(place, create=arguments.action == "create") as ledger:
        match arguments.action:
            case "create":
                _create(ledger, arguments, invocation)
            case "list":
                _list(ledger, arguments, invocation)
            case _:
                _revoke(ledger, arguments, invocation)
    return 0


def _open(place: Place, *, create: bool) -> Ledger:
    """The daemon's ledger; made for the first token where no daemon has begun yet.

    Raises:
        OperatorError: there is none, and so there are no tokens.
    """
    from windlass_registry.errors import OperatorError
    from windlass_runner.ledger.errors import LedgerMissing
    from windlass_runner.ledger.ledger import Ledger

    try:
        return Ledger.open(place.database or place.storage.ledger, create=create)
    except LedgerMissing as error:
        raise OperatorError(
            f"there are no tokens yet: {place.origin} has no ledger ({place.storage.root})",
            remedy="'windlass tokens create NAME --scope read' makes the first one",
        ) from error


def _create(ledger: Ledger, arguments: Namespace, invocation: Invocation) -> None:
    from windlass_runner.web.tokens import mint

    token, text = mint(
        arguments.name,
        scopes=arguments.scopes,
        repositories=arguments.repositories,
        at=time.time(),
        lifetime_s=arguments.expires,
    )
    ledger.tokens.add(token)
    if arguments.json:
        invocation.print_json({**_json(token), "token": text})
        return
    invocation.print(text)
    invocation.say("keep it now: only its digest is stored, and nothing shows it again")


def _revoke(ledger: Ledger, arguments: Namespace, invocation: Invocation) -> None:
    gone = ledger.tokens.revoke(arguments.name)
    if arguments.json:
        invocation.print_json(_json(gone))
    else:
        invocation.say(f"token '{gone.name}' ({gone.id}) is worth nothing any more")


def _list(ledger: Ledger, arguments: Namespace, invocation: Invocation) -> None:
    found = ledger.tokens.list()
    if arguments.json:
        for token in found:
            invocation.print_json(_json(token))
        return
    for token in found:
        invocation.print(_line(token, now=time.time(), width=max(len(each.name) for each in found)))
    if not found:
        invocation.say("no tokens; make one with 'windlass tokens create NAME --scope read'")


def _json(token: TokenRecord) -> dict[str, Any]:
    data = asdict(token)
    del data["digest"]
    return data


def _line(token: TokenRecord, *, now: float, width: int) -> str:
    from windlass_runner.commands.paint import duration, tame

    end = "does not expire"
    if token.expires_at is not None:
        day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(token.expires_at))
        end = f"{'expired' if token.expires_at <= now else 'expires'} {day}"
    used = "never used" if token.last_used_at is None else f"used {duration(now - token.last_used_at)} ago"
    where = ", ".join(token.repositories) or "all repositories"
    name = f"{token.name:<{width}}"
    return tame(f"{token.id}  {name}  {','.join(token.scopes)}  {where}  {end}  {used}")
