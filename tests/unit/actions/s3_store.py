"""A small S3 store over HTTP that checks signatures, written from the specification:

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape


@dataclass
class Contents:
    """What the store holds, and what went on."""

    objects: dict[str, bytes] = field(default_factory=dict)
    secret: str = "s3cret/Key+1"
    region: str = "eu-test-1"
    page: int = 2
    is_public: bool = False
    broken_answers: int = 0
    """So many answers end in their middle."""
    spoilt_answers: int = 0
    """In so many one byte is wrong."""
    is_changing: bool = False
    """Each object is another one once it has been listed."""
    requests: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Store(BaseHTTPRequestHandler):
    """One bucket, `bucket`, in path style."""

    contents: Contents

    def do_GET(self) -> None:
        store = self.contents
        store.requests.append(self.path)
        path, _, query = self.path.partition("?")
        region = self.headers.get("Authorization", f"/x/{store.region}/").split("/")[2]
        if region != store.region:
            self.answer(
                400, self.error("AuthorizationHeaderMalformed"), {"x-amz-bucket-region": store.region}
            )
        elif not store.is_public and not self.is_signed(path, query):
            self.answer(403, self.error("SignatureDoesNotMatch"))
        elif path == "/bucket/":
            self.answer(200, self.listing(dict(parse_qsl(query))))
        elif (key := unquote(path).removeprefix("/bucket/")) in store.objects:
            self.send(key)
        else:
            self.answer(404, self.error("NoSuchKey" if path.startswith("/bucket/") else "NoSuchBucket"))

    def is_signed(self, path: str, query: str) -> bool:
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=KEY/(\d{8})/([a-z0-9-]+)/s3/aws4_request,\s*"
            r"SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})",
            self.headers.get("Authorization", ""),
        )
        if not found:
            return False
        day, region, names, signature = found.groups()
        assert {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names.split(";"))
        pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(query, True))
        headers = "".join(f"{name}:{(self.headers[name] or '').strip()}\n" for name in names.split(";"))
        canonical = "\n".join(
            [
                "GET",
                quote(unquote(path), safe="/-_.~"),
                "&".join(f"{k}={v}" for k, v in pairs),
                headers,
                names,
                self.headers["x-amz-content-sha256"],
            ]
        )
        scope = f"{day}/{region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.headers['x-amz-date']}\n{scope}\n{digest}"
        key = _hmac(
            _hmac(_hmac(_hmac(b"AWS4" + self.contents.secret.encode(), day), region), "s3"), "aws4_request"
        )
        return hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), signature)

    def listing(self, query: dict[str, str]) -> bytes:
        assert query["list-type"] == "2"
        keys = sorted(key for key in self.contents.objects if key.startswith(query.get("prefix", "")))
        rest = [key for key in keys if key > query.get("continuation-token", "")]
        page, more = rest[: self.contents.page], rest[self.contents.page :]
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.contents.objects[key])}</Size>"
            f"<ETag>&quot;{md5(self.contents.objects[key])}&quot;</ETag></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{items}{token}</ListBucketResult>"
        ).encode()

    def send(self, key: str) -> None:
        store = self.contents
        content = store.objects[key] + (b"!" if store.is_changing else b"")
        store.ranges.append(self.headers["Range"])
        if self.headers["If-Match"] not in (None, f'"{md5(content)}"'):
            self.answer(412, self.error("PreconditionFailed"))
            return
        found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        begin = int(found.group(1)) if found else 0
        body = content[begin:]
        if store.spoilt_answers and body:
            store.spoilt_answers -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        cut = len(body)
        if store.broken_answers:
            store.broken_answers -= 1
            cut //= 2
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{md5(content)}"')
        if found:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(body[:cut])

    @staticmethod
    def error(code: str) -> bytes:
        return f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
