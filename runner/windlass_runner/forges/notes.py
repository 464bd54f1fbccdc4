"""Notes on commits, shared with others who write them: read, change, push, and again if need be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from windlass_registry.errors import UpstreamError
from windlass_runner.forges.git import Git
from windlass_runner.forges.git_errors import RefRejected

NOTES_REF: Final = "refs/notes/windlass"
_TRIES: Final = 8


def update_note(
    git: Git, mirror: Path, url: str, sha: str, change: Callable[[str | None], str], *, ref: str = NOTES_REF
) -> str:
    """Change the note on a commit in the repository at `url`; gives the text that stands there now.

    `change` gets the present text (None: no note) and gives the new one; it may be called again,
    when somebody else pushed notes meanwhile. Never by force. One caller per mirror at a time.
    The commit must lie in the mirror.

    Raises:
        UpstreamError: the repository does not answer, or others kept winning the race.
    """
    if not _is_known(mirror, ref):
        git.fetch_ref(mirror, url, ref)
    for _ in range(_TRIES):
        old = git.read_note(mirror, ref, sha)
        new = change(old)
        if new.strip() != (old or "").strip():
            git.write_note(mirror, ref, sha, new)
        try:
            git.push_ref(mirror, url, ref)
        except RefRejected:
            git.fetch_ref(mirror, url, ref)
            continue
        return new
    raise UpstreamError(f"the notes of {url} are changed by others all the time", retry_after_s=2.0)


def fetch_note(git: Git, mirror: Path, url: str, sha: str, *, ref: str = NOTES_REF) -> str | None:
    """The note on a commit as it stands in the repository at `url`."""
    git.fetch_ref(mirror, url, ref)
    return git.read_note(mirror, ref, sha)


def _is_known(mirror: Path, ref: str) -> bool:
    if (mirror / ref).is_file():
        return True
    try:
        return f" {ref}\n" in (mirror / "packed-refs").read_text()
    except FileNotFoundError:
        return False
