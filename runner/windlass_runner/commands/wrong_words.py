"""What somebody asked for in words that mean nothing here."""

from __future__ import annotations

from windlass_registry.errors import WindlassError


class WrongWords(WindlassError):
    """An argument of a command cannot be. Whoever typed it can mend it."""

    exit_code = 2

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy
