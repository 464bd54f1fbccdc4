"""What a newer release of a sample changes in a repository that is subscribed to it.

Works on a folder with the repository's files: somebody's working tree, or a copy of a commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from windlass_registry.documents import Value
from windlass_registry.errors import AuthorError, Problem, UpstreamError, WindlassError
from windlass_registry.samples.changes import Change, File, Merge, files_of, upgrade
from windlass_registry.samples.manifest import Sample
from windlass_registry.samples.releases import SampleRelease, SampleSource, find_sample, usable_releases
from windlass_registry.samples.subscriptions import (
    SUBSCRIPTIONS_PATH,
    Subscription,
    dump_subscriptions,
    object_name,
    write_file,
)
from windlass_registry.versions import Version

FromHistory = Callable[[str], bytes | None]
"""The bytes that git calls by that name, where its history has them."""


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

    @property
    def touched(self) -> tuple[str, ...]:
        """The files that change, without what Windlass keeps itself."""
        return tuple(
            change.path for change in self.changes if change.file is not None or change.outcome == "deleted"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a subscriber says to a release: parameters, and who accepted its agreement."""

    parameters: Mapping[str, Value]
    accepted: str
    asked: str
    """The range that is followed from now on."""


class NeedsPerson(WindlassError):
    """Only a person can take that release; says why."""


def is_folder(asked: str) -> bool:
    """Whether a folder of this machine is named, as the author of a sample does."""
    return asked.startswith(("./", "../", "/")) or asked in (".", "..")


def next_release(
    one: Subscription, sources: Iterable[SampleSource], *, published_before: datetime | None = None
) -> SampleRelease | None:
    """The newest release in a subscription's range that is above its own, and not younger than that; None
    where there is none. Raises AuthorError where the sample is gone, UpstreamError where nobody answers."""
    current = Version.parse(one.version)
    for release in usable_releases(one.sample, tuple(sources)):
        if release.version <= current:
            return None
        if published_before is None or release.published is None or release.published <= published_before:
            return release
    return None


def agreement_digest(text: str) -> str:
    """What an acceptance is of: other words have to be accepted anew."""
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def answers_as_before(one: Subscription, release: SampleRelease) -> Answers:
    """What can be said for a subscriber who is not asked.

    Raises:
        NeedsPerson: the agreement has other words.
        AuthorError: a parameter is needed that was not, or may no more be as it is.
    """
    manifest = release.load().manifest
    if manifest.agreement and agreement_digest(manifest.agreement) != one.agreement:
        raise NeedsPerson(f"the agreement of '{release.name}' has other words in {release.version}")
    kept = {name: value for name, value in one.parameters.items() if name in manifest.parameters.names}
    return Answers(
        parameters=manifest.parameters.complete(kept, path=release.name),
        accepted=one.accepted if manifest.agreement else "",
        asked=one.sample,
    )


def record(
    release: SampleRelease,
    sample: Sample,
    answers: Answers,
    files: Mapping[str, File],
    *,
    name: str,
    folder: str,
) -> Subscription:
    """What is kept of a subscription."""
    agreement = sample.manifest.agreement
    return Subscription(
        name=name,
        sample=answers.asked,
        version=str(release.version),
        digest=release.digest,
        source=release.source,
        folder=folder,
        parameters=dict(answers.parameters),
        agreement=agreement_digest(agreement) if agreement else "",
        accepted=answers.accepted,
        files={path: object_name(file.content) for path, file in files.items()},
    )


def plan_update(
    root: Path,
    old: Subscription,
    release: SampleRelease,
    answers: Answers,
    *,
    rendered: Mapping[str, File],
    from_history: FromHistory,
    merge: Merge,
) -> Update:
    """What would change; nothing is written. `rendered`: the files as the old release writes them, as far as
    it can be had.

    Raises:
        AuthorError: the release is broken, or what is to be written is no file here.
    """
    sample = release.load()
    files = files_of(sample, answers.parameters, name=old.name, folder=old.folder, shown_as=release.name)
    paths = {*old.files, *files}
    refuse_links(root, paths)
    changes = upgrade(
        base=_base(root, old, files, rendered, from_history),
        ours={path: _content(root / path) for path in paths},
        theirs=files,
        merge=merge,
    )
    new = record(release, sample, answers, files, name=old.name, folder=old.folder)
    return Update(old=old, new=new, release=release, changes=changes)


def apply(
    root: Path,
    update: Update,
    known: Mapping[str, Subscription],
    *,
    write_lock: Callable[[Path], None],
) -> None:
    """The record last: what is interrupted is done again by the same call."""
    for change in update.changes:
        if change.file is not None:
            write_file(root, change.path, change.file.content, is_executable=change.file.is_executable)
        elif change.outcome == "deleted":
            (root / change.path).unlink(missing_ok=True)
    write_lock(root)
    text = dump_subscriptions({**known, update.old.name: update.new})
    write_file(root, SUBSCRIPTIONS_PATH, text.encode())


def merge_labels(old: Subscription, release: SampleRelease) -> tuple[str, str, str]:
    """What the markers of a conflict call ours, the base and theirs."""
    return "yours", f"{release.name} {old.version}", f"{release.name} {release.version}"


def subscribed_release(old: Subscription, sources: Iterable[SampleSource]) -> SampleRelease:
    """The very release of a subscription. Raises AuthorError where it is gone."""
    return find_sample(f"{old.sample.partition('@')[0]}@v{old.version}", tuple(sources))


def rendered_again(
    old: Subscription,
    find_release: Callable[[], SampleRelease],
    *,
    name: str | None = None,
    folder: str | None = None,
) -> dict[str, File]:
    """What the subscribed release writes, or would write for another name and folder; nothing where that
    release cannot be had any more."""
    try:
        release = find_release()
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


def refuse_links(root: Path, paths: Iterable[str]) -> None:
    """Raises AuthorError where a link or a folder has the name of a file that is to be written, or one on the
    way leads out of the repository."""
    inside = root.resolve()
    taken = [
        path
        for path in sorted(paths)
        if (root / path).is_symlink()
        or (root / path).is_dir()
        or not (root / path).parent.resolve().is_relative_to(inside)
    ]
    if taken:
        remedy = "take it away; 'windlass subscribe --update' then goes on"
        raise AuthorError(
            *(
                Problem(path=path, line=0, column=0, message="is no file here", remedy=remedy)
                for path in taken
            )
        )


def _base(
    root: Path,
    old: Subscription,
    theirs: Mapping[str, File],
    rendered: Mapping[str, File],
    from_history: FromHistory,
) -> dict[str, bytes | None]:
    """Each file as the old release wrote it: unedited here, the same in the new release, made from the old
    one, or in git's history."""
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
            text = from_history(name)
            found[path] = text if text is not None and object_name(text) == name else None
    return found


def _content(place: Path) -> bytes | None:
    return place.read_bytes() if place.is_file() and not place.is_symlink() else None
