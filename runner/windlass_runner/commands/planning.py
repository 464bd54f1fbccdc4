"""From a file and an event to the plan, for `plan` and `run`: one way, so that both mean the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lockfile import load_lock
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.local_events import Repository
from windlass_runner.commands.workflow_files import WorkflowFile, find_files, load_file
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.run.prepare import plan_run
from windlass_runner.workflow.parse import ParsedWorkflow, parse_workflow

if TYPE_CHECKING:
    from argparse import Namespace

    from windlass_registry.resolver import Fetching
    from windlass_registry.store import Store
    from windlass_runner.daemon.settings import Settings
    from windlass_runner.plan.model import Plan
    from windlass_runner.workflow.events import Event


def one_file(name: str, folder: Path) -> WorkflowFile:
    """The workflow file that is meant: by path, or by its bare name among the repository's (also beside a
    folder of that name, which is where a workflow's scripts often lie).

    Raises:
        AuthorError: there is none, or there are several.
    """
    from windlass_runner.commands.context import repository_root
    from windlass_runner.commands.workflow_files import of_repository

    if not (folder / name).is_file() and "/" not in name:
        root = repository_root(folder)
        named = [path for path in of_repository(root) if name in (path.stem, path.name)] if root else []
        if len(named) == 1:
            name = str(named[0].relative_to(folder) if named[0].is_relative_to(folder) else named[0])
    files = list(find_files([name], folder))
    if len(files) > 1:
        message, remedy = f"{len(files)} workflow files in this folder", f"name one, as {files[0].shown}"
        raise AuthorError(Problem(path=name, line=0, column=0, message=message, remedy=remedy))
    return files[0]


def load_workflow(file: WorkflowFile) -> ParsedWorkflow:
    """Read and check a workflow file.

    Raises:
        AuthorError: with every problem of the file.
    """
    return parse_workflow(load_file(file), path=file.shown)


def repository_of(file: WorkflowFile, invocation: Invocation) -> Repository:
    """The repository that a workflow file lies in."""
    from windlass_runner.forges.git import Git

    return Repository(file.root, Git(environment=invocation.environment))


def actor(environment: Mapping[str, str]) -> str:
    """Who sits at the keyboard."""
    return environment.get("USER") or environment.get("LOGNAME") or ""


def login(environment: Mapping[str, str]) -> str:
    """The same; where the environment does not say, as the system knows whoever calls."""
    import os
    import pwd

    try:
        return actor(environment) or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container, in which nobody has a name
        return f"user {os.getuid()}"


def make_plan(
    parsed: ParsedWorkflow,
    event: Event,
    *,
    reason: str,
    root: Path,
    catalog: Catalog,
    settings: Settings | None = None,
    packages: Store | None = None,
    on_fetch: Callable[[Fetching], None] | None = None,
) -> Plan:
    """The plan of a workflow for an event. `settings`: the owner's defaults; `packages` and `on_fetch` as in
    `plan_run`.

    Raises:
        AuthorError: with every problem of the actions and inputs.
    """
    return plan_run(
        parsed,
        event=event,
        reason=reason,
        root=root,
        pins=load_lock(root),
        catalog=catalog,
        options=plan_options(settings),
        packages=packages,
        policy=settings.policy if settings is not None else None,
        on_fetch=on_fetch,
    )


def plan_options(settings: Settings | None) -> PlanOptions:
    """What the owner of the machine decides for every plan; the program's own where there are no settings."""
    if settings is None:
        return PlanOptions()
    return PlanOptions(
        default_image=settings.runner.default_image or PlanOptions().default_image,
        has_images=settings.hosts[0].engine != "process",
        instance_types=settings.instance_types,
        node_images=settings.actions.node_images,
    )


def own_settings(arguments: Namespace, invocation: Invocation) -> Settings | None:
    """The settings of the working folder or of `--config`; None where there are none: not the system's."""
    from windlass_runner.commands.context import settings_path

    path = settings_path(arguments, invocation)
    if path is None:
        return None
    from windlass_runner.daemon.settings import load_settings

    return load_settings(path, invocation.environment)
