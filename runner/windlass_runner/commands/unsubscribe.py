"""`windlass unsubscribe`: the workflow stays, and hears of no more updates; `--delete` takes it away."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_registry.errors import OperatorError
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass unsubscribe classify            # what was written stays
windlass unsubscribe classify --delete   # and goes, but for files that you edited
"""


def configure(parser: ArgumentParser) -> None:
    """Which one, and whether its files go."""
    parser.add_argument("name", metavar="NAME", help="the workflow's name in this repository")
    parser.add_argument("--delete", action="store_true", help="delete what it wrote, but for what you edited")
    parser.add_argument("--force", action="store_true", help="with --delete: edited files too")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Forget the subscription; with `--delete`, its files."""
    from windlass_registry.samples.subscriptions import load_subscriptions, unknown_subscription
    from windlass_runner.commands.context import repository_root
    from windlass_runner.commands.subscribing import delete_files, save_subscriptions, write_lock

    root = repository_root(invocation.folder)
    if root is None:
        raise OperatorError("this is not a git repository", remedy="go to the folder of one")
    known = load_subscriptions(root)
    if arguments.name not in known:
        raise unknown_subscription(arguments.name, known)
    one = known.pop(arguments.name)
    gone, kept = (
        delete_files(root, one, is_forced=arguments.force) if arguments.delete else ([], [*one.files])
    )
    if gone:
        write_lock(root, invocation, pins_images=False)
    save_subscriptions(root, known)
    if arguments.json:
        invocation.print_json({"name": one.name, "deleted": gone, "kept": kept})
        return 0
    for path in gone:
        invocation.say(f"deleted  {path}")
    for path in kept if arguments.delete else ():
        invocation.say(f"kept     {path} (you edited it; --force deletes it too)")
    invocation.say(f"'{one.name}' is subscribed to {one.sample} no more")
    return 0
