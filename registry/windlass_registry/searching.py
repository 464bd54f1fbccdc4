"""Finds packages by what somebody types: pure, over what a registry's index says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_WORD = re.compile(r"[a-z0-9]+")


def search(
    packages: Iterable[Mapping[str, Any]], text: str, *, kind: str | None = None
) -> list[Mapping[str, Any]]:
    """The packages that match every word of `text` (each the beginning of a word of theirs), the best first.

    A package is an entry of `index.json`. Yanked ones come last, before them deprecated ones, and
    before these those with a security notice.
    """
    words = _WORD.findall(text.lower())
    found = [
        (_rank(package, words, text.strip().lower()), package)
        for package in packages
        if (kind is None or package.get("kind") == kind) and _matches(package, words)
    ]
    found.sort(key=lambda pair: pair[0])
    return [package for _, package in found]


def _matches(package: Mapping[str, Any], words: Sequence[str]) -> bool:
    there = _WORD.findall(f"{package.get('name', '')} {package.get('summary', '')}".lower())
    name = str(package.get("name", "")).lower()
    return all(word in name or any(each.startswith(word) for each in there) for word in words)


def _rank(package: Mapping[str, Any], words: Sequence[str], text: str) -> tuple[object, ...]:
    full = str(package.get("name", "")).lower()
    name = full.rpartition("/")[2]
    closeness = (
        (0 if text in (full, name) else 1 if name.startswith(text) else 2 if text in full else 3)
        if words
        else 0
    )
    badge = {"official": 0, "verified": 1}.get(str(package.get("badge")), 2)
    worst_last = tuple(bool(package.get(mark)) for mark in ("yanked", "deprecated", "notice"))
    return (*worst_last, closeness, badge, full)
