"""A new subscription, step by step: the sample, its parameters, the agreement, the files, the lock."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from windlass_registry.errors import AuthorError, OperatorError, Problem
from windlass_registry.lockfile import LOCK_PATH, load_lock, save_lock
from windlass_registry.samples.changes import File, files_of
from windlass_registry.samples.subscriptions import (
    SUBSCRIPTIONS_PATH,
    Subscription,
    dump_subscriptions,
    is_workflow_name,
    load_subscriptions,
    object_name,
    write_file,
)
from windlass_runner.commands.context import repository_root
from windlass_runner.commands.init import ignore_local_state
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.locking import digests_soon, lock_repository
from windlass_runner.commands.paint import tame
from windlass_runner.commands.registries import open_catalog
from windlass_runner.commands.sample_sources import as_recorded, look_up_sample
from windlass_runner.commands.subscription_form import ask_agreement, ask_parameters
from windlass_runner.commands.workflow_files import of_repository
from windlass_runner.forges.git_program import GitProgram
from windlass_runner.upkeep.sample_updates import Answers, record


def subscribe(arguments: Namespace, invocation: Invocation) -> int:
    """Write the workflow, its files, the subscription and the lock. Overwrites nothing."""
    release = look_up_sample(arguments.sample, invocation)
    for warning in release.warnings:
        invocation.say(f"warning: {release.name} {release.version}: {tame(warning)}")
    sample = release.load()
    name = arguments.name or sample.manifest.name
    check_name(name)
    root, made = _find_repository(invocation, name)
    known = load_subscriptions(root)
    if name in known:
        raise OperatorError(
            f"this repository is subscribed to '{known[name].sample}' as '{name}' already",
            remedy="bring it up to date with 'windlass subscribe --update', or give another name with --as",
        )
    folder = folder_path(arguments.folder or name)
    values = ask_parameters(sample, arguments.parameters, invocation)
    files = files_of(sample, values, name=name, folder=folder, shown_as=release.name)
    refuse_overwriting(root, files)
    accepted = ask_agreement(release, sample, invocation, is_accepted=arguments.accept, root=root)
    asked = as_recorded(arguments.sample, release, invocation)
    answers = Answers(parameters=values, accepted=accepted, asked=asked)
    subscription = record(release, sample, answers, files, name=name, folder=folder)
    if not arguments.dry_run:
        if made:  # again does no harm
            git(invocation).local(["init", "--quiet", str(root)])
        _write(root, files, {**known, name: subscription}, invocation)
    _tell(arguments, invocation, subscription, root, made=made)
    return 0


def git(invocation: Invocation) -> GitProgram:
    """Git, in the command's own surroundings."""
    return GitProgram(environment=invocation.environment)


def write_lock(root: Path, invocation: Invocation, *, pins_images: bool = True) -> None:
    """Pin what the workflows use; pins that are there stay. What is broken, and an image that nobody knows as
    yet, is left out, and told. `pins_images`: whether images are asked for that are not pinned."""
    if not of_repository(root):
        (root / LOCK_PATH).unlink(missing_ok=True)  # it would pin nothing
        return
    made = lock_repository(
        root,
        pins=load_lock(root),
        catalog=open_catalog(invocation),
        open_digests=digests_soon(invocation) if pins_images else None,
    )
    save_lock(root, made.lock)
    for problem in made.problems:
        invocation.say(f"not locked: {problem}")
    for remark in made.remarks:
        invocation.say(tame(remark))


def save_subscriptions(root: Path, known: Mapping[str, Subscription]) -> None:
    """Write the file of subscriptions, or take it away where there are none."""
    if known:
        write_file(root, SUBSCRIPTIONS_PATH, dump_subscriptions(known).encode())
    else:
        (root / SUBSCRIPTIONS_PATH).unlink(missing_ok=True)


def delete_files(root: Path, one: Subscription, *, is_forced: bool) -> tuple[list[str], list[str]]:
    """Delete what a subscription wrote, and the folders that are empty then; gives what went and what was
    kept because it was edited."""
    gone, kept = [], []
    for path, name in one.files.items():
        place = root / path
        if place.is_symlink() or not place.is_file():
            continue
        if not is_forced and object_name(place.read_bytes()) != name:
            kept.append(path)
            continue
        place.unlink()
        gone.append(path)
        for above in (each for each in place.parents if each != root and each.is_relative_to(root)):
            if any(above.iterdir()):
                break
            above.rmdir()
    return gone, kept


def check_name(name: str) -> None:
    """Raises OperatorError for what cannot be a workflow's name."""
    if not is_workflow_name(name):
        raise OperatorError(
            f"'{name}' cannot be a workflow's name", remedy="write letters, digits and hyphens"
        )


def folder_path(text: str) -> str:
    """A folder's path from the repository's root. Raises OperatorError where it leads out of it."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or parts[0] == ".git" or text.startswith("/"):
        raise OperatorError(f"'{text}' lies outside the repository", remedy="name a folder of it")
    return "/".join(parts)


def _find_repository(invocation: Invocation, name: str) -> tuple[Path, bool]:
    """The repository here. Where there is none, one is made: here if this is empty, else in a folder."""
    root = repository_root(invocation.folder)
    if root is not None:
        return root, False
    place = invocation.folder if not any(invocation.folder.iterdir()) else invocation.folder / name
    if (place / ".git").exists():  # made by an earlier call
        return place, True
    if place.exists() and any(place.iterdir()):
        raise OperatorError(
            f"this is not a git repository, and {place} is there already",
            remedy="go into a repository, or 'git init'",
        )
    return place, True


def refuse_overwriting(
    root: Path, files: Mapping[str, File], *, remedy: str = "choose others with --as and --folder"
) -> None:
    """Raises AuthorError where one of the files is there with other content, or its name is taken by what is
    none; also where another workflow file has the same bare name."""
    problems = [
        Problem(
            path=path,
            line=0,
            column=0,
            message="is there already",
            remedy=remedy,
        )
        for path, file in files.items()
        if _is_taken(root / path, file)
    ]
    if problems:
        raise AuthorError(*problems)


def _is_taken(place: Path, file: File) -> bool:
    if place.is_symlink() or (place.exists() and not place.is_file()):
        return True
    twin = place.with_suffix(".yml")
    if place.suffix == ".yaml" and place.parent.name == "workflows" and twin.exists():
        return True
    return place.is_file() and place.read_bytes() != file.content


def _write(
    root: Path,
    files: Mapping[str, File],
    subscriptions: Mapping[str, Subscription],
    invocation: Invocation,
) -> None:
    """The record last: while it is not there, the same command does all of it again."""
    for path, file in files.items():
        write_file(root, path, file.content, is_executable=file.is_executable)
    write_lock(root, invocation)
    ignore_local_state(root)
    write_file(root, SUBSCRIPTIONS_PATH, dump_subscriptions(subscriptions).encode())


def _tell(
    arguments: Namespace, invocation: Invocation, subscription: Subscription, root: Path, *, made: bool
) -> None:
    written = [*subscription.files, SUBSCRIPTIONS_PATH, LOCK_PATH]
    if arguments.json:
        invocation.print_json(
            {
                "name": subscription.name,
                "sample": subscription.sample,
                "version": subscription.version,
                "digest": subscription.digest,
                "parameters": dict(subscription.parameters),
                "repository": str(root),
                "files": written,
            }
        )
        return
    word = "would write" if arguments.dry_run else "wrote"
    for path in written:
        invocation.say(f"{word}  {path}")
    go = "" if root == invocation.folder or not made else f"cd {root.name} && "
    invocation.say("")
    invocation.say("Next:")
    invocation.say(f"  {go}windlass run {subscription.name}     run it here and now")
    invocation.say("  git add . && git commit && git push     and from then on by the daemon")
