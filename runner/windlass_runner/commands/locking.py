"""What all workflows of a repository use, pinned: for `lock`, `init` and `subscribe`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from windlass_registry.catalog import Catalog
from windlass_registry.choosing import Rules
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lock import Lock, LockFile, Pin
from windlass_registry.resolver import Fetching
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.workflow_files import find_files, load_file
from windlass_runner.upkeep.image_pins import PATIENCE_S, Digests, lock_with_images
from windlass_runner.upkeep.locking import Looked, look_up_workflows
from windlass_runner.workflow.model import Workflow
from windlass_runner.workflow.parse import parse_workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A lock that was made by the way, and what there is to say of it."""

    lock: Lock
    problems: tuple[Problem, ...]
    """Of what is left out."""
    remarks: tuple[str, ...] = ()
    """Of its images."""


def lock_repository(
    root: Path,
    *,
    pins: LockFile | None,
    catalog: Catalog,
    open_digests: Callable[[], Digests] | None = None,
) -> Locked:
    """Everything that the workflow files use. What `pins` has beside actions is kept.

    `open_digests`: who is asked for images that are not pinned yet; None: these are left as they are.
    """
    looked = look_up_repository(root, pins=pins, catalog=catalog)
    if open_digests is None:
        return Locked(lock=looked.beside(pins), problems=looked.problems)
    lock, pinned = lock_with_images(looked, pins=pins, open_digests=open_digests)
    return Locked(lock=lock, problems=looked.problems, remarks=pinned.remarks())


def digests_soon(invocation: Invocation) -> Callable[[], Digests]:
    """Who knows the images of the host that the settings here name, as far as they answer soon."""
    from windlass_runner.commands.planning import own_settings
    from windlass_runner.daemon.host import open_digests

    def opened() -> Digests:
        settings = own_settings(Namespace(config=None), invocation)
        host = settings.hosts[0] if settings is not None else None
        return open_digests(host, invocation.environment, limit_s=PATIENCE_S)

    return opened


def look_up_repository(
    root: Path,
    *,
    pins: LockFile | None,
    catalog: Catalog,
    rules: Rules | None = None,
    on_fetch: Callable[[Fetching], None] | None = None,
) -> Looked:
    """All workflow files of a repository with what they use."""
    workflows: list[Workflow] = []
    problems: list[Problem] = []
    for file in find_files([], root):
        try:
            workflows.append(parse_workflow(load_file(file), path=file.shown).workflow)
        except AuthorError as error:
            problems += error.problems
    looked = look_up_workflows(
        workflows, root=root, pins=pins, catalog=catalog, rules=rules, on_fetch=on_fetch
    )
    broken = tuple(problem for problem in problems if problem.severity == "error")
    return replace(looked, problems=(*broken, *looked.problems))


def upgrade_repository(
    root: Path,
    *,
    old: LockFile,
    names: frozenset[str],
    catalog: Catalog,
    rules: Rules,
    on_fetch: Callable[[Fetching], None] | None = None,
) -> Looked:
    """What is there now in place of what `old` pins; of `names` alone where there are any.

    A pin is never taken back to an older release because the newer ones are too young: it stays.
    """
    kept = {uses: pin for uses, pin in old.pins.items() if names and not is_named(uses, pin, names)}
    return look_up_repository(
        root,
        pins=LockFile(pins=kept),
        catalog=catalog,
        rules=replace(rules, previous=old.pins),
        on_fetch=on_fetch,
    )


def is_named(uses: str, pin: Pin, names: frozenset[str]) -> bool:
    """Whether one of the names on the command line means that pin: by its text, or without the version."""
    return uses in names or pin.name in names or uses.rpartition("@")[0] in names
