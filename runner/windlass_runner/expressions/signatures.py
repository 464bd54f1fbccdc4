"""Which functions there are, and how many arguments each takes (GitHub's `ExpressionConstants`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_ARGUMENTS: Final = 255


@dataclass(frozen=True, slots=True)
class Signature:
    """The least and the most arguments of a function."""

    least: int
    most: int
    must_be_odd: bool = False


STATUS_FUNCTIONS: Final = frozenset({"success", "failure", "always", "cancelled"})
"""Those whose presence in an `if` takes the place of the implied `success()`."""

HOST_FUNCTIONS: Final = STATUS_FUNCTIONS | {"hashfiles"}
"""Those whose answer depends on the run or the files, not on the arguments alone."""

SIGNATURES: Final[dict[str, Signature]] = {
    "contains": Signature(2, 2),
    "startswith": Signature(2, 2),
    "endswith": Signature(2, 2),
    "format": Signature(1, MOST_ARGUMENTS),
    "join": Signature(1, 2),
    "tojson": Signature(1, 1),
    "fromjson": Signature(1, 1),
    "case": Signature(3, MOST_ARGUMENTS, must_be_odd=True),
    "hashfiles": Signature(1, MOST_ARGUMENTS),
    "success": Signature(0, MOST_ARGUMENTS),
    "failure": Signature(0, MOST_ARGUMENTS),
    "always": Signature(0, 0),
    "cancelled": Signature(0, 0),
}
"""By name in lower case: names of functions ignore case."""
