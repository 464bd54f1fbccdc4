"""An update offered as a branch: made in a working tree of its own, from what is committed, and pushed."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_registry.lockfile import LOCK_PATH
from windlass_registry.samples.releases import SampleRelease
from windlass_registry.samples.subscriptions import SUBSCRIPTIONS_PATH, load_subscriptions
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.pull_request_pages import pull_request_page
from windlass_runner.commands.subscribing import git
from windlass_runner.commands.subscription_updates import Update, apply, prepare
from windlass_runner.data.trees import remove_tree
from windlass_runner.forges.base import Proposal
from windlass_runner.forges.git_program import GitProgram


def offer_branch(
    root: Path, name: str, release: SampleRelease, arguments: Namespace, invocation: Invocation
) -> Update:
    """The update on a branch from what is committed, pushed where that is asked for; the working tree is not
    touched."""
    program = git(invocation)
    branch = branch_name(name, release)
    if not program.work_tree(["var", "GIT_COMMITTER_IDENT"], root, allowed=(128,)).strip():
        remedy = "git config --global user.name NAME, and the same with user.email"
        raise OperatorError("git does not know who commits here", remedy=remedy)
    tree = _tree(program, root, name)
    _clear(program, root, tree)  # of a call that was killed
    program.work_tree(["worktree", "add", "--quiet", "--detach", str(tree), "HEAD"], root)
    try:
        found = _commit(program, tree, branch, name, release, arguments, invocation)
    finally:
        _clear(program, root, tree)
    if not arguments.dry_run:
        invocation.say(f"branch {branch}: 'git diff HEAD...{branch}' shows it")
        if arguments.push:
            _push(program, root, branch, invocation)
        if arguments.pull_request:
            _open(program, root, branch, found, arguments, invocation)
    return found


def branch_name(name: str, release: SampleRelease) -> str:
    """The branch that an update is offered on."""
    return f"windlass/{name}-{release.version}"


def _tree(program: GitProgram, root: Path, name: str) -> Path:
    folder = program.work_tree(["rev-parse", "--path-format=absolute", "--git-common-dir"], root)
    return Path(folder.decode().strip()) / "windlass" / f"update-{name}"


def _clear(program: GitProgram, root: Path, tree: Path) -> None:
    remove_tree(tree)
    program.work_tree(["worktree", "prune"], root)


def _commit(
    program: GitProgram,
    tree: Path,
    branch: str,
    name: str,
    release: SampleRelease,
    arguments: Namespace,
    invocation: Invocation,
) -> Update:
    known = load_subscriptions(tree)
    if name not in known:
        raise OperatorError(f"the subscription '{name}' is not committed yet", remedy="commit it first")
    found = prepare(tree, known[name], release, arguments, invocation)
    if found.conflicts:
        paths = ", ".join(change.path for change in found.conflicts)
        raise OperatorError(
            f"changed on both sides: {paths}", remedy="update without --branch, and settle it by hand"
        )
    if not arguments.dry_run:
        apply(tree, found, known, invocation)
        touched = [*_touched(found), SUBSCRIPTIONS_PATH, LOCK_PATH]
        program.work_tree(["add", "--all", "--force", "--", *touched], tree)
        program.work_tree(["commit", "--quiet", "-m", _message(found)], tree)
        program.work_tree(["branch", "--force", branch, "HEAD"], tree)
    return found


def _push(program: GitProgram, root: Path, branch: str, invocation: Invocation) -> None:
    program.network(["-C", str(root), "push", "--force", "origin", f"{branch}:{branch}"], url="origin")
    page = pull_request_page(_origin(program, root), branch)
    invocation.say(f"pushed {branch} to origin" + ("" if page else ": offer it as a pull request there"))
    if page:
        invocation.say(f"open the pull request: {page}")


def _open(
    program: GitProgram,
    root: Path,
    branch: str,
    update: Update,
    arguments: Namespace,
    invocation: Invocation,
) -> None:
    from windlass_runner.commands.pull_requests import open_pull_request

    base = program.work_tree(["symbolic-ref", "--short", "HEAD"], root).decode().strip()
    title, _, text = _message(update).partition("\n\n")
    proposal = Proposal(branch=branch, base=base, title=title, text=text)
    page = open_pull_request(_origin(program, root), proposal, arguments, invocation)
    invocation.say(f"pull request: {page}")


def _origin(program: GitProgram, root: Path) -> str:
    return program.work_tree(["remote", "get-url", "origin"], root).decode().strip()


def _touched(update: Update) -> list[str]:
    return [
        change.path for change in update.changes if change.file is not None or change.outcome == "deleted"
    ]


def _message(update: Update) -> str:
    head = f"Update {update.old.name} to {update.release.name} {update.release.version}"
    return f"{head}\n\nFrom {update.old.version}.\n\n{update.release.notes}".rstrip() + "\n"
