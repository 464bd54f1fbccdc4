"""Deleting a workflow: its file, its subscription, and what that wrote and nobody edited."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from windlass_registry.errors import AuthorError, OperatorError, Problem
from windlass_registry.samples.changes import workflow_path
from windlass_registry.samples.subscriptions import Subscription, load_subscriptions
from windlass_runner.commands.context import find_place, open_ledger, repository_root
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.subscribing import delete_files, save_subscriptions, write_lock
from windlass_runner.commands.subscription_form import confirm, may_ask
from windlass_runner.commands.workflow_files import of_repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """A workflow that is to go. `path` is from the repository's root."""

    path: str
    subscription: Subscription | None


def split_words(arguments: Namespace, invocation: Invocation) -> tuple[tuple[Doomed, ...], tuple[str, ...]]:
    """Which words of the command line are workflows of this repository, and which are runs.

    Raises:
        AuthorError: one is the name of a workflow and the beginning of a run's id.
    """
    root = repository_root(invocation.folder)
    files = {} if root is None else {path.relative_to(root).as_posix(): path for path in of_repository(root)}
    known = {} if root is None else load_subscriptions(root)
    by_path = {workflow_path(name): one for name, one in known.items()}
    workflows: dict[str, Doomed] = {}
    runs: list[str] = []
    for word in arguments.runs:
        found = _find(word, files, invocation)
        if not found:
            runs.append(word)
            continue
        if len(found) > 1 or ("/" not in word and _is_run(word, arguments, invocation)):
            raise _ambiguous(word, found)
        workflows[found[0]] = Doomed(path=found[0], subscription=by_path.get(found[0]))
    return tuple(workflows.values()), tuple(runs)


def delete_workflows(workflows: Iterable[Doomed], arguments: Namespace, invocation: Invocation) -> bool:
    """Delete them; False where the answer was no.

    Raises:
        OperatorError: nobody is there to be asked, and `--yes` was not said.
    """
    root = repository_root(invocation.folder)
    assert root is not None
    found = tuple(workflows)
    if not arguments.yes:
        names = ", ".join(one.path for one in found)
        if not may_ask():
            raise OperatorError(f"this deletes {names}", remedy="say --yes")
        if not confirm(f"delete {names}{_beside(found)}?", invocation):
            invocation.say("nothing was deleted")
            return False
    for one in found:
        _delete(root, one, arguments, invocation)
    write_lock(root, invocation, pins_images=False)
    return True


def _delete(root: Path, one: Doomed, arguments: Namespace, invocation: Invocation) -> None:
    """The record last: what is interrupted is done by the same command."""
    gone: list[str] = []
    kept: list[str] = []
    if one.subscription is not None:
        gone, kept = delete_files(root, one.subscription, is_forced=arguments.force)
    (root / one.path).unlink(missing_ok=True)
    gone = sorted({*gone, one.path})
    kept = [path for path in kept if path != one.path]
    if one.subscription is not None:
        known = load_subscriptions(root)
        known.pop(one.subscription.name, None)
        save_subscriptions(root, known)
    if arguments.json:
        invocation.print_json({"workflow": one.path, "deleted": gone, "kept": kept})
        return
    for path in gone:
        invocation.say(f"deleted  {path}")
    for path in kept:
        invocation.say(f"kept     {path} (you edited it; --force deletes it too)")


def _find(word: str, files: dict[str, Path], invocation: Invocation) -> list[str]:
    """Workflow files that a word means: a bare name, or a path from here."""
    if "/" in word:
        place = (invocation.folder / word).absolute()
        return [name for name, path in files.items() if path.absolute() == place]
    return [name for name, path in files.items() if word in (path.stem, path.name)]


def _is_run(word: str, arguments: Namespace, invocation: Invocation) -> bool:
    from windlass_runner.commands.chosen_run import find_run
    from windlass_runner.ledger.errors import UnknownRun

    try:
        with open_ledger(find_place(arguments, invocation)) as ledger:
            find_run(ledger, word)
    except (OperatorError, UnknownRun):
        return False
    return True


def _ambiguous(word: str, found: list[str]) -> AuthorError:
    message = f"'{word}' may be {' or '.join(found)}" + (" or a run" if len(found) == 1 else "")
    return AuthorError(
        Problem(path=word, line=0, column=0, message=message, remedy="name the file, or the whole id")
    )


def _beside(found: tuple[Doomed, ...]) -> str:
    folders = [f"{one.subscription.folder}/" for one in found if one.subscription is not None]
    return f" and what its sample wrote into {', '.join(folders)}" if folders else ""
