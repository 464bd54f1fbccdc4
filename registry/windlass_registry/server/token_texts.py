"""The text of a token: ``wl_ID_SECRET``. The id finds the record, the secret are 256 random bits.

A digest without salt or stretching is enough for those: nobody guesses them, so nobody can be slowed down
in guessing. Used by the registry's server and by the daemon's.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

PREFIX: Final = "wl"
_ID_BYTES: Final = 5
_SECRET_BYTES: Final = 32
_LONGEST: Final = 200


def new_text() -> tuple[str, str]:
    """The id and the text of a new token. Nothing can give the text again."""
    id = secrets.token_hex(_ID_BYTES)
    return id, f"{PREFIX}_{id}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def id_in(text: str) -> str | None:
    """The id that a text claims; None: it is no token at all."""
    match text.split("_", 2):
        case [prefix, id, secret] if prefix == PREFIX and id and secret and len(text) <= _LONGEST:
            return id if id.isascii() and id.isalnum() else None
    return None


def digest_of(text: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def is_text_of(digest: str, text: str) -> bool:
    """Whether it is that token's text, told in a time that does not depend on how much of it is right."""
    return hmac.compare_digest(digest, digest_of(text))
