"""GitHub's filter patterns for branches, tags and paths.

The rules, and the examples that the tests hold us to, are those of GitHub's "filter pattern cheat sheet":
https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet

``*`` is anything but ``/``; ``**`` is anything; ``?`` and ``+`` repeat the character before them zero or
one, and one or more times; ``[]`` is one character of a list or a range; a leading ``!`` takes away what
earlier patterns let in; a backslash makes the next character an ordinary one.

Matching walks a set of places in the pattern, one character of the text at a time, so that no pattern,
however many stars it has, takes longer than its length times the text's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

MOST_CHARACTERS = 1024
"""A longer pattern is refused: no name of a branch or file needs one."""


class PatternError(ValueError):
    """A pattern that has no meaning; the text says why."""


def is_negative(pattern: str) -> bool:
    """Whether a pattern takes away instead of letting in."""
    return pattern.startswith("!")


def matches(pattern: str, text: str) -> bool:
    """Whether one pattern (a leading ``!`` left aside) matches the whole of a text.

    Raises:
        PatternError: the pattern has no meaning.
    """
    return _machine(pattern.removeprefix("!")).accepts(text)


def selects(patterns: Iterable[str], text: str) -> bool:
    """Whether a list of patterns lets a text in: the last one that matches decides.

    Raises:
        PatternError: a pattern has no meaning.
    """
    is_in = False
    for pattern in patterns:
        if is_in == is_negative(pattern) and matches(pattern, text):
            is_in = not is_in
    return is_in


def check(pattern: str) -> None:
    """Refuse a pattern that has no meaning.

    Raises:
        PatternError: says why.
    """
    _machine(pattern.removeprefix("!"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One character's place in a pattern: which it may be, and how often."""

    characters: frozenset[str] = frozenset()
    is_any_but: bool = False
    """`characters` are those it may not be."""
    may_miss: bool = False
    may_repeat: bool = False
    is_folder_gate: bool = False
    """Takes no character; opens both the way through the next two parts (`.*` and `/`) and past them."""
    is_wildcard: bool = False

    def takes(self, character: str) -> bool:
        return not self.is_folder_gate and (character in self.characters) != self.is_any_but


@dataclass(frozen=True, slots=True)
class _Machine:
    """A pattern as a row of parts; sets of places in it are bit masks, and steps once taken are kept."""

    parts: tuple[_Part, ...]
    steps: dict[tuple[int, str], int] = field(default_factory=dict)

    def accepts(self, text: str) -> bool:
        places = self._spread(1)
        for character in text:
            known = self.steps.get((places, character))
            if known is None:
                known = self.steps[(places, character)] = self._step(places, character)
            places = known
            if not places:
                return False
        return bool(places >> len(self.parts) & 1)

    def _step(self, places: int, character: str) -> int:
        after = 0
        for place, part in enumerate(self.parts):
            if places >> place & 1 and part.takes(character):
                after |= 1 << (place + 1)
                if part.may_repeat:
                    after |= 1 << place
        return self._spread(after)

    def _spread(self, places: int) -> int:
        """Add the places that are reached without taking a character."""
        for place, part in enumerate(self.parts):
            if places >> place & 1:
                if part.is_folder_gate:
                    places |= (1 << (place + 1)) | (1 << (place + 3))
                elif part.may_miss:
                    places |= 1 << (place + 1)
        return places


_ANYTHING = _Part(is_any_but=True, may_miss=True, may_repeat=True, is_wildcard=True)
_NO_SLASH = replace(_ANYTHING, characters=frozenset("/"))
_SLASH = _Part(characters=frozenset("/"))
_FOLDERS = (_Part(is_folder_gate=True), _ANYTHING, _SLASH)


@lru_cache(maxsize=4096)
def _machine(pattern: str) -> _Machine:
    if not pattern:
        raise PatternError("the pattern is empty")
    if len(pattern) > MOST_CHARACTERS:
        raise PatternError(f"the pattern is longer than {MOST_CHARACTERS} characters")
    parts: list[_Part] = []
    place = 0
    while place < len(pattern):
        place = _read_part(pattern, place, parts)
    return _Machine(tuple(parts))


def _read_part(pattern: str, place: int, parts: list[_Part]) -> int:
    """Append what stands at a place; the place after it."""
    match pattern[place]:
        case "*":
            return _read_stars(pattern, place, parts)
        case "?" | "+" as repeat:
            if not parts or parts[-1].is_wildcard or parts[-1].may_miss or parts[-1].may_repeat:
                raise PatternError(
                    f"in the pattern '{pattern}', '{repeat}' has no character before it to repeat"
                )
            parts[-1] = replace(parts[-1], may_miss=repeat == "?", may_repeat=repeat == "+")
            return place + 1
        case "[":
            return _read_list(pattern, place, parts)
        case "\\" if place + 1 < len(pattern):
            parts.append(_Part(characters=frozenset(pattern[place + 1])))
            return place + 2
        case character:
            parts.append(_Part(characters=frozenset(character)))
            return place + 1


def _read_stars(pattern: str, place: int, parts: list[_Part]) -> int:
    end = place
    while pattern[end : end + 1] == "*":
        end += 1
    if end - place == 1:
        parts.append(_NO_SLASH)
    elif pattern[end : end + 1] == "/" and (place == 0 or pattern[place - 1] == "/"):
        parts.extend(_FOLDERS)  # `**/README.md` also matches without a folder
        return end + 1
    else:
        parts.append(_ANYTHING)
    return end


def _read_list(pattern: str, place: int, parts: list[_Part]) -> int:
    end = pattern.find("]", place + 1)
    if end < 0:
        raise PatternError(f"the pattern '{pattern}' has a '[' that no ']' closes")
    inside = pattern[place + 1 : end]
    if not inside:
        raise PatternError(f"the pattern '{pattern}' has an empty '[]'")
    characters: set[str] = set()
    at = 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            first, last = ord(inside[at]), ord(inside[at + 2])
            if first > last:
                raise PatternError(f"the pattern '{pattern}' has a range that runs backwards")
            characters.update(map(chr, range(first, last + 1)))
            at += 3
        else:
            characters.add(inside[at])
            at += 1
    parts.append(_Part(characters=frozenset(characters)))
    return end + 1
