"""Git as Windlass uses it: mirrors, refs, objects without a checkout, notes, working trees.

Used by the poller, the workspace and the outbox. What runs the program is `git_program`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_runner.forges.git_errors import RefRejected
from windlass_runner.forges.git_login import Login
from windlass_runner.forges.git_objects import (
    COMMIT_FORM,
    Commit,
    TreeEntry,
    parse_batch,
    parse_commit,
    parse_entry,
    parse_paths,
    refuse_links,
)
from windlass_runner.forges.git_program import GitProgram, checked_address, checked_ref, checked_sha

_MARKS: Final = "windlass-fetched"
_LISTING_TIMEOUT_S: Final = 60.0
"""A listing has nothing to transfer: a server that hangs keeps nobody waiting behind it."""
_FETCH: Final = (
    "fetch",
    "--quiet",
    "--force",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--",
)
_REPACK: Final = (
    *("-c", "gc.auto=500", "-c", "gc.autoPackLimit=20", "-c", "gc.autoDetach=false"),
    # What was fetched stays, also where its branch is gone: a mark says that it is here.
    *("-c", "gc.pruneExpire=never", "-c", "pack.threads=1"),
    *("gc", "--auto", "--quiet"),
)
_REPACK_TIMEOUT_S: Final = 3600.0
_IDENTITY: Final = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Windlass"), ("EMAIL", "windlass@localhost"))
}


class Git:
    """Git's answers as values. Holds no state; may be used from several threads.

    Every call may raise `OperatorError` (git missing, no such repository, no access), and those
    that go to an address also `UpstreamError`. `login` gives what opens an address (None: git's own means).
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        login: Callable[[str], Login | None] = lambda _url: None,
        timeout_s: float = 60.0,
        network_timeout_s: float = 600.0,
        file_limit_bytes: int | None = None,
    ) -> None:
        self._program = GitProgram(
            environment=environment,
            login=login,
            timeout_s=timeout_s,
            network_timeout_s=network_timeout_s,
            file_limit_bytes=file_limit_bytes,
        )

    # -- repositories and refs ------------------------------------------------------------------

    def init_mirror(self, path: Path) -> None:
        """Make an empty bare repository at `path`, unless one is there. Never half made."""
        if (path / "HEAD").exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._program.local(["init", "--quiet", "--bare", "--template=", "--", str(path)])

    def repack(self, mirror: Path) -> None:
        """Make one pack of many and of loose objects, where there are many; nothing goes. Others may read and
        fetch meanwhile."""
        self._program.local(_REPACK, inside=mirror, timeout_s=_REPACK_TIMEOUT_S)

    def ls_remote(self, url: str) -> dict[str, str]:
        """The refs of a repository with their commits (annotated tags: the commit they mean).

        `HEAD` is among them where the repository has one.
        """
        call = ["ls-remote", "--quiet", "--", checked_address(url)]
        out = self._program.network(call, url=url, timeout_s=_LISTING_TIMEOUT_S)
        refs: dict[str, str] = {}
        for line in out.decode("utf-8", "surrogateescape").splitlines():
            sha, _, name = line.partition("\t")
            refs[name.removesuffix("^{}")] = sha  # a peeled tag follows its tag
        return refs

    def fetch_commit(self, mirror: Path, url: str, *, ref: str, sha: str) -> None:
        """Bring one commit (as pushed to `ref`) into the mirror; does nothing where it lies there.

        That an object exists proves nothing: a fetch that was killed leaves commits without their
        files. So a mark is set when all of it is here, and only the mark counts.

        Raises:
            RefRejected: neither the ref nor the repository has that commit any more.
        """
        commit, name = checked_sha(sha), checked_ref(ref)
        if self.is_fetched(mirror, commit):
            return
        call = [*_FETCH, checked_address(url)]
        with contextlib.suppress(RefRejected):  # a branch that is gone; the commit may still be had
            self._program.network([*call, f"+{name}:{name}"], url=url, inside=mirror)
        if not (_stands_at(mirror / name, commit) or self._is_connected(mirror, commit)):
            self._program.network([*call, f"+{commit}:refs/windlass/{commit}"], url=url, inside=mirror)
        mark = mirror / _MARKS / commit
        mark.parent.mkdir(exist_ok=True)
        mark.touch()

    def is_fetched(self, mirror: Path, sha: str) -> bool:
        """Whether `fetch_commit` has brought all of that commit. Looks at one file only."""
        return (mirror / _MARKS / checked_sha(sha)).exists()

    def _is_connected(self, mirror: Path, sha: str) -> bool:
        """Whether a commit is here with everything behind it (what the refs have is known to be)."""
        try:
            self._program.local(["rev-list", "--quiet", "--objects", sha, "--not", "--all"], inside=mirror)
        except OperatorError:
            return False
        return True

    def fetch_ref(self, repository: Path, url: str, ref: str) -> bool:
        """Set the local ref to the remote's. False: the remote has no such ref (and ours is gone)."""
        name = checked_ref(ref)
        try:
            self._program.network(
                [*_FETCH, checked_address(url), f"+{name}:{name}"], url=url, inside=repository
            )
        except RefRejected:
            self._program.local(["update-ref", "-d", name], inside=repository)
            return False
        return True

    def fetch_alone(self, repository: Path, url: str, what: str) -> bool:
        """Bring one commit without those before it, by a full ref name or its own. False: it is not there."""
        name = checked_ref(what) if "/" in what else checked_sha(what)
        call = [*_FETCH[:-1], "--depth=1", "--", checked_address(url), f"+{name}:refs/windlass/alone"]
        try:
            self._program.network(call, url=url, inside=repository)
        except RefRejected:
            return False
        return True

    def push_ref(self, repository: Path, url: str, ref: str) -> None:
        """Push one ref, never by force.

        Raises:
            RefRejected: somebody else moved it first; fetch, redo, push again.
        """
        name = checked_ref(ref)
        self._program.network(
            ["push", "--quiet", "--", checked_address(url), f"{name}:{name}"], url=url, inside=repository
        )

    def rev_parse(self, repository: Path, revision: str) -> str | None:
        """The commit that a revision means, or None."""
        arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"]
        out = self._program.local(arguments, inside=repository, allowed=(1, 128))
        return out.decode().strip() or None

    def has_commit(self, repository: Path, sha: str) -> bool:
        """Whether the commit lies in the repository."""
        return self.rev_parse(repository, checked_sha(sha)) is not None

    # -- objects, without a checkout ------------------------------------------------------------

    def commit(self, repository: Path, sha: str) -> Commit:
        """Author, parents and message of a commit."""
        out = self._program.local(
            ["log", "-1", "--no-show-signature", COMMIT_FORM, checked_sha(sha), "--"], inside=repository
        )
        return parse_commit(out)

    def changed_paths(self, repository: Path, before: str | None, after: str) -> tuple[str, ...]:
        """Paths that differ between two commits, both names of a renamed file included.

        Without `before` (a new branch, or a commit that is gone): what `after` changed against its
        first parent; all its files where it has none.
        """
        new = checked_sha(after)
        old = before if before and set(before) != {"0"} and self.has_commit(repository, before) else None
        if old is None:
            old = next(iter(self.commit(repository, new).parents), None)
        if old is None:
            return tuple(entry.path for entry in self.list_tree(repository, new, is_recursive=True))
        options = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff"]
        return parse_paths(self._program.local([*options, checked_sha(old), new, "--"], inside=repository))

    def merge_base(self, repository: Path, one: str, other: str) -> str | None:
        """The newest commit that both have behind them."""
        arguments = ["merge-base", checked_sha(one), checked_sha(other)]
        return self._program.local(arguments, inside=repository, allowed=(1,)).decode().strip() or None

    def list_tree(
        self, repository: Path, commit: str, *paths: str, is_recursive: bool = False
    ) -> tuple[TreeEntry, ...]:
        """Entries of a commit: the root's, or those at `paths` (a trailing `/` lists a folder)."""
        options = ["ls-tree", "-z", "-l", "--full-tree", *(["-r"] if is_recursive else [])]
        out = self._program.local([*options, checked_sha(commit), "--", *paths], inside=repository)
        return tuple(
            parse_entry(record) for record in out.decode("utf-8", "surrogateescape").split("\0") if record
        )

    def read_blobs(self, repository: Path, shas: Sequence[str]) -> tuple[bytes, ...]:
        """The contents of files by their object names, in one call."""
        if not shas:
            return ()
        request = "".join(f"{checked_sha(sha)}\n" for sha in shas).encode()
        out = self._program.local(["cat-file", "--batch"], inside=repository, stdin=request)
        return tuple(parse_batch(out, shas))

    def read_folder(
        self,
        repository: Path,
        commit: str,
        folder: str,
        *,
        suffixes: tuple[str, ...] = (".yaml", ".yml"),
        limit_bytes: int = 16 * 1024 * 1024,
    ) -> dict[str, bytes]:
        """The files of one folder of a commit (not of folders in it), by path.

        Raises:
            AuthorError: one of them, or a folder on the way, is a link, or a file is too large.
        """
        folder = folder.strip("/")
        parts = folder.split("/")
        for depth in range(1, len(parts) + 1):
            above = self.list_tree(repository, commit, "/".join(parts[:depth]))
            if not above:
                return {}
            refuse_links(above, limit_bytes=limit_bytes)
        entries = [e for e in self.list_tree(repository, commit, folder + "/") if e.path.endswith(suffixes)]
        refuse_links(entries, limit_bytes=limit_bytes)
        files = [entry for entry in entries if entry.kind == "blob"]
        contents = self.read_blobs(repository, [entry.sha for entry in files])
        return {entry.path: content for entry, content in zip(files, contents, strict=True)}

    def read_file(self, repository: Path, commit: str, path: str) -> bytes | None:
        """One file of a commit, or None where there is none. Raises AuthorError for a link."""
        entries = self.list_tree(repository, commit, path)
        refuse_links(entries, limit_bytes=64 * 1024 * 1024)
        blobs = [entry.sha for entry in entries if entry.kind == "blob"]
        return self.read_blobs(repository, blobs[:1])[0] if blobs else None

    def write_tree(self, repository: Path, sha: str, target: Path, *, index: Path) -> None:
        """Write a commit's files below `target` (an existing folder). `index` is a scratch file.

        Line ends follow `.gitattributes`; filters (LFS) and submodules are left as they are.
        """
        place = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(target)}
        self._program.local(["read-tree", checked_sha(sha)], inside=repository, extra=place)
        self._program.local(["checkout-index", "--all", "--quiet", "--force"], inside=repository, extra=place)

    # -- notes ----------------------------------------------------------------------------------

    def read_note(self, repository: Path, ref: str, sha: str) -> str | None:
        """The note on a commit under `ref` (as `refs/notes/windlass`), or None."""
        call = ["notes", f"--ref={checked_ref(ref)}", "show", checked_sha(sha)]
        # A note is never empty, so no output means no note.
        return self._program.local(call, inside=repository, allowed=(1,)).decode("utf-8", "replace") or None

    def write_note(
        self, repository: Path, ref: str, sha: str, text: str, *, owner: tuple[int, int] | None = None
    ) -> None:
        """Replace the note on a commit, here; `push_ref` makes it known. `owner`: as that user and
        group, in a repository of theirs."""
        call = ["notes", f"--ref={checked_ref(ref)}", "add", "--force", "--file=-", checked_sha(sha)]
        self._program.local(call, inside=repository, stdin=text.encode(), extra=_IDENTITY, owner=owner)

    # -- working trees --------------------------------------------------------------------------

    def top_level(self, folder: Path) -> Path | None:
        """The root of the working tree around `folder`, or None where there is none."""
        try:
            out = self._program.work_tree(["rev-parse", "--show-toplevel"], folder)
        except OperatorError as error:
            if "not a git repository" in error.message or "work tree" in error.message:
                return None
            raise
        return Path(os.fsdecode(out.rstrip(b"\n")))

    def working_files(self, folder: Path) -> tuple[str, ...]:
        """Files below `folder`, relative to it: tracked ones and untracked ones not ignored.

        A repository inside it is one entry that ends in `/` or is a folder.
        """
        arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"]
        return parse_paths(self._program.work_tree(arguments, folder))


def default_branches(refs: Mapping[str, str]) -> list[str]:
    """The refs that a remote's default branch may be, the likeliest first: `ls_remote` gives HEAD's commit
    only, and several branches may stand there."""
    head = refs.get("HEAD")
    same = [ref for ref, sha in refs.items() if sha == head and ref.startswith("refs/heads/")]
    usual = ("refs/heads/main", "refs/heads/master")
    return [*(ref for ref in usual if ref in same), *same, *(ref for ref in usual if ref in refs)]


def _stands_at(ref: Path, sha: str) -> bool:
    """Whether a ref is exactly there. Git moves a ref only when all behind it has come."""
    try:
        return ref.read_text().strip() == sha
    except OSError:
        return False
