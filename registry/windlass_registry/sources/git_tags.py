"""What became of the tags that locks pin: seen now and then, beside the runs, which wait for none of it.

A tag that moves is how the actions of others were poisoned. What is locked runs as it is locked, without the
network; but its author should hear of the move.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_registry.refs import GitRef

PERIOD_S: Final = 3600.0
"""How often a repository is asked."""
FRESH_S: Final = 5.0
"""For how long an answer stands for all tags of a repository, also for who wants to ask now."""
_WATCHED: Final = 1000
"""How many repositories are kept in mind, those named last."""


class RefReader(Protocol):
    """What is needed of git. May raise OperatorError and UpstreamError."""

    def ls_remote(self, url: str) -> Mapping[str, str]:
        """The refs of a repository with the commits that they mean."""


@dataclass(slots=True)
class _Seen:
    """A repository as it was seen last; `at` None: never."""

    refs: Mapping[str, str] = field(default_factory=dict)
    at: float | None = None
    is_read: bool = False


class TagWatch:
    """See the module. Safe to use from several threads. `clock`: seconds that never go back."""

    def __init__(
        self, git: RefReader, *, clock: Callable[[], float], on_new: Callable[[], None] = lambda: None
    ) -> None:
        """`on_new`: called when a repository is named that nobody has looked at yet."""
        self._git = git
        self._clock = clock
        self._on_new = on_new
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def moved(self, ref: GitRef, commit: str, *, asks: bool = False) -> str | None:
        """See `catalog.GitPackages`."""
        if is_commit(ref.ref):
            return None
        with self._lock:
            is_new = ref.url not in self._seen
            self._seen.setdefault(ref.url, _Seen())
            self._seen.move_to_end(ref.url)
            if len(self._seen) > _WATCHED:
                self._seen.popitem(last=False)
            at = self._seen[ref.url].at
        if asks and (at is None or self._clock() - at >= FRESH_S):
            self._look(ref.url)
        elif is_new:
            self._on_new()
        with self._lock:
            seen = self._seen.get(ref.url)
        return None if seen is None or not seen.is_read else moved_tag(ref, commit, seen.refs)

    def turn(self) -> float:
        """Ask the repositories that were not asked for a while; how many seconds until the next is due. One
        that does not answer is asked again after a while."""
        for url in self._due():
            self._look(url)
        with self._lock:
            ends = [seen.at + PERIOD_S - self._clock() for seen in self._seen.values() if seen.at is not None]
        return max(1.0, min(ends, default=PERIOD_S))

    def _due(self) -> list[str]:
        now = self._clock()
        with self._lock:
            return [url for url, seen in self._seen.items() if seen.at is None or now - seen.at >= PERIOD_S]

    def _look(self, url: str) -> None:
        refs: Mapping[str, str] | None = None
        with suppress(UpstreamError, OperatorError):
            refs = self._git.ls_remote(url)
        with self._lock:
            seen = self._seen.get(url)
            if seen is not None:
                seen.at = self._clock()
                if refs is not None:
                    seen.refs, seen.is_read = refs, True


def is_commit(text: str) -> bool:
    """Whether a ref is all 40 digits of a commit, which cannot move."""
    return len(text) == 40 and all(digit in "0123456789abcdef" for digit in text)


def moved_tag(ref: GitRef, commit: str, refs: Mapping[str, str]) -> str | None:
    """What became of a tag that is pinned to `commit`; None where it is as it was, or is a branch, which
    moves by its nature."""
    name = ref.ref if ref.ref.startswith("refs/") else f"refs/tags/{ref.ref}"
    if not name.startswith("refs/tags/"):
        return None
    now = refs.get(name)
    if now == commit:
        return None
    if now is not None:
        return tag_moved(ref, commit, now)
    if f"refs/heads/{ref.ref}" in refs or ref.ref in refs:
        return None
    return f"{ref.url} has no tag or branch '{ref.ref}' any more; the lock pins commit {commit}"


def tag_moved(ref: GitRef, commit: str, now: str) -> str:
    """The words for a tag that was moved from one commit to another."""
    text = f"the tag '{ref.ref}' of {ref.url} was moved: the lock pins commit {commit}"
    return f"{text}, and it is at {now} now"
