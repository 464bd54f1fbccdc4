"""A README as HTML: no markup of a stranger gets through, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from windlass_registry.server.markup import Html, printable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def readme_html(text: str) -> Html:
    """The text as HTML. Headings begin at the second level; pictures become links."""
    shown = "\n".join(printable(line) for line in text.splitlines())
    return Html(_renderer().render(_without_title(shown)))


def _without_title(text: str) -> str:
    """The page has a title of its own."""
    head, _, rest = text.partition("\n")
    return rest if head.startswith("# ") else text


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.add_render_rule("heading_open", _heading)
    renderer.add_render_rule("heading_close", _heading)
    renderer.add_render_rule("link_open", _link)
    renderer.add_render_rule("image", _image)
    return renderer


def _heading(self: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    tokens[place].tag = f"h{min(6, max(2, int(tokens[place].tag[1:]) + 1))}"
    return str(self.renderToken(tokens, place, options, env))


def _link(self: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    token = tokens[place]
    if _ELSEWHERE.match(str(token.attrGet("href") or "")):
        token.attrSet("rel", "nofollow noopener ugc")
    else:
        token.attrSet("href", "#files")  # a file of the package: they are all on the page
    return str(self.renderToken(tokens, place, options, env))


def _image(self: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    from markdown_it.common.utils import escapeHtml

    return f"<span class='quiet'>[picture: {escapeHtml(tokens[place].content)}]</span>"
