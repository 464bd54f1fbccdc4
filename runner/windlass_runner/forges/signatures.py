"""HMAC-SHA-256 over a body as it is: how a hook shows that it knows the secret.

The scheme of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection

from windlass_runner.forges.base import BadSignature


def sign(body: bytes, secret: str) -> str:
    """The signature header's value for a body."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def check_signature(given: str | None, body: bytes, secrets: Collection[str]) -> None:
    """Whether one of the secrets made the header's value, in constant time. An empty secret is none.

    Raises:
        BadSignature
    """
    if given is None:
        raise BadSignature("the delivery is not signed")
    if not given.isascii():
        raise BadSignature("the signature is not one")
    told = given.strip().lower()
    fits = [hmac.compare_digest(told, sign(body, secret)) for secret in secrets if secret]
    if not any(fits):
        raise BadSignature("the signature does not fit the body")
