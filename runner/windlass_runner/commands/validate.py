"""`windlass validate`: every problem of workflow files, each with its place. Nothing runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from windlass_registry.errors import AuthorError, Problem
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

if TYPE_CHECKING:
    from windlass_registry.catalog import Catalog
    from windlass_registry.lock import LockFile
    from windlass_runner.commands.workflow_files import WorkflowFile
    from windlass_runner.daemon.settings import Settings

EXAMPLE = """
windlass validate                                  # all workflow files of this repository
windlass validate .windlass/workflows/train.yaml
"""


def configure(parser: ArgumentParser) -> None:
    """Files or folders; none: the repository's."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="workflow files, or folders of them")
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Print the problems; 2 where one of them is an error."""
    from windlass_runner.commands.planning import own_settings
    from windlass_runner.commands.registries import open_catalog
    from windlass_runner.commands.workflow_files import find_files

    checked, problems = 0, list[Problem]()
    locks = _Locks()
    catalog = open_catalog(invocation, config=arguments.config)
    settings = own_settings(arguments, invocation)
    try:
        for file in find_files(arguments.files, invocation.folder):
            checked += 1
            problems += problems_of(file, locks, catalog, settings)
    except AuthorError as error:
        problems += error.problems
    broken = {problem.path for problem in problems if problem.severity == "error"}
    if arguments.json:
        found = [asdict(problem) for problem in problems]
        invocation.print_json({"valid": not broken, "files": checked, "problems": found})
    else:
        _print(problems, invocation)
        invocation.say(_summary(checked, len(broken), problems))
    return 2 if broken else 0


class _Locks:
    """The lock of each repository, read once; its own problems are reported once."""

    def __init__(self) -> None:
        self._read: dict[str, LockFile | None] = {}

    def of(self, file: WorkflowFile) -> tuple[LockFile | None, tuple[Problem, ...]]:
        from windlass_registry.lockfile import load_lock

        key = str(file.root)
        if key in self._read:
            return self._read[key], ()
        self._read[key] = None
        try:
            self._read[key] = load_lock(file.root)
        except AuthorError as error:
            return None, error.problems
        return self._read[key], ()


def problems_of(
    file: WorkflowFile, locks: _Locks, catalog: Catalog, settings: Settings | None = None
) -> tuple[Problem, ...]:
    """All that is wrong with one file, in the order of the text."""
    from windlass_runner.commands.planning import plan_options
    from windlass_runner.commands.workflow_files import load_file
    from windlass_runner.run.looking_up import all_problems
    from windlass_runner.workflow.parse import inspect_workflow

    try:
        found = inspect_workflow(load_file(file), path=file.shown)
    except AuthorError as error:
        return error.problems
    if found.workflow is None:
        return found.problems
    pins, of_lock = locks.of(file)
    of_file = all_problems(
        found,
        root=file.root,
        pins=pins,
        catalog=catalog,
        policy=settings.policy if settings is not None else None,
        options=plan_options(settings),
    )
    return (*of_lock, *of_file)


def _print(problems: list[Problem], invocation: Invocation) -> None:
    colour = invocation.has_colour(invocation.out)
    for problem in problems:
        invocation.print(_coloured(problem) if colour else str(problem))


def _coloured(problem: Problem) -> str:
    text = str(problem)
    place, message = f"{problem.path}:{problem.line}:{problem.column}:", problem.message
    tint = "33" if problem.severity == "warning" else "31"
    rest = text.removeprefix(place)
    return f"\x1b[1m{place}\x1b[0m" + rest.replace(message, f"\x1b[{tint}m{message}\x1b[0m", 1)


def _summary(checked: int, broken: int, problems: list[Problem]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    remarks = f", {warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else ""
    files = f"{checked} {'file' if checked == 1 else 'files'}"
    if not broken:
        return f"{files} checked: all well{remarks}"
    return f"{files} checked: {errors} {'error' if errors == 1 else 'errors'} in {broken}{remarks}"
