"""`windlass keys`: the keys that publish, and what to do when one is lost."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Final

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass keys new acme
windlass keys list
windlass keys rotate acme             # a new release key, signed by the owner's
windlass keys revoke acme.release     # it got into other hands: never again
"""
_ACTIONS: Final = {
    "new": "make the two keys of a namespace",
    "list": "the keys that are here",
    "claim": "sign for a namespace that another key owned, for its registry's owner to grant",
    "rotate": "sign with a new release key from now on",
    "renew": "sign anew who may publish, before that runs out",
    "revoke": "a release key got into other hands: take it away, and show what it signed",
}


def configure(parser: ArgumentParser) -> None:
    """What to do, and with which keys."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(_ACTIONS))
    made = {name: actions.add_parser(name, help=line, allow_abbrev=False) for name, line in _ACTIONS.items()}
    made["new"].add_argument("name", metavar="NAME", help="the namespace that they are for")
    made["rotate"].add_argument("namespace", metavar="NAMESPACE", help="whose release key")
    made["rotate"].add_argument("--key", metavar="KEY", help="which of several it replaces")
    made["rotate"].add_argument("--add", action="store_true", help="sign beside the others")
    made["rotate"].add_argument("--threshold", type=int, metavar="N", help="how many must sign (as before)")
    made["rotate"].add_argument("--to", metavar="NAME", help="a key that is here already (a new one is made)")
    made["renew"].add_argument("namespace", metavar="NAMESPACE", help="whose")
    made["revoke"].add_argument("key", metavar="KEY", help="its name, or the beginning of its fingerprint")
    made["revoke"].add_argument("--namespace", metavar="NAME", help="whose (as the key's name begins)")
    made["revoke"].add_argument("--to", metavar="NAME", help="the key that signs from now on (a new one)")
    made["revoke"].add_argument("--yank", action="store_true", help="yank all that it signed")
    made["claim"].add_argument("namespace", metavar="NAMESPACE", help="which one")
    made["claim"].add_argument(
        "--keys", required=True, metavar="NAME", help="your keys, as 'keys new NAME' made them"
    )
    made["claim"].add_argument("--out", required=True, metavar="FILE", help="where the claim goes")
    for name in ("claim", "rotate", "renew", "revoke"):
        made[name].add_argument("--registry", metavar="NAME", help="which registry (the only one)")
    for name in ("new", "claim", "rotate", "renew", "revoke"):
        made[name].add_argument("--passphrase-file", metavar="FILE", help="the keys' passphrase, in a file")
    for each in made.values():
        add_json(each)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Do it; see the functions of the modules."""
    match arguments.action:
        case "new":
            from windlass_runner.commands.key_files import make

            return make(arguments, invocation)
        case "list":
            from windlass_runner.commands.key_files import tell

            return tell(arguments, invocation)
        case "claim":
            from windlass_runner.commands.key_claims import claim

            return claim(arguments, invocation)
        case "rotate":
            from windlass_runner.commands.key_changes import rotate

            return rotate(arguments, invocation)
        case "renew":
            from windlass_runner.commands.key_changes import renew

            return renew(arguments, invocation)
        case _:
            from windlass_runner.commands.key_changes import revoke

            return revoke(arguments, invocation)
