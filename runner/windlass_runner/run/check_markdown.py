"""Markdown whose parts strangers wrote: their texts stay texts, whatever is in them. Pure.

For GitHub's dialect (https://github.github.com/gfm/) and its like. Called by `run.check_summary`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Final

_BREAK: Final = "\u200b"
"""Zero width, and the end of every name, number and address that a forge would make a link of."""
_LINKED: Final = re.compile(r"@(?=\w)|#(?=\d)|\bGH(?=-\d)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
_MARKUP: Final = str.maketrans({sign: f"&#{ord(sign)};" for sign in r"\`*_[]<>|~&$"})
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_STEERING: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_BARS: Final = "▁▂▃▄▅▆▇█"
BARS_SHOWN: Final = 24


def plain(text: str, limit: int) -> str:
    """One line of at most `limit` characters, without what steers a terminal or turns the direction."""
    line = " ".join(_printable(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def escape(text: str, limit: int = 200) -> str:
    """Text for the middle of a line or for a cell: no markup, no mention, no link comes of it."""
    return _unlinked(plain(text, limit)).translate(_MARKUP)


def code(text: str, limit: int = 200) -> str:
    """The text in the letters of a typewriter. HTML, as a backtick cannot be escaped between backticks."""
    return f"<code>{escape(text, limit)}</code>"


def link(text: str, address: str | None) -> str:
    """Escaped text, linked where there is an address (of http or https; anything else is no link)."""
    if not address or not re.fullmatch(r"https?://[^\s<>|\\]+", address):
        return escape(text)
    return f"[{escape(text)}](<{address}>)"


def picture(text: str, address: str, *, width: int) -> str:
    """An image of an address of ours, so many pixels wide (HTML: Markdown knows no width)."""
    return f'<img alt="{html.escape(plain(text, 100))}" src="{html.escape(address)}" width="{width}">'


def fenced(lines: Iterable[str], *, line_limit: int) -> str:
    """Lines as they are, between fences that none of them can be. Long ones lose their middle."""
    body = "\n".join(_middle_cut(_printable(line).rstrip(), line_limit) for line in lines)
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{body}\n{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """A table of cells that are Markdown already; columns in `right` are aligned so. Those that are
    empty in every row are left out."""
    listed = list(rows)
    aligned = set(right)
    used = [at for at in range(len(heads)) if any(row[at] for row in listed)]
    marks = ["--:" if at in aligned else ":--" for at in used]
    lines = [[heads[at] for at in used], marks, *([row[at] for at in used] for row in listed)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def and_more(body: str, left_out: int) -> str:
    """A list or table, and below it how much of it is not shown."""
    return f"{body}\n\n… and {left_out} more." if left_out > 0 else body


def folded(heading: str, body: str) -> str:
    """Markdown that opens with a click on its heading (HTML)."""
    return f"<details><summary>{heading}</summary>\n\n{body}\n\n</details>"


def authored(text: str, limit: int) -> str:
    """Markdown that a job wrote, as Markdown: without mentions, with its last fence closed, at most
    about `limit` characters of it."""
    kept = text if len(text) <= limit else text[:limit].rpartition("\n")[0] or text[:limit]
    kept = re.sub(r"@(?=\w)", f"@{_BREAK}", kept)
    fence = ""
    for line in kept.split("\n"):
        if match := _FENCE.match(line):
            if not fence:
                fence = match[1]
            elif match[1].startswith(fence) and line.strip() == match[1]:
                fence = ""
    kept += f"\n{fence}" if fence else ""
    return kept if len(text) <= limit else f"{kept}\n\n… *(cut)*"


def bars(values: Sequence[float]) -> str:
    """A course as a row of bars, the least value lowest; of many values, the means of equal parts."""
    count = min(len(values), BARS_SHOWN)
    scale = max(map(abs, values), default=0) or 1  # so that no sum or difference is too large
    parts = [values[len(values) * at // count : len(values) * (at + 1) // count] for at in range(count)]
    means = [sum(value / scale for value in part) / len(part) for part in parts]
    if not means:
        return ""
    least, span = min(means), max(means) - min(means)
    return "".join(_BARS[round((mean - least) / span * 7) if span else 3] for mean in means)


def _printable(text: str) -> str:
    clean = _STEERING.sub("", text).replace("\t", "    ")
    return clean if clean.isprintable() else "".join(one if one.isprintable() else " " for one in clean)


def _unlinked(text: str) -> str:
    return _LINKED.sub(lambda match: match[0] + _BREAK, text)


def _middle_cut(line: str, limit: int) -> str:
    if len(line) <= limit:
        return line
    tail = limit // 4
    return f"{line[: limit - tail - 3]} … {line[-tail:]}"
