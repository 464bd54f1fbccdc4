"""The small pieces that pages are made of. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from windlass_registry.server.markup import Html, fill, join
from windlass_runner.run.report import RemarkReport, duration_text

NOTHING: Final = Html("")
_WORDS: Final = {"timed_out": "timed out", "neutral": "failed, allowed"}


def pill(state: str) -> Html:
    """A state, in its colour."""
    return fill('<span class="pill {state}">{word}</span>', state=state, word=word_of(state))


def word_of(state: str) -> str:
    """A state as people read it."""
    return _WORDS.get(state, state)


def link(url: str | None, what: object) -> Html:
    """A link where there is an address of the web; anything else stays text."""
    if url is None or not url.startswith(("http://", "https://")):
        return fill("{what}", what=what)
    return fill('<a href="{url}" rel="noreferrer">{what}</a>', url=url, what=what)


def moment(at: float) -> Html:
    """A time of day, in UTC."""
    moment = time.gmtime(at)
    return fill(
        '<time datetime="{exact}">{text}</time>',
        exact=time.strftime("%Y-%m-%dT%H:%M:%SZ", moment),
        text=time.strftime("%Y-%m-%d %H:%M UTC", moment),
    )


def took(started: float | None, finished: float | None, at: float) -> str:
    """How long something took, or has taken so far; empty: it has not begun."""
    if started is None:
        return ""
    return duration_text(max((at if finished is None else finished) - started, 0.0))


def remarks_list(remarks: Sequence[RemarkReport]) -> Html:
    """What jobs, or the check of a workflow file, say of places."""
    if not remarks:
        return NOTHING
    rows = join(
        fill(
            '<li class="{level}">{place}{message}</li>',
            level=remark.level if remark.level in ("error", "warning") else "notice",
            place=_place(remark),
            message=remark.message,
        )
        for remark in remarks
    )
    return fill('<ul class="remarks">{rows}</ul>', rows=rows)


def _place(remark: RemarkReport) -> Html:
    if not remark.file:
        return NOTHING
    line = f":{remark.line}" if remark.line else ""
    return fill("<code>{file}{line}</code> ", file=remark.file, line=line)
