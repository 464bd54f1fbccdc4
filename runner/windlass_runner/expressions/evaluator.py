"""A syntax tree and contexts to a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from windlass_runner.expressions.errors import evaluation_error
from windlass_runner.expressions.functions import PURE
from windlass_runner.expressions.host import FixedHost, FunctionHost
from windlass_runner.expressions.nodes import (
    Binary,
    Call,
    Index,
    Literal,
    Logical,
    NamedValue,
    Node,
    Star,
    Unary,
)
from windlass_runner.expressions.parser import parse
from windlass_runner.expressions.values import (
    Contexts,
    FilteredArray,
    are_equal,
    find_key,
    is_greater,
    is_primitive,
    is_truthy,
    to_number,
    to_text,
)

DEFAULT_HOST: Final = FixedHost()


def evaluate(expression: str, contexts: Contexts, *, host: FunctionHost = DEFAULT_HOST) -> Any:
    """The value of an expression; the keys of `contexts` are the names it may use.

    Raises:
        ExpressionError: of any kind.
    """
    return evaluate_node(parse(expression, names=contexts), contexts, host=host)


def evaluate_node(node: Node, contexts: Contexts, *, host: FunctionHost = DEFAULT_HOST) -> Any:
    """The value of a parsed expression: None, bool, number, string, list or mapping.

    A context that is not given is null.

    Raises:
        ExpressionError: of kind `evaluation`.
    """
    return _Evaluation(contexts, host).value(node)


class _Evaluation:
    def __init__(self, contexts: Contexts, host: FunctionHost) -> None:
        self._contexts = contexts
        self._host = host

    def value(self, node: Node) -> Any:
        match node:
            case Literal(value=value):
                return value
            case NamedValue(name=name):
                key = find_key(self._contexts, name)
                return None if key is None else self._contexts[key]
            case Index(target=target, key=key_node):
                return self._indexed(self.value(target), key_node)
            case Logical():
                return self._decided(node)
            case Unary(operand=operand):
                return not is_truthy(self.value(operand))
            case Binary(operator=operator, left=left, right=right):
                return _compared(operator, self.value(left), self.value(right))
            case Call():
                return self._called(node)
            case Star():
                raise AssertionError("the parser puts a star under an index only")

    def _decided(self, node: Logical) -> Any:
        value: Any = None
        for operand in node.operands:
            value = self.value(operand)
            if is_truthy(value) == (node.operator == "||"):
                break
        return value

    def _indexed(self, target: Any, key_node: Node) -> Any:
        if isinstance(key_node, Star):
            if isinstance(target, FilteredArray):
                return FilteredArray(item for member in target for item in _members(member))
            return FilteredArray(_members(target))
        key = self.value(key_node)
        if isinstance(target, FilteredArray):
            found = [_item(member, key) for member in target]
            return FilteredArray(item[0] for item in found if item)
        item = _item(target, key)
        return item[0] if item else None

    def _called(self, call: Call) -> Any:
        name = call.name.lower()
        if name == "case":
            return self._case(call)
        arguments = [self.value(argument) for argument in call.arguments]
        if function := PURE.get(name):
            return function(*arguments)
        texts = [to_text(argument) for argument in arguments]
        match name:
            case "success":
                return self._host.success(*texts)
            case "failure":
                return self._host.failure(*texts)
            case "always":
                return self._host.always()
            case "cancelled":
                return self._host.cancelled()
            case "hashfiles":
                return self._host.hash_files(*texts)
            case _:
                raise AssertionError(f"the parser let an unknown function pass: {call.name}")

    def _case(self, call: Call) -> Any:
        *pairs, default = call.arguments
        for predicate, result in zip(pairs[::2], pairs[1::2], strict=True):
            holds = self.value(predicate)
            if not isinstance(holds, bool):
                raise evaluation_error("case predicate must evaluate to a boolean value")
            if holds:
                return self.value(result)
        return self.value(default)


def _compared(operator: str, left: Any, right: Any) -> bool:
    match operator:
        case "==":
            return are_equal(left, right)
        case "!=":
            return not are_equal(left, right)
        case ">":
            return is_greater(left, right)
        case ">=":
            return are_equal(left, right) or is_greater(left, right)
        case "<":
            return is_greater(right, left)
        case _:
            return are_equal(left, right) or is_greater(right, left)


def _members(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []


def _item(value: Any, key: Any) -> tuple[Any] | None:
    """What `key` chooses of an object or array, in a tuple; None where there is nothing."""
    if isinstance(value, Mapping):
        known = find_key(value, to_text(key)) if is_primitive(key) else None
        return None if known is None else (value[known],)
    if isinstance(value, (list, tuple)):
        number = to_number(key)
        if math.isnan(number) or not 0 <= number < len(value):
            return None
        return (value[math.floor(number)],)
    return None
