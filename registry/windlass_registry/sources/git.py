"""Actions in git repositories: `uses: github.com/owner/repo[/path]@ref`, `git+https://…@ref`.

A ref is looked up, its one commit fetched into a repository of a moment, and the folder read from git's
objects: nothing is checked out, no hook, filter or submodule is followed. What was read lies in the store
by its digest, and which digest a commit's folder has is remembered: a commit is fetched once.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from windlass_registry.archive import LEFT_OUT, ArchiveLimits, Entry
from windlass_registry.catalog import GitPackage
from windlass_registry.errors import AuthorError, OperatorError, Problem, UpstreamError
from windlass_registry.manifest import ActionManifest, CompositeRuns, GraphRuns
from windlass_registry.near_words import did_you_mean
from windlass_registry.refs import GitRef, RefError, as_inside_git
from windlass_registry.sources.git_tags import TagWatch, tag_moved
from windlass_registry.sources.packages import Package, load_package
from windlass_registry.store import Store

LARGEST_FILE_BYTES: Final = 512 * 1024 * 1024
"""What one commit of a repository may bring: twice what a package may hold, for git keeps it compressed."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}\Z")
_SHORT: Final = re.compile(r"[0-9a-f]{7,39}\Z")
MOVED: Final = "look at what changed; 'windlass lock --upgrade' then pins what is there now"


class GitUnavailable(UpstreamError):
    """The server of a git source does not answer."""


class TreeEntry(Protocol):
    """One entry of a tree, as git lists it."""

    @property
    def path(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def sha(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...


class GitReader(Protocol):
    """What is needed of git; whoever starts the program keeps hooks, prompts and strange addresses out.

    Every call may raise OperatorError (no git, no access) and those with an address also UpstreamError.
    """

    def init_mirror(self, path: Path) -> None:
        """Make an empty bare repository."""

    def ls_remote(self, url: str) -> Mapping[str, str]:
        """The refs of a repository with the commits that they mean."""

    def fetch_alone(self, repository: Path, url: str, what: str) -> bool:
        """Bring one commit, by a full ref name or its own, without what is behind it. False: not there."""

    def list_tree(
        self, repository: Path, commit: str, *paths: str, is_recursive: bool = False
    ) -> Sequence[TreeEntry]:
        """Entries of a commit, those below `paths` alone where any are given."""

    def read_blobs(self, repository: Path, shas: Sequence[str]) -> Sequence[bytes]:
        """Contents of files by their object names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a ref means in a repository now."""

    commit: str
    name: str
    """The full name of the ref, or the commit itself."""

    @property
    def is_tag(self) -> bool:
        return self.name.startswith("refs/tags/")


class GitSource:
    """Implements `catalog.GitPackages`. `root`: where it remembers which digest a commit's folder has;
    `tags`: what is known of tags, where somebody looks after them."""

    def __init__(
        self,
        git: GitReader,
        *,
        root: Path,
        store: Store,
        limits: ArchiveLimits | None = None,
        tags: TagWatch | None = None,
    ) -> None:
        self._tags = tags or TagWatch(git, clock=time.monotonic)
        self._git = git
        self._root = root
        self._store = store
        self._limits = limits or ArchiveLimits()

    def fetch(self, ref: GitRef, *, commit: str | None = None) -> GitPackage:
        """See `catalog.GitPackages`."""
        found = self._find(ref, commit)
        digest = self._remembered(ref, found.commit)
        if digest is None:
            digest = self._store.add_entries(self._read(ref, found), shown_as=ref.name)
            self._remember(ref, found.commit, digest)
        return GitPackage(commit=found.commit, package=load_git_package(self._store, digest, ref))

    def moved(self, ref: GitRef, commit: str, *, asks: bool) -> str | None:
        """See `catalog.GitPackages`."""
        return self._tags.moved(ref, commit, asks=asks)

    def _find(self, ref: GitRef, pinned: str | None) -> _Found:
        if _COMMIT.match(ref.ref):
            return _Found(commit=ref.ref, name=ref.ref)
        with _of_a_stranger(ref):
            refs = self._git.ls_remote(ref.url)
        names = (ref.ref, f"refs/tags/{ref.ref}", f"refs/heads/{ref.ref}")
        name = next((name for name in names if name in refs and (name != ref.ref or "/" in name)), None)
        if pinned is not None:
            return _pinned(ref, pinned, None if name is None else _Found(commit=refs[name], name=name))
        if name is None:
            raise _no_ref(ref, refs)
        return _Found(commit=refs[name], name=name)

    def _read(self, ref: GitRef, found: _Found) -> list[Entry]:
        """The files of the folder, out of a repository that is gone again afterwards."""
        with self._scratch() as folder:
            repository = Path(folder) / "repository"
            self._git.init_mirror(repository)
            with _of_a_stranger(ref):
                is_there = self._git.fetch_alone(repository, ref.url, found.name)
            if not is_there:
                raise _no_commit(ref, found)
            return self._entries(repository, ref, found.commit)

    def _entries(self, repository: Path, ref: GitRef, commit: str) -> list[Entry]:
        below = [f"{ref.path}/"] if ref.path else []
        try:
            listed = self._git.list_tree(repository, commit, *below, is_recursive=True)
        except OperatorError as error:  # the ref moved between two questions: it is not among what came
            raise RefError(f"{ref.url} changed while it was fetched", remedy="try again") from error
        files = [
            entry
            for entry in listed
            if entry.kind == "blob" and not LEFT_OUT.intersection(entry.path.split("/"))
        ]
        if not files:
            raise RefError(
                f"{ref.url} has no folder '{ref.path}' at '{ref.ref}'", remedy="write a path from its root"
            )
        _refuse_too_much(ref, files, self._limits)
        contents = self._git.read_blobs(repository, [entry.sha for entry in files])
        start = len(ref.path) + 1 if ref.path else 0
        entries = [_entry(file, content, start) for file, content in zip(files, contents, strict=True)]
        return _without_strange_links(entries)

    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            return tempfile.TemporaryDirectory(prefix=".fetch-", dir=self._root)
        except OSError as error:
            raise OperatorError(
                f"cannot write to {self._root}: {error.strerror}", remedy="let this user write there"
            ) from error

    def _remembered(self, ref: GitRef, commit: str) -> str | None:
        try:
            digest = self._note(ref, commit).read_text(encoding="utf-8").strip()
        except OSError:
            return None
        return digest if self._store.has(digest) else None

    def _remember(self, ref: GitRef, commit: str, digest: str) -> None:
        note = self._note(ref, commit)
        with tempfile.NamedTemporaryFile("w", dir=self._root, delete=False, encoding="utf-8") as stream:
            stream.write(digest + "\n")
        Path(stream.name).replace(note)

    def _note(self, ref: GitRef, commit: str) -> Path:
        key = "\0".join((ref.url, ref.path, commit))
        return self._root / hashlib.sha256(key.encode()).hexdigest()


def load_git_package(store: Store, digest: str, ref: GitRef) -> Package:
    """A package of the store as an action of that repository: what it uses is written out.

    Raises:
        RefError: the folder holds no action.
        AuthorError: its manifest is broken.
    """
    found = load_package(store.path(digest), shown_as=ref.name)
    if found is None:
        where = f"the folder '{ref.path}' of {ref.url}" if ref.path else ref.url
        raise RefError(f"{where} has no action.yml at '{ref.ref}'", remedy="name the folder that has it")
    return in_repository(found, ref)


def in_repository(package: Package, ref: GitRef) -> Package:
    """The package with what its steps use written out, as it means it in that repository."""
    return replace(package, manifest=_written_out(package.manifest, ref))


def _written_out(manifest: ActionManifest, ref: GitRef) -> ActionManifest:
    match manifest.runs:
        case CompositeRuns() as runs:
            steps = tuple(
                step if step.uses is None else replace(step, uses=as_inside_git(step.uses, ref))
                for step in runs.steps
            )
            return replace(manifest, runs=replace(runs, steps=steps))
        case GraphRuns() as runs:
            uses = {written: as_inside_git(text, ref) for written, text in runs.uses.items()}
            parts = {
                path: replace(part, manifest=_written_out(part.manifest, ref))
                for path, part in runs.parts.items()
            }
            return replace(manifest, runs=replace(runs, uses=uses, parts=parts))
        case _:
            return manifest


def _pinned(ref: GitRef, pinned: str, now: _Found | None) -> _Found:
    """The commit that the lock has. A branch moves by its nature, a tag must not."""
    if now is not None and now.is_tag and now.commit != pinned:
        raise RefError(tag_moved(ref, pinned, now.commit), remedy=MOVED)
    same = now is not None and now.commit == pinned
    return _Found(commit=pinned, name=now.name if now is not None and same else pinned)


def _no_commit(ref: GitRef, found: _Found) -> RefError:
    if found.commit == ref.ref:
        return RefError(f"{ref.url} has no commit {found.commit}", remedy="write one that it has")
    return RefError(
        f"{ref.url} has no commit {found.commit} any more", remedy="its history was rewritten: " + MOVED
    )


@contextmanager
def _of_a_stranger(ref: GitRef) -> Iterator[None]:
    """The address was written by the author of a workflow: what keeps it from being read is theirs to mend,
    or that server's, and nothing of this machine but a full disk."""
    try:
        yield
    except UpstreamError as error:
        raise GitUnavailable(error.message, retry_after_s=error.retry_after_s) from error
    except OperatorError as error:
        if "space left" in error.message or "quota" in error.message:
            raise
        raise RefError(f"'{ref.name}' cannot be fetched: {error.message}", remedy=error.remedy) from error


def _no_ref(ref: GitRef, refs: Mapping[str, str]) -> RefError:
    message = f"{ref.url} has no branch or tag '{ref.ref}'"
    if _SHORT.match(ref.ref):
        return RefError(message, remedy="write all 40 digits of a commit")
    names = {name.split("/", 2)[2] for name in refs if name.startswith(("refs/heads/", "refs/tags/"))}
    return RefError(message, remedy=did_you_mean(ref.ref, names) or "write one that it has")


def _refuse_too_much(ref: GitRef, files: Sequence[TreeEntry], limits: ArchiveLimits) -> None:
    size = sum(entry.size_bytes for entry in files)
    if len(files) > limits.files or size > limits.size_bytes:
        raise AuthorError(
            Problem(
                path=ref.name,
                line=0,
                column=0,
                message=f"too large for an action: {len(files):,} files with {size / 1e6:,.0f} MB",
                remedy="name the folder that has the action alone",
            )
        )


def _entry(file: TreeEntry, content: bytes, start: int) -> Entry:
    name = file.path[start:]
    if file.mode == "120000":
        return Entry(name=name, target=content.decode("utf-8", "surrogateescape"))
    return Entry(name=name, content=content, is_executable=file.mode == "100755")


def _without_strange_links(entries: Sequence[Entry]) -> list[Entry]:
    """Links to what is not in the folder are left out: a repository may have them beside its action, and
    an action's own folder never needs them."""
    files = {entry.name for entry in entries if entry.target is None}
    known = files | {name[:at] for name in files for at, letter in enumerate(name) if letter == "/"}
    return [entry for entry in entries if entry.target is None or _leads_to(entry) in known]


def _leads_to(link: Entry) -> str:
    parent = posixpath.dirname(link.name)
    inside = posixpath.normpath(posixpath.join(parent, link.target or ""))
    shortest = posixpath.relpath(inside, parent or ".")
    return inside if (link.target or "").rstrip("/") == shortest else ""
