"""What git's complaints mean for us: whose turn it is, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError


class RefRejected(UpstreamError):
    """A ref is not there (any more), or somebody else moved it first."""


def explain(arguments: Sequence[str], stderr: str, *, url: str | None = None) -> WindlassError:
    """The error for a git call that failed with this text."""
    text = without_credentials(stderr)
    where = f" from {without_credentials(url)}" if url else ""
    last = _gist(text)
    for pattern, remedy in _OPERATOR:
        if pattern.search(text):
            return OperatorError(f"git cannot go on{where}: {last}", remedy=remedy)
    if _REJECTED.search(text):
        return RefRejected(f"git cannot go on{where}: {last}")
    if _NETWORK.search(text):
        return unavailable(url, last)
    return OperatorError(f"git {_verb(arguments)} failed{where}: {last}")


def unavailable(url: str | None, reason: str) -> UpstreamError:
    """The error for a repository that does not answer now."""
    whom = without_credentials(url) if url else "git"
    return UpstreamError(f"{whom} does not answer: {reason}", retry_after_s=10.0)


def without_credentials(text: str) -> str:
    """The text with `user:password@` taken out of its addresses."""
    return re.sub(r"(\w+://)[^/@\s'\"]+@", r"\1", text)


_NETWORK: Final = re.compile(
    r"could not resolve|couldn't resolve|name or service not known|connection refused"
    r"|connection (?:timed out|reset|closed)"
    r"|failed to connect|couldn't connect|unable to access|network is unreachable|no route to host|early eof"
    r"|hung up unexpectedly|operation timed out|ssl_|gnutls|the requested url returned error: (?:5|429)",
    re.IGNORECASE,
)
_REJECTED: Final = re.compile(
    r"\[rejected\]|non-fast-forward|fetch first|couldn't find remote ref|not our ref|stale info"
    r"|failed to update ref|cannot lock ref|remote rejected|no such remote ref|unadvertised object",
    re.IGNORECASE,
)
_OPERATOR: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        (
            r"authentication failed|could not read (?:username|password)|permission denied|terminal prompts"
            r"|host key verification failed|returned error: (?:401|403)|invalid credentials",
            "give the daemon credentials for it (a key for ssh, a credential helper or token for https)",
        ),
        (
            r"dubious ownership",
            "it belongs to another user: git config --global --add safe.directory PATH",
        ),
        (r"died of signal 25|file too large", "the repository is too large: use a smaller one"),
        (r"no space left|disk quota exceeded", "free some disk space"),
        (
            r"not appear to be a git repository|not a git repository|repository '.*' not found"
            r"|repository not found|returned error: 404|does not exist",
            "check the address, and that the repository is there",
        ),
        (
            r"transport '.*' not allowed|unable to find remote helper",
            "use a file, ssh, http or https address",
        ),
    )
)


def _gist(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(?:fatal|error|remote|!)", line)] or lines
    return "; ".join(telling[:3])[:500] or "it gave no reason"


def _verb(arguments: Sequence[str]) -> str:
    skip = {"--git-dir", "-C"}
    previous = ""
    for argument in arguments:
        if not argument.startswith("-") and previous not in skip:
            return argument
        previous = argument
    return "call"
