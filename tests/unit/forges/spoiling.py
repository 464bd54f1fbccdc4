"""Payloads with something changed in them, by hand and by hypothesis."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def changed(data: dict[str, Any], where: str, value: object) -> dict[str, Any]:
    """A copy with another value at a dotted path; `...` takes the key away."""
    found = copy.deepcopy(data)
    *way, last = where.split(".")
    part = found
    for key in way:
        part = part[key]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return found


def spoil(data: st.DataObject, value: Any) -> Any:
    """The value with something changed somewhere in it."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 5)) != 0:
        key = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.booleans()) and data.draw(st.booleans()):
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: spoil(data, value[key])}
    return data.draw(values)
