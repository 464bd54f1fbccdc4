"""TOML to typed values with every problem at its line. Used by `daemon.settings` alone.

`tomllib` gives no positions, so the text is scanned once for where each table and key stands.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from windlass_registry.errors import OperatorError, Problem
from windlass_registry.near_words import did_you_mean

Path = tuple[str | int, ...]
"""Keys and indexes from the root to a value."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?\Z")
_KEY = re.compile(r"""\s*([A-Za-z0-9_."'\- ]+?)\s*=""")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")
_DECODE_PLACE = re.compile(r"(.*) \(at line (\d+), column (\d+)\)\Z", re.DOTALL)
_NO_PLACE: Final = (0, 0)


class SettingsError(OperatorError):
    """The settings cannot be used; carries every problem found, in the order of the text."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Places:
    """Where in the text each key stands."""

    def __init__(self, text: str) -> None:
        self._places: dict[Path, tuple[int, int]] = {}
        for path, place in _scan(text):
            self._places.setdefault(path, place)

    def of(self, path: Path) -> tuple[int, int]:
        """Line and column of a key, or of the nearest table around it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._places:
                return self._places[path[:end]]
        return _NO_PLACE


def _scan(text: str) -> Iterator[tuple[Path, tuple[int, int]]]:
    table: Path = ()
    arrays: dict[Path, int] = {}
    open_quote = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if open_quote:
            open_quote = "" if open_quote in line else open_quote
            continue
        place = (number, len(line) - len(line.lstrip()) + 1)
        if header := _HEADER.match(line):
            table = _resolved(_parts(header[2]), arrays, is_array=header[1] == "[[")
            yield table, place
        elif key := _KEY.match(line):
            yield from _nested(table, _parts(key[1]), place)
        open_quote = _left_open(line)


def _resolved(names: tuple[str, ...], arrays: dict[Path, int], *, is_array: bool) -> Path:
    """A header's path with the index of each array of tables that it goes through."""
    path: Path = ()
    for depth, name in enumerate(names):
        path = (*path, name)
        if is_array and depth == len(names) - 1:
            arrays[path] = arrays.get(path, -1) + 1
        if path in arrays:
            path = (*path, arrays[path])
    return path


def _nested(
    table: Path, names: tuple[str, ...], place: tuple[int, int]
) -> Iterator[tuple[Path, tuple[int, int]]]:
    for end in range(1, len(names) + 1):
        yield (*table, *names[:end]), place


def _parts(text: str) -> tuple[str, ...]:
    return tuple(found[1] or found[2] or found[3] or "" for found in _PART.finditer(text))


def _left_open(line: str) -> str:
    for quote in ('"""', "'''"):
        if line.count(quote) % 2:
            return quote
    return ""


def decode(text: str, *, name: str) -> dict[str, Any]:
    """The text as TOML. Raises SettingsError with the place where it is not."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _DECODE_PLACE.match(str(error))
        what, line, column = (found[1], int(found[2]), int(found[3])) if found else (str(error), 0, 0)
        problem = Problem(
            path=name,
            line=line,
            column=column,
            message=f"not TOML: {what[:1].lower()}{what[1:]}",
            remedy="see https://toml.io",
        )
        raise SettingsError(problem) from error


class Section:
    """One table: gives values by type, notes what is wrong, and at the end what nobody asked for."""

    def __init__(
        self, data: Mapping[str, Any], *, name: str, places: Places, problems: list[Problem], path: Path = ()
    ) -> None:
        self.data = data
        self.path = path
        self._name = name
        self._places = places
        self._problems = problems
        self._asked: set[str] = set()

    def error(self, key: str | None, message: str, remedy: str | None = None) -> None:
        """Note a problem with a key of this table, or with the table."""
        line, column = self._places.of(self.path if key is None else (*self.path, key))
        self._problems.append(
            Problem(path=self._name, line=line, column=column, message=message, remedy=remedy)
        )

    def text(self, key: str) -> str | None:
        """A text that is not empty."""
        value: str | None = self._typed(key, str, "text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts that are not empty; a single one may stand alone."""
        value = self.data.get(key)
        if isinstance(value, list) and all(isinstance(item, str) and item for item in value):
            self._asked.add(key)
            return tuple(value)
        if isinstance(value, list):
            self._asked.add(key)
            self.error(key, f"{self.label(key)} must be a list of texts")
            return ()
        text = self.text(key)
        return () if text is None else (text,)

    def choice(self, key: str, known: Collection[str]) -> str | None:
        """One of some words."""
        word = self.text(key)
        if word is not None and word not in known:
            self.error(key, f"{self.label(key)} cannot be '{word}'", did_you_mean(word, known))
            return None
        return word

    def whole(self, key: str, *, least: int) -> int | None:
        """A whole number, not below `least`."""
        value: int | None = self._typed(key, int, "a whole number")
        if value is not None and value < least:
            self.error(key, f"{self.label(key)} must be at least {least}, not {value}")
            return None
        return value

    def number(self, key: str, *, least: float) -> float | None:
        """A number, not below `least`."""
        value: float | None = self._typed(key, (int, float), "a number")
        if value is not None and not least <= value < float("inf"):
            self.error(key, f"{self.label(key)} must be a number from {least:g} up, not {value}")
            return None
        return value

    def flag(self, key: str) -> bool | None:
        """true or false."""
        self._asked.add(key)
        value = self.data.get(key)
        if value is not None and not isinstance(value, bool):
            self.error(key, f"{self.label(key)} must be true or false, not {_shown(value)}")
            return None
        return value

    def table(self, key: str) -> Section:
        """A table in this one; an empty one where it is not there."""
        self._asked.add(key)
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            self.error(key, f"{self.label(key)} must be a table, not {_shown(value)}", f"write [{key}]")
            value = {}
        return self._section(value, (*self.path, key))

    def tables(self, key: str) -> list[Section]:
        """An array of tables; empty where it is not there."""
        self._asked.add(key)
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.error(key, f"{self.label(key)} must be a list of tables", f"write [[{key}]]")
            return []
        return [self._section(item, (*self.path, key, index)) for index, item in enumerate(value)]

    def names(self) -> list[str]:
        """All keys, where the author chooses them."""
        self._asked.update(self.data)
        return list(self.data)

    def known(self, key: str) -> None:
        """Take the key as asked for."""
        self._asked.add(key)

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key in self.data:
            if key not in self._asked:
                where = f" in [{_dotted(self.path)}]" if self.path else ""
                self.error(key, f"unknown key '{key}'{where}", did_you_mean(key, self._asked))

    def label(self, key: str) -> str:
        """The key as an error names it."""
        return f"'{key}'" if not self.path else f"'{_dotted(self.path)}.{key}'"

    def _section(self, data: Mapping[str, Any], path: Path) -> Section:
        return Section(data, name=self._name, places=self._places, problems=self._problems, path=path)

    def _typed(self, key: str, kind: type | tuple[type, ...], wanted: str) -> Any:
        self._asked.add(key)
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, kind) or value == "":
            self.error(key, f"{self.label(key)} must be {wanted}, not {_shown(value)}")
            return None
        return value


def _dotted(path: Path) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case "":
            return "an empty text"
        case str():
            return "text"
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return str(value)
