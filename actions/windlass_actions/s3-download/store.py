"""One bucket of an S3-compatible store, read-only.

Listing: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, unquote_plus
from urllib.request import HTTPRedirectHandler, Request, build_opener
from xml.etree import ElementTree

from copying import Copy, Item
from refusals import Failure, Patience
from signing import Account, sign

TIMEOUT_S = 60
LARGEST_ANSWER = 64 * 1024 * 1024


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

    def open(
        self, key: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The answer to a GET. Follows the store's word about the region once."""
        try:
            return self._get(self.url(key, query or {}), headers or {})
        except HTTPError as error:
            region = error.headers.get("x-amz-bucket-region", "")
            if error.code not in (301, 307, 400) or not region or region == self.account.region:
                raise
            error.close()
            self.account = self.account._replace(region=region)
            return self._get(self.url(key, query or {}), headers or {})

    def _get(self, url: str, headers: Mapping[str, str]) -> Any:
        more = dict(headers)
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
        copy = Copy(lambda headers: self.open(item.key, headers=headers), item, part, on_bytes)
        self.patience.tried(copy.go_on, f"s3://{self.name}/{item.key}")
        part.replace(target)
        return target.stat().st_size
