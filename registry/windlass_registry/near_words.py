"""What somebody most likely meant by a word that is not known: the end of many an error."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that somebody who wrote `word` most likely meant, if there is one."""
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(word: str, known: Collection[str]) -> str | None:
    """The remedy for an unknown word: the nearest known one, else a short list of them."""
    close = nearest(word, known)
    if close is not None:
        return f"did you mean '{close}'?"
    if known and len(known) <= 12:
        return "known here: " + ", ".join(sorted(known))
    return None
