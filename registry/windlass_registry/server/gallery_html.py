"""The gallery: all packages, or those that match. Pure."""

from __future__ import annotations

from typing import Final

from windlass_registry.server.layout_html import NOTHING, badges, page
from windlass_registry.server.markup import Html, fill, join
from windlass_registry.server.shown import Card, ShownGallery

_KINDS: Final = (("", "All"), ("action", "Actions"), ("sample", "Samples"))


def gallery_page(shown: ShownGallery, *, base: str) -> str:
    """The whole document."""
    body = fill('<div id="found" aria-live="polite">{found}</div>', found=found(shown, base=base))
    title = f"{shown.text} – Windlass registry" if shown.text else "Windlass registry"
    return page(title, body, base=base, text=shown.text, has_focus=True)


def found(shown: ShownGallery, *, base: str) -> Html:
    """What changes while somebody types: how many there are of each kind, and the list."""
    return fill(
        '<nav class="kinds" aria-label="Kind">{kinds}</nav>{cards}',
        kinds=join(_kind(word, title, shown, base=base) for word, title in _KINDS),
        cards=_cards(shown, base=base),
    )


def _cards(shown: ShownGallery, *, base: str) -> Html:
    if not shown.cards:
        what = f"for “{shown.text}”" if shown.text else "yet"
        hint = (
            "Publish something with “windlass publish DIR”."
            if not shown.text
            else "Try the beginning of a word."
        )
        return fill('<p class="none">Nothing {what}. {hint}</p>', what=what, hint=hint)
    return join(
        fill(
            '<ul class="cards" aria-label="{title}">{cards}</ul>',
            title=dict(_KINDS)[kind],
            cards=join(_card(card, base=base) for card in shown.cards if card.kind == kind),
        )
        for kind in _order(shown)
    )


def _order(shown: ShownGallery) -> list[str]:
    """The kinds that are listed, each by itself, for samples have pictures: that of the best match first, and
    where nothing was asked for, samples."""
    found = list(dict.fromkeys(card.kind for card in shown.cards))
    return found if shown.text else sorted(found, reverse=True)


def _kind(word: str, title: str, shown: ShownGallery, *, base: str) -> Html:
    current = Html(' aria-current="page"') if word == shown.kind else NOTHING
    return fill(
        '<a href="{base}/?kind={word}&amp;q={text}"{current}>{title} <span>{count}</span></a>',
        base=base,
        word=word,
        text=_quoted(shown.text),
        current=current,
        title=title,
        count=shown.counts.get(word, 0),
    )


def _card(card: Card, *, base: str) -> Html:
    namespace, slash, name = card.name.rpartition("/")
    return fill(
        '<li><a href="{base}{path}">{picture}<h2><small>{namespace}</small>{name}</h2>{badges}'
        "<p>{summary}</p><footer><span>v{version}</span>{downloads}</footer></a></li>",
        base=base,
        path=card.path,
        picture=_picture(card, base=base),
        namespace=namespace + slash,
        name=name,
        badges=badges(card),
        summary=card.summary,
        version=card.version,
        downloads=fill("<span>{count} downloads</span>", count=f"{card.downloads:,}")
        if card.downloads
        else NOTHING,
    )


def _picture(card: Card, *, base: str) -> Html:
    """What a sample yields. Its name stands below: who hears the page misses nothing."""
    if card.picture is None:
        return NOTHING
    return fill('<img src="{base}{path}" alt="" loading="lazy">', base=base, path=card.picture)


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text)
