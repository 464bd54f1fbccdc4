"""A new subscription, step by step: the sample, its parameters, the agreement, the files, the lock."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from windlass_registry.documents import Value
from windlass_registry.errors import AuthorError, OperatorError, Problem
from windlass_registry.lockfile import LOCK_PATH, load_lock, save_lock
from windlass_registry.samples.changes import File, files_of
from windlass_registry.samples.filling import as_text
from windlass_registry.samples.manifest import Sample
from windlass_registry.samples.parameters import Parameter
from windlass_registry.samples.releases import SampleRelease
from windlass_registry.samples.subscriptions import (
    SUBSCRIPTIONS_PATH,
    Subscription,
    dump_subscriptions,
    load_subscriptions,
    object_name,
    write_file,
)
from windlass_runner.commands.context import repository_root
from windlass_runner.commands.init import ignore_local_state
from windlass_runner.commands.invocation import Invocation, is_terminal
from windlass_runner.commands.locking import lock_repository
from windlass_runner.commands.paint import Paint, tame
from windlass_runner.commands.registries import open_catalog
from windlass_runner.commands.sample_sources import as_recorded, look_up_sample
from windlass_runner.forges.git_program import GitProgram


def subscribe(arguments: Namespace, invocation: Invocation) -> int:
    """Write the workflow, its files, the subscription and the lock. Overwrites nothing."""
    release = look_up_sample(arguments.sample, invocation)
    sample = release.load()
    name = arguments.name or sample.manifest.name
    _check_name(name)
    root, made = _find_repository(invocation, name, is_dry=arguments.dry_run)
    known = load_subscriptions(root)
    if name in known:
        raise OperatorError(
            f"this repository is subscribed to '{known[name].sample}' as '{name}' already",
            remedy="bring it up to date with 'windlass subscribe --update', or give another name with --as",
        )
    folder = _folder(arguments.folder or name)
    values = ask_parameters(sample, arguments.parameters, invocation)
    files = files_of(sample, values, name=name, folder=folder, shown_as=release.name)
    _refuse_overwriting(root, files)
    accepted = _ask_agreement(release, sample, invocation, is_accepted=arguments.accept, root=root)
    subscription = record(
        release,
        sample,
        values,
        files,
        asked=as_recorded(arguments.sample, release, invocation),
        name=name,
        folder=folder,
        accepted=accepted,
    )
    if not arguments.dry_run:
        if made:
            git(invocation).local(["init", "--quiet", str(root)])
        _write(root, files, {**known, name: subscription})
        write_lock(root, invocation)
        ignore_local_state(root)
    _tell(arguments, invocation, subscription, root, made=made)
    return 0


def record(
    release: SampleRelease,
    sample: Sample,
    values: Mapping[str, Value],
    files: Mapping[str, File],
    *,
    asked: str,
    name: str,
    folder: str,
    accepted: str,
) -> Subscription:
    """What is kept of a subscription."""
    agreement = sample.manifest.agreement
    return Subscription(
        name=name,
        sample=asked,
        version=str(release.version),
        digest=release.digest,
        source=release.source,
        folder=folder,
        parameters=dict(values),
        agreement=agreement_digest(agreement) if agreement else "",
        accepted=accepted,
        files={path: object_name(file.content) for path, file in files.items()},
    )


def agreement_digest(text: str) -> str:
    """What an acceptance is of: other words have to be accepted anew."""
    from hashlib import sha256

    return f"sha256:{sha256(text.encode()).hexdigest()}"


def ask_parameters(
    sample: Sample,
    given: list[tuple[str, str]],
    invocation: Invocation,
    *,
    kept: Mapping[str, Value] | None = None,
) -> dict[str, Value]:
    """All values: those given, those kept of before, and on a terminal the answers to the form."""
    parameters = sample.manifest.parameters
    values: dict[str, Value] = {
        name: value for name, value in (kept or {}).items() if name in parameters.names
    }
    values |= {name: parameters.read(name, text) for name, text in given}
    asks = _may_ask() and not given
    for one in parameters.form() if asks else ():
        if one.name not in values:
            answer = _ask_one(one, invocation)
            if answer:
                values[one.name] = parameters.read(one.name, answer)
    return parameters.complete(values, path=sample.manifest.name)


def _may_ask() -> bool:
    return sys.stdin is not None and is_terminal(sys.stdin) and is_terminal(sys.stderr)


def _ask_one(one: Parameter, invocation: Invocation) -> str:
    paint = Paint(invocation.has_colour(invocation.err))
    choices = f" ({', '.join(as_text(choice) for choice in one.choices)})" if one.choices else ""
    default = f" [{as_text(one.default)}]" if one.default is not None else ""
    if one.description:
        invocation.say(paint(tame(one.description), "dim"))
    invocation.err.write(f"{tame(one.title)}{tame(choices)}{tame(default)}: ")
    invocation.err.flush()
    return sys.stdin.readline().strip()


def _ask_agreement(
    release: SampleRelease, sample: Sample, invocation: Invocation, *, is_accepted: bool, root: Path
) -> str:
    manifest = sample.manifest
    invocation.say(f"{release.name} {release.version}: {tame(manifest.description)}")
    invocation.say(f"licence: {tame(manifest.license)}")
    if not manifest.agreement:
        return ""
    invocation.say("agreement:\n" + "\n".join(f"  {line}" for line in tame(manifest.agreement).splitlines()))
    if not is_accepted:
        if not _may_ask():
            raise OperatorError(
                f"'{release.name}' wants its agreement accepted", remedy="read it above, and say --accept"
            )
        invocation.err.write("accept? [y/N]: ")
        invocation.err.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise OperatorError("the agreement was not accepted: nothing was written")
    return f"{_person(root, invocation)}, {time.strftime('%Y-%m-%d', time.gmtime())}"


def _person(root: Path, invocation: Invocation) -> str:
    if not (root / ".git").exists():
        return invocation.environment.get("USER", "unknown")
    found = git(invocation).work_tree(["config", "user.email"], root, allowed=(1,)).decode().strip()
    return found or invocation.environment.get("USER", "unknown")


def git(invocation: Invocation) -> GitProgram:
    """Git, in the command's own surroundings."""
    return GitProgram(environment=invocation.environment)


def write_lock(root: Path, invocation: Invocation) -> None:
    """Pin what the new workflow uses; pins that are there stay. What is broken is left out."""
    lock, _ = lock_repository(root, pins=load_lock(root), catalog=open_catalog(invocation))
    save_lock(root, lock)


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


def _check_name(name: str) -> None:
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise OperatorError(
            f"'{name}' cannot be a workflow's name", remedy="write letters, digits and hyphens"
        )


def _folder(text: str) -> str:
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or parts[0] == ".git" or text.startswith("/"):
        raise OperatorError(f"'{text}' lies outside the repository", remedy="name a folder of it")
    return "/".join(parts)


def _find_repository(invocation: Invocation, name: str, *, is_dry: bool) -> tuple[Path, bool]:
    """The repository here. Where there is none, one is made: here if this is empty, else in a folder."""
    root = repository_root(invocation.folder)
    if root is not None:
        return root, False
    place = invocation.folder if not any(invocation.folder.iterdir()) else invocation.folder / name
    if place.exists() and any(place.iterdir()):
        raise OperatorError(
            f"this is not a git repository, and {place} is there already",
            remedy="go into a repository, or 'git init'",
        )
    if not is_dry:
        place.mkdir(exist_ok=True)
    return place, True


def _refuse_overwriting(root: Path, files: Mapping[str, File]) -> None:
    problems = [
        Problem(
            path=path,
            line=0,
            column=0,
            message="is there already",
            remedy="choose others with --as and --folder",
        )
        for path, file in files.items()
        if (root / path).is_symlink() or ((root / path).exists() and _content(root / path) != file.content)
    ]
    if problems:
        raise AuthorError(*problems)


def _content(place: Path) -> bytes | None:
    return place.read_bytes() if place.is_file() else None


def _write(root: Path, files: Mapping[str, File], subscriptions: Mapping[str, Subscription]) -> None:
    """The record last: what is in it was written."""
    for path, file in files.items():
        write_file(root, path, file.content, is_executable=file.is_executable)
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
