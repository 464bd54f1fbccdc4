"""A commit's checks as the plain statuses of forges that know no more. Pure, but for `Recent`.

Used by the adapters of Gitea and GitLab.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from windlass_runner.forges.base import Check, CheckState

MOST_CHARACTERS: Final = 255
"""GitLab takes no longer name, description or address
(https://docs.gitlab.com/api/commits/#set-commit-pipeline-status); Gitea shows less of them."""
_COMMITS_KEPT: Final = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One status as it stands on a commit. `state` is in the forge's own words."""

    name: str
    state: str
    description: str
    url: str | None


def to_status(check: Check, states: Mapping[CheckState, str]) -> Status:
    """A check as a status, cut to what a forge takes; half an address leads nowhere, so that is left out."""
    has_short_url = check.url is not None and len(check.url) <= MOST_CHARACTERS
    return Status(
        name=_cut(check.name),
        state=states[check.state],
        description=_cut(check.title),
        url=check.url if has_short_url else None,
    )


def web_address(url: str | None) -> str | None:
    """The address where it is one that a browser opens."""
    return url if url and url.startswith(("http://", "https://")) else None


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"


class Recent(Generic[T]):
    """What is known of the commits that were posted to last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], T] = OrderedDict()

    def get(self, repository: str, sha: str, *, load: Callable[[], T]) -> T:
        """What is known, which is loaded where nothing is."""
        key = (repository, sha)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = load()
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _COMMITS_KEPT:
                self._kept.popitem(last=False)
        return found

    def forget(self, repository: str, sha: str) -> None:
        """It may be otherwise by now."""
        with self._lock:
            self._kept.pop((repository, sha), None)
