"""What can go wrong with `windlass status`; imported only then."""

from __future__ import annotations

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError


class UnknownCommit(WindlassError):
    """git knows no such commit."""

    exit_code = 2


def unknown_commit(commit: str) -> WindlassError:
    """No such commit here."""
    return UnknownCommit(f"git knows no commit '{commit}' here; name a branch, a tag or a commit")


def not_a_repository() -> WindlassError:
    """No repository around the working folder."""
    return OperatorError("this is not a git repository", remedy="go to the folder of one")


def no_git() -> WindlassError:
    """git is missing."""
    return OperatorError("git is not installed", remedy="install the package 'git'")


def strange_note(commit: str, ref: str) -> WindlassError:
    """Somebody else's note stands there."""
    return UpstreamError(f"the note on {commit} under {ref} is not one of Windlass's")
