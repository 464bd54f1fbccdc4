"""What a repository says of its lock: `.windlass/settings.yaml`, committed beside it."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from pathlib import Path
from typing import Final

SETTINGS_PATH: Final = ".windlass/settings.yaml"
UPGRADE_COOL_DOWN: Final = timedelta(days=7)
"""How old a release has to be before `--upgrade` takes it, where nobody says otherwise."""
_SPAN: Final = re.compile(r"([0-9]{1,5})\s*(h|d|w)?\Z")
_HOURS: Final = {"h": 1, "d": 24, None: 24, "w": 168}


def cool_down(text: str) -> timedelta:
    """A time span as on the command line: `7d`, `36h`, `2w`, `7`."""
    found = _SPAN.match(text.strip())
    if found is None:
        raise ArgumentTypeError(f"'{text}' is not a time span such as 7d, 36h or 2w")
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])


def repository_cool_down(root: Path) -> timedelta | None:
    """`lock: {cool-down-days: N}` of the repository's settings; None where nothing is said.

    Raises:
        AuthorError: the file is broken.
        OperatorError: it cannot be read.
    """
    from windlass_registry.documents import Reader, compose
    from windlass_registry.errors import OperatorError

    try:
        text = (root / SETTINGS_PATH).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OperatorError(f"cannot read {SETTINGS_PATH}: {error.strerror}") from error
    reader = Reader(SETTINGS_PATH)
    document = compose(text, path=SETTINGS_PATH)
    days = None
    if document is not None:
        fields = reader.fields(document, "the settings", ("lock",))
        if "lock" in fields:
            lock = reader.fields(fields["lock"], "'lock'", ("cool-down-days",))
            if "cool-down-days" in lock:
                days = reader.whole(lock["cool-down-days"], "'cool-down-days'", least=0)
    reader.raise_if_broken()
    return None if days is None else timedelta(days=days)
