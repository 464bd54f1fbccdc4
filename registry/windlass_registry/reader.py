"""Typed values off the nodes of one YAML file, with every problem at its place.

Workflows, manifests and lock files are all read by a :class:`Reader`, so that they share one set of words for
what is wrong. It collects :class:`~windlass_registry.errors.Problem` values and never stops at the first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import yaml

from windlass_registry.documents import Position, Scalar, is_null, kind_of, merged_items, scalar
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.near_words import did_you_mean

_T = TypeVar("_T")


class Reader:
    """Reads typed values off nodes of one file and collects what is wrong with them.

    Every method returns the value, or None (or an empty collection) after noting a problem, so that
    reading goes on. Call :meth:`raise_if_broken` at the end.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []

    def error(self, node: yaml.Node | Position, message: str, remedy: str | None = None) -> None:
        """Note an error at a node."""
        place = node if isinstance(node, Position) else Position.of(node)
        self.problems.append(
            Problem(path=self.path, line=place.line, column=place.column, message=message, remedy=remedy)
        )

    def warn(self, node: yaml.Node | Position, message: str, remedy: str | None = None) -> None:
        """Note something that runs, but probably not as its author thinks."""
        place = node if isinstance(node, Position) else Position.of(node)
        self.problems.append(
            Problem(
                path=self.path,
                line=place.line,
                column=place.column,
                message=message,
                remedy=remedy,
                severity="warning",
            )
        )

    def raise_if_broken(self) -> None:
        """Raise all problems, in the order of the text, if one of them is an error."""
        self.problems.sort(key=lambda p: (p.line, p.column))
        if any(problem.severity == "error" for problem in self.problems):
            raise AuthorError(*self.problems)

    def entries(self, node: yaml.Node, what: str) -> dict[str, tuple[yaml.ScalarNode, yaml.Node]]:
        """The entries of a mapping by key, each with its key node; duplicates are errors."""
        if not isinstance(node, yaml.MappingNode):
            if not is_null(node):
                self.error(node, f"{what} must be a mapping, not {kind_of(node)}")
            return {}
        found: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        for key, value in merged_items(node):
            if not isinstance(key, yaml.ScalarNode):
                self.error(key, f"a key of {what} must be text, not {kind_of(key)}")
                continue
            if key.value in found:
                first = Position.of(found[key.value][0])
                self.error(key, f"'{key.value}' stands twice in {what}", f"the first is on line {first.line}")
                continue
            found[key.value] = (key, value)
        return found

    def fields(
        self,
        node: yaml.Node,
        what: str,
        known: Collection[str],
        *,
        elsewhere: Mapping[str, str] | None = None,
    ) -> dict[str, yaml.Node]:
        """The entries of a mapping whose keys are fixed; unknown keys are errors.

        `elsewhere` gives, for words that people bring from other systems, what to write here.
        """
        result: dict[str, yaml.Node] = {}
        for name, (key, value) in self.entries(node, what).items():
            if name in known:
                result[name] = value
            elif elsewhere and name in elsewhere:
                self.error(key, f"'{name}' is not a key of {what}", elsewhere[name])
            else:
                self.error(key, f"unknown key '{name}' in {what}", did_you_mean(name, known))
        return result

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """The items of a list."""
        if is_null(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.error(node, f"{what} must be a list, not {kind_of(node)}")
            return []
        return list(node.value)

    def items_or_one(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """The items of a list, or the one scalar that stands in place of a list of one."""
        if isinstance(node, yaml.ScalarNode):
            return [] if is_null(node) else [node]
        return self.items(node, what)

    def text(self, node: yaml.Node, what: str) -> str | None:
        """Text as it was written: ``3.10`` stays ``3.10``."""
        if not isinstance(node, yaml.ScalarNode) or is_null(node):
            self.error(node, f"{what} must be text, not {kind_of(node)}")
            return None
        return str(node.value)

    def texts(self, node: yaml.Node, what: str) -> list[str]:
        """A list of texts, or one text in place of a list of one."""
        found = (self.text(item, f"an item of {what}") for item in self.items_or_one(node, what))
        return [item for item in found if item is not None]

    def truth(self, node: yaml.Node, what: str) -> bool | None:
        """True or false."""
        return self._typed(node, what, "true or false", lambda v: v if isinstance(v, bool) else None)

    def whole(self, node: yaml.Node, what: str, *, least: int = 0) -> int | None:
        """A whole number of at least `least`."""
        wanted = f"a whole number of at least {least}"
        return self._typed(node, what, wanted, lambda v: _whole(v, least))

    def number(self, node: yaml.Node, what: str, *, above: float | None = None) -> float | None:
        """A number, greater than `above` where that is given."""
        wanted = "a number" if above is None else f"a number above {above:g}"

        def check(value: Scalar) -> float | None:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return None
            return value if above is None or value > above else None

        return self._typed(node, what, wanted, check)

    def choice(self, node: yaml.Node, what: str, known: Collection[str]) -> str | None:
        """One of some words."""
        word = self.text(node, what)
        if word is None or word in known:
            return word
        self.error(node, f"{what} cannot be '{word}'", did_you_mean(word, known))
        return None

    def _typed(
        self, node: yaml.Node, what: str, wanted: str, check: Callable[[Scalar], _T | None]
    ) -> _T | None:
        if isinstance(node, yaml.ScalarNode):
            found = check(scalar(node))
            if found is not None:
                return found
            shown = f"'{node.value}'" if node.value else "nothing"
            self.error(node, f"{what} must be {wanted}, not {shown}")
            return None
        self.error(node, f"{what} must be {wanted}, not {kind_of(node)}")
        return None


def _whole(value: Scalar, least: int) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and isinstance(value, int) and value >= least else None
