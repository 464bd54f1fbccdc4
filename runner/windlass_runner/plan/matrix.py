"""A strategy's matrix to its combinations, by GitHub's rules for `include` and `exclude`.

Source: https://docs.github.com/actions/writing-workflows/choosing-what-your-workflow-does/running-variations-of-jobs-in-a-workflow
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

Combination = dict[str, Any]


class MatrixError(ValueError):
    """A matrix that is not one: not lists, too many combinations, none left."""


def combinations(
    axes: Mapping[str, Any],
    *,
    include: Sequence[Mapping[str, Any]] = (),
    exclude: Sequence[Mapping[str, Any]] = (),
    limit: int,
) -> list[Combination]:
    """All combinations, in the order of the axes (the last varies fastest), then the added ones.

    Raises:
        MatrixError: an axis is no list, or there are more than `limit` combinations (counted
            before one is made).
    """
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise MatrixError(f"matrix.{name} must be a list, not {_shown(values)}")
        if not values:
            raise MatrixError(f"matrix.{name} is an empty list")
    count = math.prod(len(values) for values in axes.values()) if axes else 0
    if count + len(include) > limit:
        raise MatrixError(
            f"the matrix gives {count + len(include):,} combinations; at most {limit:,} are run"
        )
    base = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())] if axes else []
    if exclude:
        base = [one for one in base if not any(_covers(rule, one) for rule in exclude)]
    return _with_includes(base, include)


def _covers(rule: Mapping[str, Any], combination: Mapping[str, Any]) -> bool:
    return all(name in combination and _matches(value, combination[name]) for name, value in rule.items())


def _matches(wanted: Any, found: Any) -> bool:
    """A mapping in `exclude` matches a value that has at least its entries."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(key in found and _matches(value, found[key]) for key, value in wanted.items())
    return bool(wanted == found) and isinstance(wanted, bool) == isinstance(found, bool)


def _with_includes(base: list[Combination], include: Sequence[Mapping[str, Any]]) -> list[Combination]:
    """An entry is added to every combination whose original values it does not overwrite; one that
    fits nowhere becomes a combination of its own."""
    result = [dict(one) for one in base]
    added: list[Combination] = []
    for entry in include:
        fits = [
            index
            for index, original in enumerate(base)
            if all(name not in original or original[name] == value for name, value in entry.items())
        ]
        for index in fits:
            result[index].update(entry)
        if not fits:
            added.append(dict(entry))
    return result + added


def label(combination: Mapping[str, Any]) -> str:
    """How a combination is shown behind a job's name: its values, in order."""
    return ", ".join(_shown(value) for value in combination.values())


def _shown(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case Mapping():
            return label(value)
        case list() | tuple():
            return "[" + ", ".join(_shown(item) for item in value) + "]"
        case _:
            return str(value)
