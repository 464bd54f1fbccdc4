"""What can be wrong with an expression, in GitHub's own words."""

from __future__ import annotations

from typing import Literal

from windlass_registry.errors import WindlassError

ErrorKind = Literal["lexing", "parsing", "evaluation"]


class ExpressionError(WindlassError):
    """An expression cannot be read or has no value; the author of the text can mend it.

    `position` counts from 1 within `expression` (0: the whole of it). `offset` is the place in the
    surrounding template text, counted from 0, where the error came from one (None otherwise).
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        expression: str = "",
        position: int = 0,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind: ErrorKind = kind
        self.expression = expression
        self.position = position
        self.offset = offset

    def within_text(self, start: int) -> ExpressionError:
        """The same error, for an expression that begins at `start` (from 0) of a template text."""
        return ExpressionError(
            self.message,
            kind=self.kind,
            expression=self.expression,
            position=self.position,
            offset=start + max(self.position - 1, 0),
        )


def located(problem: str, symbol: str, *, kind: ErrorKind, expression: str, position: int) -> ExpressionError:
    """An error about one symbol, worded and placed the way GitHub does."""
    return ExpressionError(
        f"{problem}: '{symbol}'. Located at position {position} within expression: {expression}",
        kind=kind,
        expression=expression,
        position=position,
    )


def evaluation_error(message: str) -> ExpressionError:
    """An error that shows only when the expression is evaluated."""
    return ExpressionError(message, kind="evaluation")
