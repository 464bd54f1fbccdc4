from __future__ import annotations

import io

from windlass_registry.resolver import Fetching
from windlass_runner.commands.fetch_news import fetch_news
from windlass_runner.commands.invocation import Invocation


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("no such device")


def said(err: io.StringIO) -> str:
    hear = fetch_news(Invocation(environment={}, out=io.StringIO(), err=err))
    for done, name in enumerate(("", "acme/a", "acme/b")):
        hear(Fetching(done=done, total=2, name=name))
    return err.getvalue()


def test_a_log_gets_one_line() -> None:
    assert said(io.StringIO()) == "fetching 2 packages\n"


def test_a_terminal_gets_a_count_that_goes_again() -> None:
    assert said(Terminal()) == (
        "\r\x1b[Kfetching 0 of 2 packages\r\x1b[Kfetching 1 of 2 packages acme/a\r\x1b[K"
    )
