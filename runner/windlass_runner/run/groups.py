"""Concurrency groups: one member at a time, a queue of bounded depth behind it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A run or job that wants its turn. `start` and `cancel` are called without any lock held."""

    id: str
    start: Callable[[], None]
    cancel: Callable[[str], None]


@dataclass(slots=True)
class _Group:
    holder: Member
    waiting: deque[Member] = field(default_factory=deque)


class Groups:
    """Who holds which group, and who waits for it. Not safe for threads: its owner holds a lock.

    Each call returns what is to be done, in order, once the lock is released.
    """

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    def holder(self, name: str) -> str | None:
        """The id of the member whose turn it is."""
        group = self._groups.get(name)
        return group.holder.id if group else None

    def ask(self, name: str, member: Member, *, depth: int, cancels_holder: bool) -> list[Callable[[], None]]:
        """Take the turn, or wait for it. Beyond `depth`, the one that waits longest gives way."""
        group = self._groups.get(name)
        if group is None:
            self._groups[name] = _Group(holder=member)
            return [member.start]
        group.waiting.append(member)
        actions: list[Callable[[], None]] = []
        while len(group.waiting) > max(depth, 1):
            evicted = group.waiting.popleft()
            actions.append(_cancel(evicted, f"a newer one waits in concurrency group '{name}'"))
        if cancels_holder:
            reason = f"cancelled by a newer one in concurrency group '{name}'"
            actions.append(_cancel(group.holder, reason))
        return actions

    def leave(self, name: str, member_id: str) -> list[Callable[[], None]]:
        """Give the turn (or the place in the queue) back."""
        group = self._groups.get(name)
        if group is None:
            return []
        if group.holder.id != member_id:
            group.waiting = deque(one for one in group.waiting if one.id != member_id)
            return []
        if not group.waiting:
            del self._groups[name]
            return []
        group.holder = group.waiting.popleft()
        return [group.holder.start]


def _cancel(member: Member, reason: str) -> Callable[[], None]:
    return lambda: member.cancel(reason)


class Turns:
    """Groups for several threads: what follows is done once the lock is released."""

    def __init__(self) -> None:
        self._groups = Groups()
        self._lock = threading.Lock()

    def ask(self, name: str, member: Member, *, depth: int, cancels_holder: bool) -> str:
        """Take the turn or wait for it; the id of who has it."""
        with self._lock:
            actions = self._groups.ask(name, member, depth=depth, cancels_holder=cancels_holder)
            holder = self._groups.holder(name) or member.id
        for action in actions:
            action()
        return holder

    def leave(self, name: str, member_id: str) -> None:
        """Give the turn (or the place in the queue) back."""
        with self._lock:
            actions = self._groups.leave(name, member_id)
        for action in actions:
            action()


def group_key(repository: str, name: str) -> str:
    """A concurrency group belongs to its repository."""
    return f"{repository}\n{name}"
