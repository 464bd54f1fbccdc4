"""Newer releases of subscribed samples, merged with what was edited here: in place, or as a branch."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from windlass_registry.errors import OperatorError, WindlassError
from windlass_registry.samples.releases import SampleRelease
from windlass_registry.samples.subscriptions import Subscription, load_subscriptions, unknown_subscription
from windlass_runner.commands.context import repository_root
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.paint import Paint, tame
from windlass_runner.commands.sample_sources import newer_release, release_of, with_range
from windlass_runner.commands.subscribing import git, write_lock
from windlass_runner.commands.subscription_form import ask_agreement, ask_parameters
from windlass_runner.upkeep.merging import merge_with_git
from windlass_runner.upkeep.sample_updates import (
    Answers,
    Update,
    agreement_digest,
    apply,
    merge_labels,
    plan_update,
    rendered_again,
)


def update_subscriptions(arguments: Namespace, invocation: Invocation) -> int:
    """Bring one subscription, or all, up to date; 1 where conflicts are left to settle.

    Of all, one that cannot be brought is told, and holds up no other.
    """
    root = repository_root(invocation.folder)
    if root is None:
        raise OperatorError("this is not a git repository", remedy="go to the folder of one")
    known = load_subscriptions(root)
    wanted = _wanted(arguments.sample, known)
    if arguments.push and not arguments.branch:
        raise OperatorError("--push is for --branch", remedy="say both")
    code = 0
    for name in wanted:
        try:
            code = max(code, _update(root, known[name], arguments, invocation))
        except WindlassError as error:
            if arguments.sample is not None:
                raise
            invocation.say(f"{name}: {tame(str(error))}")
            code = max(code, error.exit_code)
    return code


def _update(root: Path, one: Subscription, arguments: Namespace, invocation: Invocation) -> int:
    release = newer_release(with_range(one, _range(arguments)), invocation)
    if release is None:
        _say_current(arguments, invocation, one)
        return 0
    if arguments.branch:
        from windlass_runner.commands.update_branches import offer_branch

        found = offer_branch(root, one.name, release, arguments, invocation)
    else:
        found = _in_place(root, one.name, release, arguments, invocation)
    _tell(arguments, invocation, found)
    return 1 if found.conflicts else 0


def _wanted(name: str | None, known: Mapping[str, Subscription]) -> tuple[str, ...]:
    if name is None:
        return tuple(known)
    plain = name.partition("@")[0]
    if plain not in known:
        raise unknown_subscription(plain, known)
    return (plain,)


def _range(arguments: Namespace) -> str:
    """What stands behind the `@` of the subscription that was named."""
    return (arguments.sample or "").partition("@")[2]


def _in_place(
    root: Path,
    name: str,
    release: SampleRelease,
    arguments: Namespace,
    invocation: Invocation,
) -> Update:
    known = load_subscriptions(root)
    found = prepare(root, known[name], release, arguments, invocation)
    if not arguments.dry_run:
        apply_here(root, found, known, invocation)
    return found


def prepare(
    root: Path,
    old: Subscription,
    release: SampleRelease,
    arguments: Namespace,
    invocation: Invocation,
) -> Update:
    """What would change here, after the questions that the release asks."""
    sample = release.load()
    agreement = sample.manifest.agreement
    accepted = old.accepted if agreement else ""
    if agreement and agreement_digest(agreement) != old.agreement:
        invocation.say(f"the agreement of '{release.name}' has changed with {release.version}")
        accepted = ask_agreement(release, sample, invocation, is_accepted=arguments.accept, root=root)
    answers = Answers(
        parameters=ask_parameters(sample, arguments.parameters, invocation, kept=old.parameters),
        accepted=accepted,
        asked=with_range(old, _range(arguments)).sample,
    )
    return plan_update(
        root,
        old,
        release,
        answers,
        rendered=rendered_again(old, lambda: release_of(old.sample, old.version, invocation)),
        from_history=lambda name: git(invocation).work_tree(
            ["cat-file", "blob", name], root, allowed=(1, 128)
        ),
        merge=merge_with_git(git(invocation), labels=merge_labels(old, release)),
    )


def apply_here(root: Path, update: Update, known: Mapping[str, Subscription], invocation: Invocation) -> None:
    """Write it, and the lock."""
    apply(root, update, known, write_lock=lambda place: write_lock(place, invocation))


def _say_current(arguments: Namespace, invocation: Invocation, one: Subscription) -> None:
    if arguments.json:
        invocation.print_json({"name": one.name, "version": one.version, "changes": []})
    else:
        invocation.say(f"{one.name}: {one.sample} is at {one.version}, the newest")


def _tell(arguments: Namespace, invocation: Invocation, update: Update) -> None:
    if arguments.json:
        changes = [{"path": one.path, "outcome": one.outcome, "note": one.note} for one in update.changes]
        versions = {"from": update.old.version, "to": update.new.version}
        invocation.print_json({"name": update.old.name, **versions, "changes": changes})
        return
    paint = Paint(invocation.has_colour(invocation.err))
    invocation.say(f"{update.old.name}: {update.old.version} → {update.new.version}")
    if update.release.notes:
        invocation.say("\n".join(f"  {line}" for line in tame(update.release.notes).splitlines()))
    for change in update.changes:
        if change.outcome != "unchanged":
            word = paint(f"{change.outcome:<9}", "red" if change.outcome == "conflict" else "green")
            invocation.say(f"  {word} {change.path}" + (f"  ({change.note})" if change.note else ""))
    if update.conflicts:
        invocation.say("settle the places between '<<<<<<<' and '>>>>>>>', then commit")
