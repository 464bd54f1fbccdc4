"""`windlass publish`: a folder becomes a release that everybody can check and nobody can change."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass publish actions/train
windlass publish . --namespace acme --version 1.2.0 --notes NEWS.md
windlass publish actions/train --dry-run    # everything but the publication
"""


def configure(parser: ArgumentParser) -> None:
    """What to publish, as what, and where."""
    parser.add_argument("folder", metavar="DIR", help="the package: a folder with action.yml")
    parser.add_argument("--registry", metavar="NAME", help="which registry (the only one)")
    parser.add_argument("--namespace", metavar="NAME", help="whose it is (the one whose key is here)")
    parser.add_argument("--name", metavar="NAME", help="what it is called (as its folder)")
    parser.add_argument("--version", metavar="V", help="where neither the manifest nor a git tag has one")
    parser.add_argument("--notes", metavar="FILE|TEXT", default="", help="what is new, for those who upgrade")
    parser.add_argument(
        "--measured", metavar="FILE", help="what 'action test --measure FILE' wrote (of this machine)"
    )
    parser.add_argument("--passphrase-file", metavar="FILE", help="the release key's passphrase, in a file")
    parser.add_argument("--dry-run", action="store_true", help="check everything and publish nothing")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Publish one folder."""
    from windlass_runner.commands.publishing import publish

    return publish(arguments, invocation)
