"""Requests signed for an S3-compatible store.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class Account(NamedTuple):
    """Who asks. Without an access key, requests are not signed."""

    access_key: str
    secret_key: str
    token: str
    region: str


def sign(account: Account, url: str, now: datetime, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers of a signed GET of `url`, whose query must be in canonical order already."""
    parts = urlsplit(url)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "host": parts.netloc,
        "x-amz-content-sha256": EMPTY_SHA256,
        "x-amz-date": stamp,
        **(more or {}),
    }
    if account.token:
        headers["x-amz-security-token"] = account.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join(["GET", parts.path or "/", parts.query, lines, names, EMPTY_SHA256])
    scope = f"{stamp[:8]}/{account.region}/s3/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
    key = f"AWS4{account.secret_key}".encode()
    for word in (stamp[:8], account.region, "s3", "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"{account.access_key}/{scope}"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}"
    )
    return headers
