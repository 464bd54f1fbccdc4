"""What a repository says of its lock: `.windlass/settings.yaml`, committed beside it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from windlass_registry.documents import compose
from windlass_registry.errors import OperatorError
from windlass_registry.reader import Reader

SETTINGS_PATH: Final = ".windlass/settings.yaml"
UPGRADE_COOL_DOWN: Final = timedelta(days=7)
"""How old a release has to be before `--upgrade` takes it, where nobody says otherwise."""


def repository_cool_down(root: Path) -> timedelta | None:
    """`lock: {cool-down-days: N}` of the repository's settings; None where nothing is said.

    Raises:
        AuthorError: the file is broken.
        OperatorError: it cannot be read.
    """
    try:
        text = (root / SETTINGS_PATH).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OperatorError(f"cannot read {SETTINGS_PATH}: {error.strerror}") from error
    return parse_cool_down(text)


def parse_cool_down(text: bytes) -> timedelta | None:
    """The same of the file's text. Raises AuthorError where it is broken."""
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
