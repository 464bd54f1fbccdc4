"""Expression text to tokens, by the rules of GitHub's lexical analyser."""

from __future__ import annotations

import math
import re
from typing import Final, Literal, NamedTuple

from windlass_runner.expressions.errors import ExpressionError, located
from windlass_runner.expressions.values import WHITESPACE, parse_number

MAX_LENGTH: Final = 21_000

TokenKind = Literal["punctuation", "operator", "star", "number", "string", "name", "keyword", "end"]

_BLANK: Final = re.escape(WHITESPACE)
_BOUNDARY: Final = rf"()\[\],.!><=&|{_BLANK}"
_BLANKS: Final = re.compile(f"[{_BLANK}]*")
_OPERATOR: Final = re.compile(r"!=|>=|<=|==|&&|\|\||[!><]")
_NUMBER: Final = re.compile(rf".(?:[^{_BOUNDARY}]|\.)*", re.DOTALL)
_WORD: Final = re.compile(rf".[^{_BOUNDARY}]*", re.DOTALL)
_STRING: Final = re.compile(r"'((?:[^']|'')*)'")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
KEYWORDS: Final = {"null": None, "true": True, "false": False}
NUMBER_NAMES: Final = {"NaN": math.nan, "Infinity": math.inf}


class Token(NamedTuple):
    """One symbol; `position` counts from 1. `value` is set for literals."""

    kind: TokenKind
    text: str
    position: int
    value: str | float | bool | None = None

    @property
    def shown(self) -> str:
        """The symbol as an error names it: a string without its quotes."""
        return str(self.value) if self.kind == "string" else self.text


def tokenize(expression: str) -> list[Token]:
    """All symbols of an expression, ended by one of kind `end`.

    Raises:
        ExpressionError: of kind `lexing`; a symbol that the language does not have.
    """
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(
            f"Exceeded max expression length {MAX_LENGTH}", kind="lexing", expression=expression
        )
    tokens: list[Token] = []
    offset = _skip_blanks(expression, 0)
    while offset < len(expression):
        token = _next_token(expression, offset, tokens[-1] if tokens else None)
        tokens.append(token)
        offset = _skip_blanks(expression, offset + len(token.text))
    tokens.append(Token("end", "", len(expression) + 1))
    return tokens


def _skip_blanks(expression: str, offset: int) -> int:
    blanks = _BLANKS.match(expression, offset)
    return blanks.end() if blanks else offset


def _next_token(expression: str, offset: int, last: Token | None) -> Token:
    letter = expression[offset]
    if letter in "()[],":
        return Token("punctuation", letter, offset + 1)
    if letter == "*":
        return Token("star", letter, offset + 1)
    if letter == "'":
        return _string(expression, offset)
    if letter == "." and _may_be_dereferenced(last):
        return Token("punctuation", letter, offset + 1)
    if letter in ".+-" or "0" <= letter <= "9":
        return _number(expression, offset)
    if operator := _OPERATOR.match(expression, offset):
        return Token("operator", operator.group(), offset + 1)
    return _word(expression, offset, last)


def _may_be_dereferenced(last: Token | None) -> bool:
    return last is not None and (last.kind in ("name", "star") or last.text in (")", "]"))


def _string(expression: str, offset: int) -> Token:
    if string := _STRING.match(expression, offset):
        return Token("string", string.group(), offset + 1, string[1].replace("''", "'"))
    raise _unexpected(expression, offset, expression[offset:])


def _number(expression: str, offset: int) -> Token:
    text = _match(_NUMBER, expression, offset)
    number = parse_number(text)
    if math.isnan(number):
        raise _unexpected(expression, offset, text)
    return Token("number", text, offset + 1, number)


def _word(expression: str, offset: int, last: Token | None) -> Token:
    text = _match(_WORD, expression, offset)
    if not _NAME.fullmatch(text):
        raise _unexpected(expression, offset, text)
    if last is None or last.text != "." or last.kind != "punctuation":
        if text in KEYWORDS:
            return Token("keyword", text, offset + 1, KEYWORDS[text])
        if text in NUMBER_NAMES:
            return Token("number", text, offset + 1, NUMBER_NAMES[text])
    return Token("name", text, offset + 1)


def _match(pattern: re.Pattern[str], expression: str, offset: int) -> str:
    found = pattern.match(expression, offset)
    return found.group() if found else expression[offset]


def _unexpected(expression: str, offset: int, text: str) -> ExpressionError:
    return located("Unexpected symbol", text, kind="lexing", expression=expression, position=offset + 1)
