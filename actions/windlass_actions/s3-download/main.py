"""Copies objects of an S3-compatible store into an output of the job. Python 3.7 and later.

Signing: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener
from xml.etree import ElementTree

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
TRIES = 3
AT_ONCE = 8
TIMEOUT_S = 60


class Failure(Exception):
    """What to tell the author of the workflow."""


class Account(NamedTuple):
    access_key: str
    secret_key: str
    token: str
    region: str


class Item(NamedTuple):
    key: str
    size: int


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
    """One bucket of a store, read-only."""

    def __init__(self, name: str, endpoint: str, account: Account) -> None:
        self.name = name
        self.endpoint = endpoint.rstrip("/")
        self.account = account
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

    def open(self, key: str, query: Mapping[str, str] | None = None) -> Any:
        """The answer to a GET. Follows the store's word about the region once."""
        try:
            return self._get(self.url(key, query or {}))
        except HTTPError as error:
            region = error.headers.get("x-amz-bucket-region", "")
            if error.code not in (301, 307, 400) or not region or region == self.account.region:
                raise
            error.close()
            self.account = self.account._replace(region=region)
            return self._get(self.url(key, query or {}))

    def _get(self, url: str) -> Any:
        is_signed = bool(self.account.access_key)
        headers = sign(self.account, url, datetime.now(timezone.utc)) if is_signed else {}  # noqa: UP017
        headers.pop("host", None)
        return self.opener.open(Request(url, headers=headers), timeout=TIMEOUT_S)

    def list(self, prefix: str) -> Iterator[Item]:
        """Every object whose name begins so."""
        query = {"list-type": "2", "prefix": prefix}
        while True:
            answer = ElementTree.fromstring(tried(lambda: read_all(self.open("", query))))
            for element in answer.iter():
                element.tag = element.tag.rpartition("}")[2]
            for entry in answer.findall("Contents"):
                yield Item(entry.findtext("Key") or "", int(entry.findtext("Size") or 0))
            token = answer.findtext("NextContinuationToken")
            if (answer.findtext("IsTruncated") or "").lower() != "true" or not token:
                return
            query["continuation-token"] = token

    def fetch(self, item: Item, target: Path) -> None:
        """Copy one object; it has its name only when it is whole."""
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name[:200]}.part")

        def copy() -> None:
            with self.open(item.key) as answer, part.open("wb") as stream:
                shutil.copyfileobj(answer, stream, 1024 * 1024)
            if part.stat().st_size != item.size:
                raise OSError(f"{part.stat().st_size} of {item.size} bytes arrived")

        tried(copy)
        part.rename(target)


def read_all(answer: Any) -> bytes:
    with answer:
        content: bytes = answer.read()
        return content


def tried(work: Any) -> Any:
    """Do it, again where time may help; a Failure where it does not."""
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except HTTPError as error:
            said = explain(error)
            if (error.code < 500 and error.code != 429) or attempt == TRIES:
                raise Failure(said) from error
        except (OSError, HTTPException) as error:
            if attempt == TRIES:
                raise Failure(f"the store does not answer: {error}") from error
        time.sleep(0.2 * 4 ** (attempt - 1))
    raise AssertionError("unreachable")


def explain(error: HTTPError) -> str:
    """The store's own words about a refusal."""
    body = error.read().decode("utf-8", "replace")
    code = re.search(r"<Code>([^<]*)</Code>", body)
    message = re.search(r"<Message>([^<]*)</Message>", body)
    said = ": ".join(found.group(1) for found in (code, message) if found) or str(error.reason)
    remedy = {403: "; check the keys and what they allow", 404: "; check 'url'"}.get(error.code, "")
    return f"the store answers {error.code} ({said}){remedy}"


def choose(items: Iterator[Item], prefix: str) -> dict[str, Item]:
    """What to copy, by the name it gets in the target folder."""
    chosen: dict[str, Item] = {}
    folder = prefix if not prefix or prefix.endswith("/") else prefix + "/"
    for item in items:
        if item.key.endswith("/"):
            continue
        if item.key == prefix:
            chosen[item.key.rpartition("/")[2]] = item
        elif item.key.startswith(folder):
            chosen[item.key[len(folder) :]] = item
    for name in chosen:
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts) or re.search(r"[\x00-\x1f\x7f]", name):
            raise Failure(f"the object {name!r} has no name that a file can have")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in chosen:
                raise Failure(
                    f"'{'/'.join(parts[:end])}' is an object and a folder of others; copy a part of it"
                )
    return chosen


def read_input(name: str, *variables: str) -> str:
    for variable in (f"INPUT_{name.upper()}", *variables):
        if os.environ.get(variable, "").strip():
            return os.environ[variable].strip()
    return ""


def choose_target(path: str) -> Path:
    outputs = Path(os.environ.get("WINDLASS_OUTPUTS") or "/outputs")
    workspace = Path(os.environ.get("WINDLASS_WORKSPACE") or "/workspace")
    for usual, place in (("/outputs", outputs), ("/workspace", workspace)):
        if path == usual or path.startswith(usual + "/"):
            return place / path[len(usual) + 1 :]
    if path:
        return Path(path)
    found = sorted(each.name for each in outputs.iterdir() if each.is_dir()) if outputs.is_dir() else []
    if not found:
        raise Failure("the job has no output to copy into; declare one of type volume, or give 'path'")
    if len(found) > 1:
        raise Failure(f"the job has several outputs ({', '.join(found)}); choose one with 'path'")
    return outputs / found[0]


def read_account() -> Account:
    account = Account(
        access_key=read_input("access-key", "AWS_ACCESS_KEY_ID"),
        secret_key=read_input("secret-access-key", "AWS_SECRET_ACCESS_KEY"),
        token=read_input("session-token", "AWS_SESSION_TOKEN"),
        region=read_input("region", "AWS_REGION", "AWS_DEFAULT_REGION") or "us-east-1",
    )
    if bool(account.access_key) != bool(account.secret_key):
        raise Failure("give 'access-key' and 'secret-access-key' both, or neither for a public bucket")
    return account


def download() -> tuple[int, int]:
    """Copy everything; how many files and bytes."""
    found = re.match(r"s3://([A-Za-z0-9][A-Za-z0-9._-]+)(?:/(.*))?\Z", read_input("url"))
    if not found:
        raise Failure(f"'{read_input('url')}' is not an address such as 's3://bucket/prefix/'")
    endpoint = read_input("endpoint", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    if endpoint and not re.match(r"https?://[^/]+", endpoint):
        raise Failure(f"'{endpoint}' is not an address such as 'https://minio.example.org:9000'")
    bucket = Bucket(found.group(1), endpoint, read_account())
    target = choose_target(read_input("path"))
    chosen = choose(bucket.list(found.group(2) or ""), found.group(2) or "")
    if not chosen:
        raise Failure(f"nothing lies at '{read_input('url')}'; check the name and its '/' at the end")
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(lambda name: bucket.fetch(chosen[name], target / name), sorted(chosen)))
    return len(chosen), sum(item.size for item in chosen.values())


def fail(message: str) -> NoReturn:
    """Say what is wrong, as an annotation, and stop."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error::s3-download: {escaped}", flush=True)
    sys.exit(1)


def main() -> int:
    try:
        files, size = download()
    except Failure as failure:
        fail(str(failure))
    place = os.environ.get("GITHUB_OUTPUT")
    if place:
        with Path(place).open("a", encoding="utf-8") as stream:
            stream.write(f"files={files}\nbytes={size}\n")
    print(f"Copied {files:,} files, {size:,} bytes, from {read_input('url')}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
