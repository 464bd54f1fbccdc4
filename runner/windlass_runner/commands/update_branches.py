"""An update offered as a branch: made in a working tree of its own, from what is committed, and pushed."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_registry.lockfile import LOCK_PATH
from windlass_registry.samples.releases import SampleRelease
from windlass_registry.samples.subscriptions import SUBSCRIPTIONS_PATH, load_subscriptions
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.pull_request_pages import pull_request_page
from windlass_runner.commands.subscribing import git
from windlass_runner.commands.subscription_updates import apply_here, prepare
from windlass_runner.data.trees import remove_tree
from windlass_runner.forges.base import Proposal
from windlass_runner.forges.git_program import GitProgram
from windlass_runner.upkeep.sample_updates import Update
from windlass_runner.upkeep.update_texts import branch_name, commit_message, proposal_text, title


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A branch of the repository at `root`, and who asked for it."""

    root: Path
    branch: str
    arguments: Namespace
    invocation: Invocation

    @property
    def program(self) -> GitProgram:
        return git(self.invocation)

    def answer(self, *arguments: str) -> str:
        """What git says; '' where there is nothing of that name."""
        return self.program.work_tree(arguments, self.root, allowed=(1, 2, 128)).decode().strip()


def offer_branch(
    root: Path, name: str, release: SampleRelease, arguments: Namespace, invocation: Invocation
) -> Update:
    """The update on a branch from what is committed, pushed where that is asked for; the working tree is not
    touched. A branch that has it already stays as it is."""
    offer = _Offer(
        root=root,
        branch=branch_name(name, str(release.version)),
        arguments=arguments,
        invocation=invocation,
    )
    if not offer.answer("var", "GIT_COMMITTER_IDENT"):
        remedy = "git config --global user.name NAME, and the same with user.email"
        raise OperatorError("git does not know who commits here", remedy=remedy)
    tree = _tree(offer, name)
    _clear(offer, tree)  # of a call that was killed
    offer.program.work_tree(["worktree", "add", "--quiet", "--detach", str(tree), "HEAD"], root)
    try:
        found = _commit(offer, tree, name, release)
    finally:
        _clear(offer, tree)
    if not arguments.dry_run:
        invocation.say(f"'git diff HEAD...{offer.branch}' shows it")
        if arguments.push:
            _push(offer)
        if arguments.pull_request:
            _open(offer, found)
    return found


def _tree(offer: _Offer, name: str) -> Path:
    folder = offer.program.work_tree(["rev-parse", "--path-format=absolute", "--git-common-dir"], offer.root)
    return Path(folder.decode().strip()) / "windlass" / f"update-{name}"


def _clear(offer: _Offer, tree: Path) -> None:
    remove_tree(tree)
    offer.program.work_tree(["worktree", "prune"], offer.root)


def _commit(offer: _Offer, tree: Path, name: str, release: SampleRelease) -> Update:
    known = load_subscriptions(tree)
    if name not in known:
        raise OperatorError(f"the subscription '{name}' is not committed yet", remedy="commit it first")
    found = prepare(tree, known[name], release, offer.arguments, offer.invocation)
    if found.conflicts:
        paths = ", ".join(change.path for change in found.conflicts)
        raise OperatorError(
            f"changed on both sides: {paths}", remedy="update without --branch, and settle it by hand"
        )
    if not offer.arguments.dry_run:
        apply_here(tree, found, known, offer.invocation)
        touched = [*found.touched, SUBSCRIPTIONS_PATH, LOCK_PATH]
        offer.program.work_tree(["add", "--all", "--force", "--", *touched], tree)
        offer.program.work_tree(["commit", "--quiet", "-m", commit_message(found)], tree)
        _name_branch(offer, tree)
    return found


def _name_branch(offer: _Offer, tree: Path) -> None:
    """Give the commit its branch; a branch, here or as 'origin' was seen to have it, with the same files on
    the same commit is that one already."""
    made = offer.program.work_tree(["log", "-1", "--format=%T %P"], tree).decode().strip()
    for place in ("refs/heads", "refs/remotes/origin"):
        ref = f"{place}/{offer.branch}"
        if offer.answer("log", "-1", "--format=%T %P", ref, "--") == made:
            if place != "refs/heads":
                offer.program.work_tree(["branch", "--force", "--no-track", offer.branch, ref], offer.root)
            offer.invocation.say(f"branch {offer.branch} has it already, on the same commit")
            return
    offer.program.work_tree(["branch", "--force", offer.branch, "HEAD"], tree)
    offer.invocation.say(f"branch {offer.branch} is made")


def _push(offer: _Offer) -> None:
    program, branch, say = offer.program, offer.branch, offer.invocation.say
    call = ["-C", str(offer.root), "push", "--porcelain", "--force", "origin", f"{branch}:{branch}"]
    told = program.network(call, url="origin").decode("utf-8", "replace")
    if any(line.startswith("=") for line in told.splitlines()):  # https://git-scm.com/docs/git-push#_output
        say(f"origin has {branch} as it is: nothing was pushed")
    else:
        say(f"pushed {branch} to origin")
    if not offer.arguments.pull_request:
        page = pull_request_page(_origin(offer), branch)
        say(f"open the pull request: {page}" if page else "offer it as a pull request there")


def _open(offer: _Offer, update: Update) -> None:
    from windlass_runner.commands.pull_requests import open_pull_request

    base = offer.program.work_tree(["symbolic-ref", "--short", "HEAD"], offer.root).decode().strip()
    proposal = Proposal(branch=offer.branch, base=base, title=title(update), text=proposal_text(update))
    try:
        page = open_pull_request(_origin(offer), proposal, offer.arguments, offer.invocation)
    except OperatorError:
        by_hand = pull_request_page(_origin(offer), offer.branch)
        if by_hand:
            offer.invocation.say(f"open the pull request: {by_hand}")
        raise
    offer.invocation.say(f"pull request: {page}")


def _origin(offer: _Offer) -> str:
    return offer.program.work_tree(["remote", "get-url", "origin"], offer.root).decode().strip()
