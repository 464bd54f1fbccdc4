"""`windlass lock`: pins every action that the workflows use, so that what runs is what was locked."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_registry.errors import AuthorError, OperatorError
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

EXAMPLE = """
windlass lock              # pin what is not pinned yet
windlass lock --upgrade    # pin the newest releases
windlass lock --check      # exit 2 where something is not pinned
"""


def configure(parser: ArgumentParser) -> None:
    """What to do with pins that are there."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--upgrade", action="store_true", help="choose the newest releases anew")
    what.add_argument("--check", action="store_true", help="write nothing; say whether all is pinned")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Write the lock, or check it."""
    from windlass_registry.lockfile import LOCK_PATH, load_lock, save_lock
    from windlass_runner.commands.context import repository_root
    from windlass_runner.commands.locking import lock_repository
    from windlass_runner.commands.registries import open_catalog

    root = repository_root(invocation.folder)
    if root is None:
        raise OperatorError("this is not a git repository", remedy="go to the folder of one")
    old = load_lock(root)
    lock, problems = lock_repository(
        root, pins=None if arguments.upgrade else old, catalog=open_catalog(invocation)
    )
    if problems:
        raise AuthorError(*problems)
    new = lock.pins()
    known = old.pins if old is not None else {}
    changes = {uses: pin for uses, pin in new.pins.items() if known.get(uses) != pin}
    gone = [uses for uses in known if uses not in new.pins]
    if not arguments.check and (changes or gone or old is None):
        save_lock(root, new)
    if arguments.json:
        invocation.print_json({"pinned": sorted(new.pins), "changed": sorted(changes), "removed": gone})
    else:
        for uses, pin in changes.items():
            invocation.print(f"{uses} → {pin.name} {pin.version}  {pin.digest[:19]}…")
        for uses in gone:
            invocation.print(f"{uses}: no workflow uses it any more")
        if not changes and not gone:
            invocation.say(f"{LOCK_PATH} is up to date")
    return 2 if arguments.check and changes else 0
