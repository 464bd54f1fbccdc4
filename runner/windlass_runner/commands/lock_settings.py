"""Time spans as they are written on the command line."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Final

_SPAN: Final = re.compile(r"([0-9]{1,5})\s*(h|d|w)?\Z")
_HOURS: Final = {"h": 1, "d": 24, None: 24, "w": 168}


def cool_down(text: str) -> timedelta:
    """A time span as on the command line: `7d`, `36h`, `2w`, `7`."""
    found = _SPAN.match(text.strip())
    if found is None:
        raise ArgumentTypeError(f"'{text}' is not a time span such as 7d, 36h or 2w")
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])
