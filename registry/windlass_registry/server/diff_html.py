"""What changed between two releases, file by file. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from windlass_registry.archive import Entry
from windlass_registry.server.layout_html import page
from windlass_registry.server.markup import Html, fill, join

_LINES_AT_MOST: Final = 4_000
_FILE_LINES: Final = 20_000


def diff_page(
    name: str,
    path: str,
    versions: tuple[str, str],
    files: tuple[Mapping[str, Entry], Mapping[str, Entry]],
    *,
    base: str,
) -> str:
    """The whole document."""
    old, new = files
    changed = [each for each in sorted({*old, *new}) if old.get(each) != new.get(each)]
    body = fill(
        '<h1><a href="{base}{path}">{name}</a> <span class="version">{a} → {b}</span></h1>{files}',
        base=base,
        path=path,
        name=name,
        a=versions[0],
        b=versions[1],
        files=join(_file(each, old.get(each), new.get(each)) for each in changed)
        or Html("<p>Both are the same, byte for byte.</p>"),
    )
    return page(f"{name} {versions[0]} → {versions[1]}", body, base=base)


def _file(name: str, old: Entry | None, new: Entry | None) -> Html:
    word = "added" if old is None else "removed" if new is None else "changed"
    return fill(
        '<details open><summary>{name} <span class="quiet">{word}</span></summary>'
        '<pre class="diff">{lines}</pre></details>',
        name=name,
        word=word,
        lines=_lines(old, new),
    )


def _lines(old: Entry | None, new: Entry | None) -> Html:
    texts = [_text(old), _text(new)]
    if any(text is None for text in texts):
        return fill("{it}", it="not a text")
    before, after = (str(text).splitlines() for text in texts)
    if len(before) + len(after) > _FILE_LINES:
        return fill("{it}", it="too long to compare here")
    found = list(difflib.unified_diff(before, after, n=3, lineterm=""))[2:]
    rows = [_line(each) for each in found[:_LINES_AT_MOST]]
    if len(found) > _LINES_AT_MOST:
        rows.append(fill("{it}", it="…"))
    if not found and old is not None and new is not None and old.is_executable != new.is_executable:
        rows.append(
            fill("{it}", it="may be executed now" if new.is_executable else "may not be executed any more")
        )
    return Html("\n".join(rows))


def _line(text: str) -> Html:
    kind = {"+": "added", "-": "removed", "@": "place"}.get(text[:1], "")
    return (
        fill('<span class="{kind}">{text}</span>', kind=kind, text=text)
        if kind
        else fill("{text}", text=text)
    )


def _text(entry: Entry | None) -> str | None:
    if entry is None:
        return ""
    if entry.target is not None:
        return f"a link to {entry.target}"
    if b"\0" in entry.content:
        return None
    return entry.content.decode("utf-8", "replace")
