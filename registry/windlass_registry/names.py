"""Names of namespaces and packages: what they are made of, and which read too much like another.

Typosquatting lives from a letter that nobody sees. A registry compares before it takes a name, for after
the first download it is too late. The look-alikes are those of the letters that a name may have (ASCII).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from windlass_registry.publication import Refused

NAME_CHARS: Final = 39
RESERVED: Final = frozenset(
    {
        *("root", "targets", "snapshot", "timestamp"),  # roles of TUF
        *("windlass", "builtin", "local", "official", "verified", "registry", "sha256"),
        *("api", "admin", "metadata", "packages", "statements", "static", "samples", "search"),
    }
)
_FORM = re.compile(r"[a-z0-9](?:-?[a-z0-9])*\Z")
_LOOKS: Final = (
    ("rn", "m"),
    ("vv", "w"),
    ("cl", "d"),
    ("0", "o"),
    ("1", "l"),
    ("i", "l"),
    ("5", "s"),
    ("-", ""),
)
_SHORTEST_TYPO: Final = 4
"""Among names of three letters, one letter of difference is what names are made of."""


def is_namespace(name: str) -> bool:
    """Whether a namespace may be called so."""
    return is_name(name) and name not in RESERVED


def is_name(name: str) -> bool:
    """Whether a package may be called so."""
    return len(name) <= NAME_CHARS and _FORM.match(name) is not None


def check_namespace(name: str) -> None:
    """Raise Refused where no namespace may be called so."""
    _check_form(name, "a namespace")
    if name in RESERVED:
        raise Refused(f"the namespace '{name}' is reserved", why="name", remedy="choose another")


def check_name(full_name: str) -> None:
    """Raise Refused where no package may be called so. `full_name` has its namespace."""
    namespace, slash, name = full_name.partition("/")
    if not slash:
        raise Refused(
            f"'{_shown(full_name)}' has no namespace",
            why="name",
            remedy="names without one are those of the built-in actions",
        )
    check_namespace(namespace)
    _check_form(name, "a package")


def check_likeness(full_name: str, *, builtin: Iterable[str], existing: Iterable[str]) -> None:
    """Raise Refused where a new name reads like one that is taken.

    `builtin` are the names of the built-in actions, `existing` all names of the registry. The name of a
    built-in action itself may be taken: whoever reads it sees the namespace.
    """
    namespace, _, name = full_name.partition("/")
    for taken in builtin:
        if name != taken and reads_like(name, taken):
            raise _alike(full_name, taken, "the built-in action")
    for taken in existing:
        other, _, same = taken.partition("/")
        if same == name and other != namespace and reads_like(namespace, other):
            raise _alike(full_name, taken, "the package")


def check_new_namespace(namespace: str, existing: Iterable[str]) -> None:
    """Raise Refused where a new namespace cannot be, or reads like one that somebody owns."""
    check_namespace(namespace)
    for taken in existing:
        if taken != namespace and reads_like(namespace, taken):
            raise Refused(
                f"the namespace '{namespace}' reads like '{taken}', which somebody else owns",
                why="name",
                remedy="choose another; --despite-likeness grants it all the same",
            )


def reads_like(one: str, other: str) -> bool:
    """Whether a person may take one for the other: look-alikes, or one letter or swap of difference."""
    if one == other or _look(one) == _look(other):
        return True
    return min(len(one), len(other)) >= _SHORTEST_TYPO and _is_one_edit(one, other)


def _check_form(name: str, what: str) -> None:
    if not is_name(name):
        raise Refused(
            f"'{_shown(name)}' cannot be the name of {what}",
            why="name",
            remedy=f"take lower-case letters and digits with single '-' between them, at most {NAME_CHARS}",
        )


def _alike(full_name: str, taken: str, what: str) -> Refused:
    return Refused(
        f"'{full_name}' reads like {what} '{taken}'", why="name", remedy="choose a name that nobody mistakes"
    )


def _look(name: str) -> str:
    for letters, look in _LOOKS:
        name = name.replace(letters, look)
    return name


def _is_one_edit(one: str, other: str) -> bool:
    """One letter more, less or changed, or two neighbours swapped."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    at = next(
        (at for at, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]), len(short)
    )
    if len(long) > len(short):
        return short[at:] == long[at + 1 :]
    if short[at + 1 :] == long[at + 1 :]:
        return True
    return short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]


def _shown(name: str) -> str:
    return name[:80] if name.isprintable() else ascii(name[:80])[1:-1]
