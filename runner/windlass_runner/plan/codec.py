"""Frozen dataclasses to JSON and back, so that a plan can be printed, stored and taken up again.

Fields that hold their default are left out. A union of dataclasses is told apart by a ``kind`` key
with the class's name. Used for plans alone; the ledger stores the text and looks no deeper.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, Union

_T = TypeVar("_T")
_SCALARS = frozenset((str, int, float, bool, type(None)))


def dumps(value: Any) -> str:
    """A dataclass value as compact JSON text."""
    return json.dumps(encode(value), separators=(",", ":"), ensure_ascii=False)


def loads(cls: type[_T], text: str) -> _T:
    """The value that :func:`dumps` wrote.

    Raises:
        ValueError: not JSON, or not of this shape.
    """
    try:
        result = decode(cls, json.loads(text))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a {cls.__name__}: {error}") from error
    return typing.cast(_T, result)


def encode(value: Any, *, tagged: bool = False) -> Any:
    """JSON's types for a dataclass, a mapping, a sequence or a scalar."""
    cls = value.__class__
    if cls in _SCALARS:
        return value
    if cls is dict:
        return {str(key): encode(item, tagged=tagged) for key, item in value.items()}
    if cls is tuple or cls is list:
        return [encode(item, tagged=tagged) for item in value]
    if hasattr(cls, "__dataclass_fields__"):
        return _encode_fields(value, cls, tagged=tagged)
    if isinstance(value, Mapping):
        return {str(key): encode(item, tagged=tagged) for key, item in value.items()}
    return value


def _encode_fields(value: Any, cls: type, *, tagged: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": cls.__name__} if tagged else {}
    for name, is_union, default in _layout(cls):
        item = getattr(value, name)
        if item is default or (item == default and item.__class__ is default.__class__):
            continue
        data[name] = item if item.__class__ in _SCALARS else encode(item, tagged=is_union)
    return data


@lru_cache(maxsize=256)
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


@lru_cache(maxsize=256)
def _layout(cls: type) -> tuple[tuple[str, bool, Any], ...]:
    """Each field's name, whether its values are told apart by class, and its default."""
    hints = _hints(cls)
    return tuple(
        (field.name, _holds_union(hints[field.name]), _default(field)) for field in dataclasses.fields(cls)
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (Union, types.UnionType)


def _dataclasses_of(hint: Any) -> list[type]:
    return [arm for arm in typing.get_args(hint) if dataclasses.is_dataclass(arm) and isinstance(arm, type)]


def _holds_union(hint: Any) -> bool:
    """Whether values under this hint are told apart by their class."""
    if _is_union(hint):
        return len(_dataclasses_of(hint)) > 1
    return any(_holds_union(arm) for arm in typing.get_args(hint) if arm is not Ellipsis)


def decode(hint: Any, data: Any) -> Any:
    """The value of type `hint` that `data` (JSON's types) stands for."""
    if data.__class__ in _SCALARS:
        return data
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = _hints(hint)
        return hint(**{name: decode(hints[name], item) for name, item in data.items() if name in hints})
    return _decoder(hint)(data)


@lru_cache(maxsize=1024)
def _decoder(hint: Any) -> Callable[[Any], Any]:
    """How a value that is neither a scalar nor a dataclass of its own is read under this hint."""
    if _is_union(hint):
        return lambda data: _decode_union(hint, data)
    origin, arms = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return lambda data: tuple(decode(arms[0], item) for item in data)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return lambda data: {key: decode(arms[1], item) for key, item in data.items()}
    return lambda data: data


def _decode_union(hint: Any, data: Any) -> Any:
    classes = _dataclasses_of(hint)
    if classes and isinstance(data, dict):
        chosen = next((cls for cls in classes if cls.__name__ == data.get("kind")), classes[0])
        return decode(chosen, data)
    for arm in typing.get_args(hint):
        origin = typing.get_origin(arm)
        if isinstance(data, list) and origin is tuple:
            return decode(arm, data)
        if isinstance(data, dict) and isinstance(origin, type) and issubclass(origin, Mapping):
            return decode(arm, data)
    return data
