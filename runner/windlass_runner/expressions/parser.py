"""Tokens to a syntax tree, with GitHub's precedences, limits and error texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Final

from windlass_runner.expressions.errors import ExpressionError, located
from windlass_runner.expressions.lexer import KEYWORDS, NUMBER_NAMES, Token, tokenize
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
from windlass_runner.expressions.signatures import HOST_FUNCTIONS, SIGNATURES

MAX_DEPTH: Final = 50
LONGEST_PATH: Final = 2 * MAX_DEPTH - 10
"""In characters: a longer path might be too deep, which the full parser reports."""
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")


def parse(
    expression: str,
    *,
    names: Collection[str] | None = None,
    functions: Collection[str] | None = None,
) -> Node:
    """Read an expression. An empty one is the literal null.

    `names` are the contexts that may be named here, `functions` those of the host's functions
    (`success`, `hashFiles` …) that may be called; None allows every name and every function.

    Raises:
        ExpressionError: of kind `lexing` or `parsing`.
    """
    return _parse(
        expression,
        None if names is None else frozenset(name.lower() for name in names),
        None if functions is None else frozenset(name.lower() for name in functions),
    )


@lru_cache(maxsize=16_384)
def _parse(expression: str, names: frozenset[str] | None, functions: frozenset[str] | None) -> Node:
    return _plain_path(expression, names) or _Parser(expression, names=names, functions=functions).parse()


def _plain_path(expression: str, names: frozenset[str] | None) -> Node | None:
    """The tree of `a.b.c`, which most expressions are, on a short way; None for anything else."""
    if len(expression) > LONGEST_PATH or not _PATH.fullmatch(expression):
        return None
    name, *properties = expression.split(".")
    if name in KEYWORDS or name in NUMBER_NAMES or (names is not None and name.lower() not in names):
        return None
    node: Node = NamedValue(name=name, position=1)
    position = len(name) + 1
    for property_name in properties:
        key = Literal(value=property_name, position=position + 1)
        node = Index(target=node, key=key, position=position)
        position += len(property_name) + 1
    return node


class _Parser:
    def __init__(
        self, expression: str, *, names: frozenset[str] | None, functions: frozenset[str] | None
    ) -> None:
        self._expression = expression
        self._tokens = tokenize(expression)
        self._next = 0
        self._depth = 0
        self._names = names
        self._functions = functions

    def parse(self) -> Node:
        if self._at_end():
            return Literal(value=None)
        node = self._expression_node()
        if not self._at_end():
            raise self._unexpected()
        return node

    def _expression_node(self) -> Node:
        self._descend()
        node = self._or()
        self._depth -= 1
        return node

    def _or(self) -> Node:
        return self._logical("||", self._and)

    def _and(self) -> Node:
        return self._logical("&&", self._equality)

    def _logical(self, operator: str, operand: Callable[[], Node]) -> Node:
        first = operand()
        if not self._sees(operator):
            return first
        self._descend()
        position = self._token().position
        operands = [*_flattened(first, operator)]
        while self._takes(operator):
            operands += _flattened(operand(), operator)
        self._depth -= 1
        return Logical(operator=operator, operands=tuple(operands), position=position)

    def _equality(self) -> Node:
        return self._chain(("==", "!="), self._comparison)

    def _comparison(self) -> Node:
        return self._chain((">", ">=", "<", "<="), self._unary)

    def _chain(self, operators: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        node = operand()
        length = 0
        while self._sees(*operators):
            operator = self._advance()
            length += 1
            if self._depth + length > MAX_DEPTH:
                raise self._too_deep(operator)
            node = Binary(operator=operator.text, left=node, right=operand(), position=operator.position)
        return node

    def _unary(self) -> Node:
        if not self._sees("!"):
            return self._indexed()
        operator = self._advance()
        self._descend()
        operand = self._unary()
        self._depth -= 1
        return Unary(operator="!", operand=operand, position=operator.position)

    def _indexed(self) -> Node:
        can_be_indexed = self._token().kind == "name" or self._sees("(")
        node = self._primary()
        levels = 0
        while can_be_indexed and self._sees("[", "."):
            position = self._token().position
            key = self._bracketed_key() if self._takes("[") else self._dotted_key()
            self._descend()
            levels += 1
            node = Index(target=node, key=key, position=position)
        self._depth -= levels
        return node

    def _bracketed_key(self) -> Node:
        star = self._token()
        if star.kind == "star":
            self._advance()
            key: Node = Star(position=star.position)
        else:
            key = self._expression_node()
        self._expect("]")
        return key

    def _dotted_key(self) -> Node:
        self._expect(".")
        token = self._token()
        if token.kind == "name":
            self._advance()
            return Literal(value=token.text, position=token.position)
        if token.kind == "star":
            self._advance()
            return Star(position=token.position)
        raise self._unexpected()

    def _primary(self) -> Node:
        token = self._token()
        if token.kind in ("keyword", "number", "string"):
            self._advance()
            return Literal(value=token.value, position=token.position)
        if token.kind == "name":
            self._advance()
            return self._call(token) if self._takes("(") else self._named_value(token)
        if self._takes("("):
            node = self._expression_node()
            self._expect(")")
            return node
        raise self._unexpected()

    def _named_value(self, token: Token) -> Node:
        if self._names is not None and token.text.lower() not in self._names:
            raise self._error("Unrecognized named-value", token)
        return NamedValue(name=token.text, position=token.position)

    def _call(self, name: Token) -> Node:
        arguments: list[Node] = []
        if not self._takes(")"):
            arguments.append(self._expression_node())
            while not self._takes(")"):
                self._expect(",")
                arguments.append(self._expression_node())
        self._check_call(name, len(arguments))
        return Call(name=name.text, arguments=tuple(arguments), position=name.position)

    def _check_call(self, token: Token, count: int) -> None:
        name = token.text.lower()
        signature = SIGNATURES.get(name)
        is_barred = self._functions is not None and name in HOST_FUNCTIONS and name not in self._functions
        if signature is None or is_barred:
            raise self._error("Unrecognized function", token)
        if count < signature.least:
            raise self._error("Too few parameters supplied", token)
        if count > signature.most:
            raise self._error("Too many parameters supplied", token)
        if signature.must_be_odd and count % 2 == 0:
            problem = "Even number of parameters supplied, requires an odd number of parameters"
            raise self._error(problem, token)

    def _token(self) -> Token:
        return self._tokens[self._next]

    def _at_end(self) -> bool:
        return self._token().kind == "end"

    def _advance(self) -> Token:
        token = self._token()
        self._next += 1
        return token

    def _sees(self, *texts: str) -> bool:
        return self._tokens[self._next].text in texts

    def _takes(self, text: str) -> bool:
        if self._sees(text):
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise self._unexpected()

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._too_deep(self._token())

    def _too_deep(self, token: Token) -> ExpressionError:
        return self._error(f"Exceeded max expression depth {MAX_DEPTH}", token)

    def _unexpected(self) -> ExpressionError:
        if self._at_end():
            return self._error("Unexpected end of expression", self._tokens[self._next - 1])
        return self._error("Unexpected symbol", self._token())

    def _error(self, problem: str, token: Token) -> ExpressionError:
        return located(
            problem,
            token.shown,
            kind="parsing",
            expression=self._expression,
            position=token.position,
        )


def _flattened(node: Node, operator: str) -> tuple[Node, ...]:
    if isinstance(node, Logical) and node.operator == operator:
        return node.operands
    return (node,)
