"""Newer releases of subscribed samples, merged with what was edited here: in place, or as a branch."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from windlass_registry.errors import AuthorError, OperatorError, Problem, UpstreamError, WindlassError
from windlass_registry.samples.changes import Change, File, Merge, Merged, files_of, upgrade
from windlass_registry.samples.releases import SampleRelease
from windlass_registry.samples.subscriptions import (
    SUBSCRIPTIONS_PATH,
    Subscription,
    dump_subscriptions,
    load_subscriptions,
    object_name,
    unknown_subscription,
    write_file,
)
from windlass_runner.commands.context import repository_root
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.paint import Paint, tame
from windlass_runner.commands.sample_sources import newer_release, release_of, with_range
from windlass_runner.commands.subscribing import git, record, write_lock
from windlass_runner.commands.subscription_form import agreement_digest, ask_agreement, ask_parameters

_MARK = b"<<<<<<< "


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One subscription's way to a newer release."""

    old: Subscription
    new: Subscription
    release: SampleRelease
    changes: tuple[Change, ...]

    @property
    def conflicts(self) -> tuple[Change, ...]:
        """What a person has to settle."""
        return tuple(change for change in self.changes if change.outcome == "conflict")


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
        apply(root, found, known, invocation)
    return found


def prepare(
    root: Path,
    old: Subscription,
    release: SampleRelease,
    arguments: Namespace,
    invocation: Invocation,
) -> Update:
    sample = release.load()
    agreement = sample.manifest.agreement
    accepted = old.accepted if agreement else ""
    if agreement and agreement_digest(agreement) != old.agreement:
        invocation.say(f"the agreement of '{release.name}' has changed with {release.version}")
        accepted = ask_agreement(release, sample, invocation, is_accepted=arguments.accept, root=root)
    values = ask_parameters(sample, arguments.parameters, invocation, kept=old.parameters)
    files = files_of(sample, values, name=old.name, folder=old.folder, shown_as=release.name)
    refuse_links(root, files)
    changes = upgrade(
        base=_base(root, old, files, invocation),
        ours={path: _content(root / path) for path in {*old.files, *files}},
        theirs=files,
        merge=merge_with_git(
            invocation,
            labels=("yours", f"{release.name} {old.version}", f"{release.name} {release.version}"),
        ),
    )
    new = record(
        release,
        sample,
        values,
        files,
        asked=with_range(old, _range(arguments)).sample,
        name=old.name,
        folder=old.folder,
        accepted=accepted,
    )
    return Update(old=old, new=new, release=release, changes=changes)


def _base(
    root: Path, old: Subscription, theirs: Mapping[str, File], invocation: Invocation
) -> dict[str, bytes | None]:
    """Each file as the old release wrote it: unedited here, the same in the new release, made from the old
    one, or in git's history."""
    rendered = rendered_again(old, invocation)
    found: dict[str, bytes | None] = {}
    for path, name in old.files.items():
        here = _content(root / path)
        if here is not None and object_name(here) == name:
            found[path] = here
        elif path in theirs and object_name(theirs[path].content) == name:
            found[path] = theirs[path].content
        elif path in rendered and object_name(rendered[path].content) == name:
            found[path] = rendered[path].content
        else:
            found[path] = _from_history(root, name, invocation)
    return found


def rendered_again(
    old: Subscription, invocation: Invocation, *, name: str | None = None, folder: str | None = None
) -> dict[str, File]:
    """What the subscribed release writes, or would write for another name and folder; nothing where that
    release cannot be had any more."""
    try:
        release = release_of(old.sample, old.version, invocation)
        if release.digest != old.digest:
            return {}
        return files_of(
            release.load(),
            old.parameters,
            name=name or old.name,
            folder=folder or old.folder,
            shown_as=old.sample,
        )
    except (AuthorError, UpstreamError):
        return {}  # git's history may have the text


def _from_history(root: Path, name: str, invocation: Invocation) -> bytes | None:
    text = git(invocation).work_tree(["cat-file", "blob", name], root, allowed=(1, 128))
    return text if object_name(text) == name else None


def _content(place: Path) -> bytes | None:
    return place.read_bytes() if place.is_file() and not place.is_symlink() else None


def refuse_links(root: Path, files: Mapping[str, File]) -> None:
    """Raises AuthorError where a link or a folder has the name of a file that is to be written."""
    taken = [path for path in files if (root / path).is_symlink() or (root / path).is_dir()]
    if taken:
        remedy = "take it away; 'windlass subscribe --update' then goes on"
        raise AuthorError(
            *(
                Problem(path=path, line=0, column=0, message="is no file here", remedy=remedy)
                for path in taken
            )
        )


def merge_with_git(invocation: Invocation, *, labels: tuple[str, str, str]) -> Merge:
    """`git merge-file`: what everybody's eyes are used to, markers and all."""

    named = [part for label in labels for part in ("-L", label)]

    def merge(ours: bytes, base: bytes, theirs: bytes) -> Merged:
        if any(line.startswith(_MARK) for line in ours.splitlines()):
            if f">>>>>>> {labels[2]}".encode() in ours.splitlines():  # this merge, killed before its end
                return Merged(content=ours, conflicts=1, is_marked=True)
            message = "a file has places between '<<<<<<<' and '>>>>>>>'"
            raise OperatorError(message, remedy="settle them first")
        with tempfile.TemporaryDirectory() as scratch:
            texts = (("ours", ours), ("base", base), ("theirs", theirs))
            places = {name: Path(scratch) / name for name, _ in texts}
            for name, content in texts:
                places[name].write_bytes(content)
            command = ["merge-file", "--diff3", *named, *map(str, places.values())]
            git(invocation).local(command, allowed=tuple(range(1, 128)))  # the number of conflicts
            content = places["ours"].read_bytes()
        return Merged(content=content, conflicts=sum(line.startswith(_MARK) for line in content.splitlines()))

    return merge


def apply(root: Path, update: Update, known: Mapping[str, Subscription], invocation: Invocation) -> None:
    """The record last: what is interrupted is done again by the same command."""
    for change in update.changes:
        if change.file is not None:
            write_file(root, change.path, change.file.content, is_executable=change.file.is_executable)
        elif change.outcome == "deleted":
            (root / change.path).unlink(missing_ok=True)
    write_lock(root, invocation)
    text = dump_subscriptions({**known, update.old.name: update.new})
    write_file(root, SUBSCRIPTIONS_PATH, text.encode())


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
