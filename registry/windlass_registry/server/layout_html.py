"""What all pages of a registry have around them. Pure."""

from __future__ import annotations

from typing import Final

from windlass_registry.server.markup import Html, fill, join
from windlass_registry.server.shown import Card

NOTHING: Final = Html("")
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{base}/static/gallery.css">
<link rel="alternate" type="application/atom+xml" title="New releases" href="{base}/feed.xml">
<script src="{base}/static/gallery.js" defer></script>
</head>
<body>
<header class="top">
<a class="home" href="{base}/">Windlass <b>registry</b></a>
<form action="{base}/" role="search"><input type="search" name="q" value="{text}" aria-label="Search"
 placeholder="Search actions and samples" autocomplete="off" spellcheck="false"{focus}></form>
</header>
<main>
{body}
</main>
</body>
</html>
"""


def page(title: str, body: Html, *, base: str, text: str = "", has_focus: bool = False) -> str:
    """A whole document. `base` is where the registry is mounted, '' or `/registry`."""
    return fill(
        _PAGE,
        title=title,
        body=body,
        base=base,
        text=text,
        focus=Html(" autofocus") if has_focus else NOTHING,
    )


def badges(card: Card) -> Html:
    """The marks beside a package's name."""
    marks = [
        ("official", "official", "It belongs to the registry's owner") if card.badge == "official" else None,
        ("verified", "verified", "The registry's owner knows who that is")
        if card.badge == "verified"
        else None,
        ("danger", "security notice", f"Its publisher says that it is dangerous ({card.notice})")
        if card.notice
        else None,
        ("yanked", "yanked", "Its publisher took it back") if card.is_yanked else None,
        ("deprecated", "deprecated", "There is something better") if card.is_deprecated else None,
        ("kind", "sample", "A workflow to subscribe to") if card.kind == "sample" else None,
    ]
    shown = [
        fill(
            '<span class="mark {name}" title="{about}">{word}</span>',
            name=mark[0],
            word=mark[1],
            about=mark[2],
        )
        for mark in marks
        if mark is not None
    ]
    return fill('<div class="marks">{marks}</div>', marks=join(shown)) if shown else NOTHING


def copyable(text: str) -> Html:
    """A line that people copy; the button comes with the script."""
    return fill('<div class="copy"><code>{text}</code></div>', text=text)
