"""Ids of runs: short, sortable by time, safe in the names of containers and files.

45 bits of milliseconds and 20 bits of chance, written as 13 characters of Crockford's base 32 in
lower case. Within one ledger each id is greater than all before it, even where the clock went back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_CHANCE_BITS: Final = 20
LENGTH: Final = 13


def next_run_id(latest: str | None, *, at: float, random_bits: Callable[[int], int]) -> str:
    """The id of a run created at `at`, after the one called `latest`."""
    number = (max(0, int(at * 1000)) << _CHANCE_BITS) | random_bits(_CHANCE_BITS)
    if latest is not None:
        number = max(number, _decode(latest) + 1)
    return _encode(number)


def prefix_bounds(prefix: str) -> tuple[str, str]:
    """The least and the greatest id that begin with `prefix`."""
    return prefix, prefix + _ALPHABET[-1] * max(0, LENGTH - len(prefix))


def is_prefix(text: str) -> bool:
    """Whether ids may begin with this."""
    return 0 < len(text) <= LENGTH and all(character in _ALPHABET for character in text)


def _encode(number: int) -> str:
    characters = []
    for _ in range(LENGTH):
        number, digit = divmod(number, 32)
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))


def _decode(text: str) -> int:
    number = 0
    for character in text:
        number = number * 32 + _ALPHABET.index(character)
    return number
