"""Tells people how far the fetching of packages is."""

from __future__ import annotations

from collections.abc import Callable

from windlass_registry.resolver import Fetching
from windlass_runner.commands.invocation import Invocation, is_terminal

_CLEAR = "\r\x1b[K"


def fetch_news(invocation: Invocation) -> Callable[[Fetching], None]:
    """What hears it: one line where it begins, and on a terminal a count that goes again at the end."""
    is_live = is_terminal(invocation.err)

    def hear(fetching: Fetching) -> None:
        things = "package" if fetching.total == 1 else "packages"
        if not is_live:
            if fetching.done == 0:
                invocation.say(f"fetching {fetching.total} {things}")
            return
        text = f"fetching {fetching.done} of {fetching.total} {things} {fetching.name}".rstrip()
        is_end = fetching.done == fetching.total
        invocation.err.write(_CLEAR if is_end else _CLEAR + text[: invocation.width(invocation.err) - 1])
        invocation.err.flush()

    return hear
