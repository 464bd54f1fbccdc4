"""New branches with a commit of ours: made of files in a bare mirror, and brought to the repository.

Nothing is ever forced: a branch that is there already is somebody's.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

from windlass_runner.forges.git_program import GitProgram, checked_address, checked_ref, checked_sha
from windlass_runner.forges.local_refs import local_path
from windlass_runner.forges.plain_git import owner_of

_IDENTITY: Final = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Windlass"), ("EMAIL", "windlass@localhost"))
}
_NOTHING: Final = "0" * 40


def commit_files(
    program: GitProgram,
    mirror: Path,
    *,
    base: str,
    root: Path,
    paths: Collection[str],
    message: str,
    index: Path,
) -> str:
    """A commit on `base` in which these paths are as they lie below `root` (gone where they do not); gives
    its name. `index`: a scratch file. Line ends and filters are left alone."""
    place = {"GIT_INDEX_FILE": str(index)}
    program.local(["read-tree", checked_sha(base)], inside=mirror, extra=place)
    lines = [_line(program, mirror, root / path, path) for path in sorted(paths)]
    told = "".join(f"{line}\0" for line in lines).encode("utf-8", "surrogateescape")
    program.local(["update-index", "-z", "--index-info"], inside=mirror, stdin=told, extra=place)
    tree = program.local(["write-tree"], inside=mirror, extra=place).decode().strip()
    call = ["commit-tree", checked_sha(tree), "-p", base, "-F", "-"]
    return program.local(call, inside=mirror, stdin=message.encode(), extra=_IDENTITY).decode().strip()


def push_branch(program: GitProgram, mirror: Path, url: str, *, sha: str, base: str, branch: str) -> None:
    """Make the branch in the repository at `url`, with a commit of the mirror on one that is there.

    Raises:
        RefRejected: a branch of that name was made meanwhile.
        OperatorError: we may not.
        UpstreamError: the repository does not answer.
    """
    ref = checked_ref(f"refs/heads/{branch}")
    beside = local_path(url)
    if beside is not None:
        _make_beside(program, mirror, beside, sha=checked_sha(sha), base=checked_sha(base), ref=ref)
        return
    call = ["push", "--quiet", "--", checked_address(url), f"{checked_sha(sha)}:{ref}"]
    program.network(call, url=url, inside=mirror)


def _make_beside(
    program: GitProgram, mirror: Path, repository: Path, *, sha: str, base: str, ref: str
) -> None:
    """On this machine: as the repository's owner, who has to go on with it, and without its hooks, for these
    would run as us."""
    wanted = f"{sha}\n^{base}\n".encode()
    pack = program.local(["pack-objects", "--stdout", "--revs", "-q"], inside=mirror, stdin=wanted)
    owner = owner_of(repository)
    program.local(["unpack-objects", "-q"], inside=repository, stdin=pack, owner=owner)
    program.local(["update-ref", ref, sha, _NOTHING], inside=repository, owner=owner)


def _line(program: GitProgram, mirror: Path, place: Path, path: str) -> str:
    """https://git-scm.com/docs/git-update-index#_using_index_info"""
    if not place.is_file() or place.is_symlink():
        return f"0 {_NOTHING}\t{path}"
    content = place.read_bytes()
    blob = program.local(["hash-object", "-w", "--stdin"], inside=mirror, stdin=content).decode().strip()
    return f"{'100755' if os.access(place, os.X_OK) else '100644'} {blob}\t{path}"
