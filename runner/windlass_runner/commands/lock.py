"""`windlass lock`: pins the actions and images that workflows use, so that what runs is what was locked."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from windlass_registry.errors import AuthorError, OperatorError
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.lock_settings import cool_down
from windlass_runner.commands.options import add_json

if TYPE_CHECKING:
    from pathlib import Path

    from windlass_registry.catalog import Catalog
    from windlass_registry.choosing import Rules
    from windlass_registry.lock import LockFile
    from windlass_runner.upkeep.image_pins import Pinned
    from windlass_runner.upkeep.locking import Looked

EXAMPLE = """
windlass lock                              # pin what is not pinned yet
windlass lock --upgrade                    # pin what is there now, if it is a week old
windlass lock --upgrade acme/train python:3.12 --no-cool-down
windlass lock --upgrade --dry-run          # only say what would change, and what is new in it
windlass lock --check                      # exit 2 where something is not pinned
"""


def configure(parser: ArgumentParser) -> None:
    """What to do with pins that are there."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--upgrade",
        nargs="*",
        metavar="NAME",
        help="choose anew: these actions and images, all where none is named",
    )
    what.add_argument("--check", action="store_true", help="write nothing; say whether all is pinned")
    parser.add_argument("--dry-run", action="store_true", help="write nothing; say what would change")
    waiting = parser.add_mutually_exclusive_group()
    waiting.add_argument(
        "--cool-down",
        type=cool_down,
        metavar="SPAN",
        help="take no release that is younger, as 7d, 36h, 2w "
        "(--upgrade: 7d; or cool-down-days under lock in .windlass/settings.yaml)",
    )
    waiting.add_argument("--no-cool-down", action="store_true", help="take the newest, however young")
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Write the lock, or check it."""
    from windlass_registry.lock import LockFile
    from windlass_registry.lockfile import load_lock, save_lock
    from windlass_runner.commands.context import repository_root
    from windlass_runner.commands.lock_changes import changes_of
    from windlass_runner.commands.lock_report import LockReport
    from windlass_runner.commands.registries import open_catalog

    root = repository_root(invocation.folder)
    if root is None:
        raise OperatorError("this is not a git repository", remedy="go to the folder of one")
    catalog = open_catalog(invocation, config=arguments.config)
    found = load_lock(root)
    old = found or LockFile()
    looked = _looked(arguments, invocation, root, old=old, catalog=catalog)
    if looked.problems:
        raise AuthorError(*looked.problems)
    pinned = _images(arguments, invocation, looked, old=old)
    pins = looked.lock.pins()
    new = LockFile(pins=pins.pins, images=pinned.images, datasets=old.datasets, models=old.models)
    changes = changes_of(old, new, catalog)
    is_written = not (arguments.check or arguments.dry_run) and (bool(changes) or found is None)
    if is_written:
        save_lock(root, new)
    report = LockReport(changes=changes, lock=looked.lock, pinned=pinned, new=new, is_written=is_written)
    report.tell(invocation, is_json=arguments.json)
    return 2 if arguments.check and any(each.after is not None for each in changes) else 0


def _looked(
    arguments: Namespace, invocation: Invocation, root: Path, *, old: LockFile, catalog: Catalog
) -> Looked:
    from windlass_runner.commands.fetch_news import fetch_news
    from windlass_runner.commands.locking import look_up_repository, upgrade_repository

    rules = _rules(arguments, invocation, root)
    hear = fetch_news(invocation)
    if arguments.upgrade is None:
        return look_up_repository(root, pins=old, catalog=catalog, rules=rules, on_fetch=hear)
    names = frozenset(arguments.upgrade)
    _refuse_unknown(names, old)
    return upgrade_repository(root, old=old, names=names, catalog=catalog, rules=rules, on_fetch=hear)


def _rules(arguments: Namespace, invocation: Invocation, root: Path) -> Rules:
    from dataclasses import replace
    from datetime import UTC, datetime

    from windlass_registry.choosing import CoolDown, Rules
    from windlass_registry.policy import Policy
    from windlass_runner.commands.planning import own_settings
    from windlass_runner.upkeep.lock_settings import UPGRADE_COOL_DOWN, repository_cool_down

    settings = own_settings(arguments, invocation)
    policy = settings.policy if settings is not None else Policy()
    policy = replace(policy, require_lock=False)  # that is what is being made
    period = arguments.cool_down
    if period is None and not arguments.no_cool_down:
        period = repository_cool_down(root)
        if period is None and arguments.upgrade is not None:
            period = UPGRADE_COOL_DOWN
    now = datetime.now(UTC)
    return Rules(
        policy=policy,
        cool_down=None if period is None else CoolDown(period=period, now=now),
        asks_for_news=True,
    )


def _refuse_unknown(names: frozenset[str], old: LockFile) -> None:
    from windlass_registry.errors import Problem
    from windlass_registry.lockfile import LOCK_PATH
    from windlass_registry.near_words import did_you_mean
    from windlass_runner.commands.locking import is_named

    known = {*old.images, *(pin.name for pin in old.pins.values())}
    for name in sorted(names):
        if name in known or any(is_named(uses, pin, frozenset({name})) for uses, pin in old.pins.items()):
            continue
        message, remedy = f"the lock pins nothing called '{name}'", did_you_mean(name, known)
        raise AuthorError(Problem(path=LOCK_PATH, line=0, column=0, message=message, remedy=remedy))


def _images(arguments: Namespace, invocation: Invocation, looked: Looked, *, old: LockFile) -> Pinned:
    """The images that the workflows name. The engine is asked only where one of them is not pinned."""
    from windlass_runner.commands.planning import own_settings
    from windlass_runner.upkeep.image_pins import Pinned, named_by, pin_images

    named = named_by(looked.workflows, looked.lock)
    anew = frozenset[str]()
    if arguments.upgrade is not None:
        anew = frozenset(arguments.upgrade or named.images)
    known = {name: old.images[name] for name in named.images if name in old.images}
    if set(known) == set(named.images) and not anew & set(named.images):
        return Pinned(images=known, unpinned=named.unpinned)

    from windlass_runner.daemon.host import open_digests

    settings = own_settings(arguments, invocation)
    digests = open_digests(settings.hosts[0] if settings is not None else None, invocation.environment)
    try:
        pinned = pin_images(named.images, old=known, anew=anew, digests=digests)
    finally:
        digests.close()
    return Pinned(images=pinned.images, notes=pinned.notes, unpinned=(*named.unpinned, *pinned.unpinned))
