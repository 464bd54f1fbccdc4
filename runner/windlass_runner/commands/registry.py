"""`windlass registry`: begin a registry, say who owns what in it, and choose which ones to believe."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from typing import Final

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass registry init ~/registry
windlass registry grant acme --key acme.owner.pub --verified
windlass registry add https://registry.example.org --root sha256:9f86d0…
windlass registry list
windlass registry serve ~/registry --listen 0.0.0.0:8480
windlass registry store s3://packages/windlass --endpoint https://s3.example.org
windlass registry mirror /media/disk/registry
windlass registry token create acme-ci --namespace acme --expires 90d
"""
_ACTIONS: Final = {
    "init": "begin a registry in a folder",
    "grant": "let a key own a namespace",
    "add": "believe a registry from now on",
    "list": "the registries that are believed here",
    "remove": "forget one",
    "rekey": "sign its own keys anew, or change them, with the root's",
    "refresh": "sign anew what is newest, before it runs out",
    "serve": "let others read it and publish to it, over HTTP",
    "token": "who may publish to a served registry",
    "store": "move its files into a bucket of an S3-compatible store",
    "mirror": "copy it into a folder, to serve or to carry away",
    "push": "copy it into an OCI registry, beside container images",
    "login": "keep the token that a registry's owner gave you",
}


def configure(parser: ArgumentParser) -> None:
    """What to do, and with which registry."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(_ACTIONS))
    made = {name: actions.add_parser(name, help=line, allow_abbrev=False) for name, line in _ACTIONS.items()}
    _configure_init(made["init"])
    _configure_grant(made["grant"])
    _configure_add(made["add"])
    made["remove"].add_argument("name", metavar="NAME", help="as 'registry list' calls it")
    made["refresh"].add_argument(
        "folder", nargs="?", metavar="DIR", help="the registry's (the only one known)"
    )
    made["refresh"].add_argument("--force", action="store_true", help="also where it is not due")
    _configure_rekey(made["rekey"])
    _configure_serve(made["serve"])
    _configure_token(made["token"])
    _configure_store(made["store"])
    _configure_mirror(made["mirror"])
    _configure_push(made["push"])
    made["login"].add_argument("name", nargs="?", metavar="NAME", help="which registry (the only one)")
    made["login"].add_argument("--token-file", metavar="FILE", help="where the token is (asks for it)")
    for each in made.values():
        add_json(each)


def _configure_rekey(parser: ArgumentParser) -> None:
    parser.add_argument("--registry", metavar="NAME", help="which registry (the only one)")
    parser.add_argument("--online", action="store_true", help="the key that signs what is newest")
    parser.add_argument("--targets", action="store_true", help="the key that grants namespaces")
    parser.add_argument("--root", action="store_true", help="the root's key itself")
    _add_passphrase(parser)


def _configure_serve(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", help="the registry's (the only one known)")
    parser.add_argument("--listen", default="127.0.0.1:8480", metavar="HOST:PORT", help="where (%(default)s)")
    parser.add_argument("--url", metavar="URL", help="how others reach it, for lines that people copy")
    _add_database(parser)


def _configure_store(parser: ArgumentParser) -> None:
    parser.add_argument("target", metavar="s3://BUCKET/PREFIX", help="where; the bucket must be there")
    parser.add_argument("--folder", metavar="DIR", help="the registry's (the only one known)")
    parser.add_argument("--endpoint", metavar="URL", help="the store's address (Amazon's)")
    parser.add_argument("--region", metavar="NAME", help="the bucket's (AWS_REGION, us-east-1)")
    parser.add_argument(
        "--path-style",
        action=BooleanOptionalAction,
        help="the bucket in the path, not in the host's name (so where --endpoint is given)",
    )
    parser.add_argument(
        "--credentials",
        metavar="FILE",
        help="keys in AWS's format, for you alone to read (AWS_ACCESS_KEY_ID and so on, ~/.aws, a role)",
    )


def _configure_mirror(parser: ArgumentParser) -> None:
    parser.add_argument(
        "target", metavar="DIR", help="the copy's folder; one that is there is brought up to date"
    )
    _add_choice(parser)


def _configure_push(parser: ArgumentParser) -> None:
    parser.add_argument("target", metavar="oci://HOST/REPOSITORY", help="where; 'docker login' lets you in")
    _add_choice(parser)


def _add_choice(parser: ArgumentParser) -> None:
    parser.add_argument("--registry", metavar="NAME", help="which registry (the only one)")
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        metavar="NAME",
        dest="namespaces",
        help="only the packages of this one; may be given again",
    )


def _configure_token(parser: ArgumentParser) -> None:
    from windlass_runner.commands.tokens import lifetime

    parser.add_argument("verb", choices=("create", "list", "revoke"), metavar="create|list|revoke")
    parser.add_argument("name", nargs="?", metavar="NAME", help="what the token is called")
    parser.add_argument("--folder", metavar="DIR", help="the registry's (the only one known)")
    parser.add_argument(
        "--namespace", metavar="NAME", help="only for this one (all, and the registry itself)"
    )
    parser.add_argument("--expires", type=lifetime, metavar="TIME", help="for so long, as 90d (for ever)")
    _add_database(parser)


def _configure_init(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", help="a new folder (the daemon's own registry)")
    parser.add_argument(
        "--name",
        default="registry",
        metavar="NAME",
        help="what it and its keys are called (%(default)s)",
    )
    _add_passphrase(parser)


def _configure_grant(parser: ArgumentParser) -> None:
    parser.add_argument("namespace", metavar="NAMESPACE", help="what stands before '/' in a name")
    parser.add_argument("--key", required=True, metavar="FILE", help="the owner's public key, a .pub file")
    parser.add_argument("--registry", metavar="NAME", help="which registry (the only one)")
    badge = parser.add_mutually_exclusive_group()
    badge.add_argument("--verified", action="store_true", help="you know who that is: pages show it")
    badge.add_argument("--official", action="store_true", help="it belongs to the registry's owner")
    parser.add_argument("--claim", metavar="FILE", help="what the new owner signed, where there was another")
    parser.add_argument(
        "--despite-likeness", action="store_true", help="also where the name reads like another"
    )
    _add_passphrase(parser)


def _configure_add(parser: ArgumentParser) -> None:
    parser.add_argument("address", metavar="URL|DIR", help="where it is")
    parser.add_argument(
        "--root", metavar="FILE|sha256:…", help="its first root, or the digest of it, as its owner told you"
    )
    parser.add_argument("--name", metavar="NAME", help="what it is called here (its host, or its folder)")
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        metavar="NAME",
        dest="namespaces",
        help="look this namespace up there and nowhere else; may be given again",
    )


def _add_database(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--database",
        metavar="URL",
        help="where tokens and counts are: postgresql://… (WINDLASS_REGISTRY_DATABASE, or a file in DIR)",
    )


def _add_passphrase(parser: ArgumentParser) -> None:
    parser.add_argument("--passphrase-file", metavar="FILE", help="the keys' passphrase, in a file")


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Do it; see the functions of the two modules."""
    from windlass_runner.commands import registry_keeping, registry_list

    match arguments.action:
        case "init":
            return registry_keeping.begin(arguments, invocation)
        case "grant":
            return registry_keeping.grant(arguments, invocation)
        case "rekey":
            return registry_keeping.rekey(arguments, invocation)
        case "refresh":
            return registry_keeping.refresh(arguments, invocation)
        case "add":
            return registry_list.add(arguments, invocation)
        case "remove":
            return registry_list.remove(arguments, invocation)
        case "serve" | "token":
            from windlass_runner.commands import registry_serving

            serving = {"serve": registry_serving.serve, "token": registry_serving.token}
            return serving[arguments.action](arguments, invocation)
        case "store":
            from windlass_runner.commands.registry_store import move

            return move(arguments, invocation)
        case "mirror":
            from windlass_runner.commands.registry_mirror import make_mirror

            return make_mirror(arguments, invocation)
        case "push":
            from windlass_runner.commands.registry_push import push

            return push(arguments, invocation)
        case "login":
            from windlass_runner.commands.registry_login import login

            return login(arguments, invocation)
        case _:
            return registry_list.tell(arguments, invocation)
