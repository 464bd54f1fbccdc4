"""The copying of one object: taken up where it broke, and held against the checksums that the store gives.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

CHUNK = 256 * 1024


class Item(NamedTuple):
    """An object, as the listing has it; `size` None where it could not be listed."""

    key: str
    size: int | None
    etag: str


class Copy:
    """The copying of one object, which can be taken up where it broke."""

    def __init__(
        self,
        ask: Callable[[Mapping[str, str]], Any],
        item: Item,
        part: Path,
        on_bytes: Callable[[int], None],
    ) -> None:
        """`ask` asks for the object with these headers, and gives the open answer. `on_bytes` hears of what
        comes, and of what has to be fetched again as a negative number."""
        self._ask = ask
        self.part = part
        self.etag = item.etag
        self.size = item.size
        self._on_bytes = on_bytes

    def go_on(self) -> None:
        """Fetch what is missing, and check all of it."""
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"x-amz-checksum-mode": "ENABLED"}
        if self.etag:
            headers["if-match"] = f'"{self.etag}"'
        if have and self.etag:
            headers["range"] = f"bytes={have}-"
        if self.size is None or have < self.size or not have:
            with self._ask(headers) as answer:
                known = self._receive(answer, have)
            self._check(known)

    def _receive(self, answer: Any, have: int) -> dict[str, str]:
        known = {name.lower(): value.strip() for name, value in answer.headers.items()}
        is_rest = answer.status == 206 and known.get("content-range", "").startswith(f"bytes {have}-")
        if not is_rest:
            self._on_bytes(-have)
            have = 0
        if known.get("content-length", "").isdigit():
            self.size = have + int(known["content-length"])
        self.etag = self.etag or known.get("etag", "").strip('"')
        with self.part.open("ab" if is_rest else "wb", buffering=0) as stream:
            while True:
                chunk = answer.read1(CHUNK)
                if not chunk:
                    break
                stream.write(chunk)
                self._on_bytes(len(chunk))
        if is_rest:  # some stores give the sums of the piece
            known = {name: value for name, value in known.items() if not name.startswith("x-amz-checksum-")}
        return known

    def _check(self, known: Mapping[str, str]) -> None:
        """Compare it with what the store says of it. Raises OSError: fetch it again."""
        size = self.part.stat().st_size
        if self.size is not None and size != self.size:
            if size > self.size:
                self._lose()
            raise OSError(f"{size:,} of {self.size:,} bytes arrived")
        told = {name[15:]: value for name, value in known.items() if name.startswith("x-amz-checksum-")}
        if re.match(r"[0-9a-f]{32}\Z", self.etag) and not is_encrypted(known):
            told["md5"] = self.etag
        told = {name: value for name, value in told.items() if "-" not in value}  # with it: of parts
        for name, value in sums_of(self.part, set(told)).items():
            if value != told[name]:
                self._lose()
                raise OSError(f"its {name.upper()} is {value}, not {told[name]}")

    def _lose(self) -> None:
        self._on_bytes(-self.part.stat().st_size)
        self.part.unlink()


def is_encrypted(known: Mapping[str, str]) -> bool:
    """Whether the store's key makes the ETag another thing than an MD5 (SSE-KMS, SSE-C)."""
    return (
        known.get("x-amz-server-side-encryption", "").startswith("aws:kms")
        or "x-amz-server-side-encryption-customer-algorithm" in known
    )


class _Crc32:
    """`zlib.crc32` with the methods of a digest."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, chunk: bytes) -> None:
        self._value = zlib.crc32(chunk, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def sums_of(path: Path, wanted: set[str]) -> dict[str, str]:
    """Those of the wanted checksums that can be made here, as a store writes them."""
    makers: dict[str, Callable[[], Any]] = {
        "sha256": hashlib.sha256,
        "sha1": hashlib.sha1,
        "crc32": _Crc32,
        "md5": hashlib.md5,
    }
    sums: dict[str, Any] = {}
    for name in sorted(wanted & set(makers)):
        try:
            sums[name] = makers[name]()
        except ValueError:  # a Python that is built for FIPS makes no MD5
            continue
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b"") if sums else ():
            for each in sums.values():
                each.update(chunk)
    return {
        name: each.digest().hex() if name == "md5" else base64.b64encode(each.digest()).decode()
        for name, each in sums.items()
    }
