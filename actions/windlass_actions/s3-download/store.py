"""One bucket of an S3-compatible store, read-only.

Signing: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
Listing: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote_plus, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener
from xml.etree import ElementTree

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
TIMEOUT_S = 60
CHUNK = 256 * 1024
LONGEST_PAUSE_S = 20.0
LARGEST_ANSWER = 64 * 1024 * 1024
KEYS = "check 'access-key' and 'secret-access-key'"
REMEDIES = {
    "AccessDenied": "the keys do not allow it: give others, or allow s3:ListBucket and s3:GetObject",
    "AuthorizationHeaderMalformed": "check 'region'",
    "ExpiredToken": "the session is over: give a new 'session-token' and its keys",
    "InvalidAccessKeyId": "the store does not know this key: " + KEYS,
    "InvalidToken": "check 'session-token'",
    "NoSuchBucket": "there is no such bucket: check 'url' and 'endpoint'",
    "NoSuchKey": "check 'url'",
    "PermanentRedirect": "check 'region'",
    "RequestTimeTooSkewed": "the clock of this machine is wrong: set it",
    "SignatureDoesNotMatch": "the secret is not that of the key: " + KEYS,
}
BY_STATUS = {401: KEYS, 403: KEYS, 404: "check 'url'"}
CHANGED = "the object changed while it was copied; run it again"


class Failure(Exception):
    """What to tell the author of the workflow."""


class Refused(Failure):
    """The store answered, and not with what was asked for."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Account(NamedTuple):
    """Who asks. Without an access key, requests are not signed."""

    access_key: str
    secret_key: str
    token: str
    region: str


class Item(NamedTuple):
    """An object, as the listing has it; `size` None where it could not be listed."""

    key: str
    size: int | None
    etag: str


class Patience(NamedTuple):
    """How often to try again, and how to wait."""

    retries: int
    pause_s: float
    sleep: Callable[[float], Any]
    say: Callable[[str], Any]

    def tried(self, work: Callable[[], Any], what: str) -> Any:
        """Do it, again where time may help. Raises Failure where it does not."""
        failures = 0
        while True:
            try:
                return work()
            except HTTPError as error:
                status, why = error.code, explain(error)
            except (URLError, OSError, HTTPException) as error:
                if getattr(error, "errno", None) == 28:  # ENOSPC: of ours, not of the store
                    raise Failure("the disk is full; free some space on the host") from error
                reason = getattr(error, "reason", None) or error
                text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
                status, why = 0, f"the store does not answer: {text}"
            failures += 1
            if (0 < status < 500 and status not in (408, 429)) or failures > self.retries:
                raise Refused(status, f"{what}: {why}")
            pause_s = min(self.pause_s * 2 ** (failures - 1), LONGEST_PAUSE_S)
            self.say(f"{what}: {why}; retry {failures} of {self.retries} in {pause_s:.1f} s")
            self.sleep(pause_s)


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


class NoRedirect(HTTPRedirectHandler):
    """A redirect is an answer here: it tells the bucket's region."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Bucket:
    """One bucket. Safe to use from several threads."""

    def __init__(self, name: str, endpoint: str, account: Account, patience: Patience) -> None:
        self.name = name
        self.endpoint = endpoint.rstrip("/")
        self.account = account
        self.patience = patience
        self.opener = build_opener(NoRedirect())

    def url(self, key: str, query: Mapping[str, str]) -> str:
        """The address of an object; path style, unless the store is AWS and the name fits a host's."""
        region = self.account.region
        path = "/" + quote(key, safe="/-_.~")
        if self.endpoint:
            base = f"{self.endpoint}/{self.name}"
        elif re.match(r"[a-z0-9-]+\Z", self.name):
            base = f"https://{self.name}.s3.{region}.amazonaws.com"
        else:
            base = f"https://s3.{region}.amazonaws.com/{self.name}"
        words = [f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query)]
        return base + path + ("?" + "&".join(words) if words else "")

    def open(self, key: str, query: Mapping[str, str] | None = None, **headers: str) -> Any:
        """The answer to a GET. Follows the store's word about the region once."""
        try:
            return self._get(self.url(key, query or {}), headers)
        except HTTPError as error:
            region = error.headers.get("x-amz-bucket-region", "")
            if error.code not in (301, 307, 400) or not region or region == self.account.region:
                raise
            error.close()
            self.account = self.account._replace(region=region)
            return self._get(self.url(key, query or {}), headers)

    def _get(self, url: str, headers: Mapping[str, str]) -> Any:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.account.access_key:
            more = sign(self.account, url, datetime.now(timezone.utc), more)  # noqa: UP017
            more.pop("host", None)
        return self.opener.open(Request(url, headers=more), timeout=TIMEOUT_S)

    def list(self, prefix: str) -> Iterator[Item]:
        """Every object whose name begins so, page after page. Raises Failure."""
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        while True:
            page = self.patience.tried(lambda: self._page(query), f"listing s3://{self.name}/{prefix}")
            is_quoted = page.findtext("EncodingType") == "url"
            for entry in page.findall("Contents"):
                key = entry.findtext("Key") or ""
                size, etag = int(entry.findtext("Size") or 0), (entry.findtext("ETag") or "").strip('"')
                yield Item(unquote_plus(key) if is_quoted else key, size, etag)
            token = page.findtext("NextContinuationToken")
            if (page.findtext("IsTruncated") or "").lower() != "true" or not token:
                return
            query["continuation-token"] = token

    def _page(self, query: Mapping[str, str]) -> ElementTree.Element:
        with self.open("", query) as answer:
            content = answer.read(LARGEST_ANSWER)
        try:
            page = ElementTree.fromstring(content)
        except ElementTree.ParseError as error:
            raise Failure(
                f"what answers at {self.endpoint or 'AWS'} is no S3 store; check 'endpoint'"
            ) from error
        for element in page.iter():
            element.tag = element.tag.rpartition("}")[2]
        if page.tag != "ListBucketResult":
            raise Failure(f"what answers at {self.endpoint or 'AWS'} is no S3 store; check 'endpoint'")
        return page

    def fetch(self, item: Item, target: Path, on_bytes: Callable[[int], None]) -> int:
        """Copy one object; it has its name only when it is whole and right. Its size. Raises Failure.

        `on_bytes` hears of what comes, and of what has to be fetched again as a negative number.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name[:200]}.part")
        if part.is_symlink() or part.exists():
            part.unlink()
        copy = _Copy(self, item, part, on_bytes)
        self.patience.tried(copy.go_on, f"s3://{self.name}/{item.key}")
        part.replace(target)
        return target.stat().st_size


class _Copy:
    """The copying of one object, which can be taken up where it broke."""

    def __init__(self, bucket: Bucket, item: Item, part: Path, on_bytes: Callable[[int], None]) -> None:
        self.bucket = bucket
        self.item = item
        self.part = part
        self.etag = item.etag
        self.size = item.size
        self._on_bytes = on_bytes

    def go_on(self) -> None:
        """Fetch what is missing, and check all of it."""
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"x_amz_checksum_mode": "ENABLED"}
        if self.etag:
            headers["if_match"] = f'"{self.etag}"'
        if have and self.etag:
            headers["range"] = f"bytes={have}-"
        if self.size is None or have < self.size or not have:
            with self.bucket.open(self.item.key, **headers) as answer:
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
    makers = {"sha256": hashlib.sha256, "sha1": hashlib.sha1, "crc32": _Crc32, "md5": hashlib.md5}
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


def explain(error: HTTPError) -> str:
    """The store's own words about a refusal, and what to do."""
    with error:
        body = error.read(65536).decode("utf-8", "replace")
    code = re.search(r"<Code>([^<]*)</Code>", body)
    message = re.search(r"<Message>([^<]*)</Message>", body)
    said = ": ".join(found.group(1) for found in (code, message) if found) or str(error.reason)
    if error.code == 412:
        return CHANGED
    remedy = REMEDIES.get(code.group(1) if code else "") or BY_STATUS.get(error.code)
    return f"the store answers {error.code} ({said.rstrip('.')})" + (f"; {remedy}" if remedy else "")
