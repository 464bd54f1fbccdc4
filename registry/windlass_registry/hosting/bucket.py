"""A registry's public files in a bucket of an S3-compatible store. The one file that speaks S3.

Writing of two machines at once is kept apart by the store itself: by conditional writes
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from threading import Lock
from typing import Any, Final

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_registry.hosting.bucket_errors import STALE_KEYS, refused, unanswered
from windlass_registry.hosting.public_files import FoundFile, OpenFile, Overtaken
from windlass_registry.hosting.store_settings import StoreSettings, read_keys
from windlass_registry.layout import content_type, may_change

_CHUNK: Final = 1 << 18
_CONNECT_S: Final = 5.0
_READ_S: Final = 30.0
_TRIES: Final = 3
_REGION: Final = "us-east-1"
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class BucketFiles:
    """Implements `PublicFiles`."""

    def __init__(self, settings: StoreSettings) -> None:
        self.address = settings.url
        self._settings = settings
        self._mutex = Lock()
        self._connected: BaseClient | None = None

    def read(self, path: str) -> bytes | None:
        """See `PublicFiles`."""
        found = self.open(path)
        return None if found is None else b"".join(found.chunks)

    def find(self, path: str) -> FoundFile | None:
        """See `PublicFiles`."""
        answer = self._call("head_object", path)
        return None if answer is None else FoundFile(size_bytes=answer["ContentLength"], tag=answer["ETag"])

    def open(self, path: str, *, begin: int = 0, end: int | None = None) -> OpenFile | None:
        """See `PublicFiles`. What breaks off is taken up again where it did."""
        how = {"Range": _range(begin, end)} if begin or end is not None else {}
        answer = self._call("get_object", path, **how)
        if answer is None:
            return None
        return OpenFile(
            size_bytes=answer["ContentLength"],
            tag=answer["ETag"],
            chunks=self._chunks(path, answer, begin=begin, end=end),
        )

    def put(self, path: str, content: bytes) -> None:
        """See `PublicFiles`."""
        self._put(path, content)

    def put_over(self, path: str, content: bytes, *, tag: str | None) -> str:
        """See `PublicFiles`."""
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            return self._put(path, content, **condition)
        except Overtaken:
            # The answer to a write that was done may have been lost on its way, and the write sent again.
            there = self.open(path)
            if there is not None and b"".join(there.chunks) == content:
                return there.tag
            raise

    def remove(self, path: str) -> None:
        """See `PublicFiles`."""
        self._call("delete_object", path)

    def _put(self, path: str, content: bytes, **condition: str) -> str:
        answer = self._call(
            "put_object",
            path,
            Body=content,
            ContentType=content_type(path),
            CacheControl="no-cache" if may_change(path) else _FOR_EVER,
            **condition,
        )
        if answer is None:
            raise Overtaken(path)  # there is no file of that tag, for there is none
        tag: str = answer["ETag"]
        return tag

    def _chunks(self, path: str, answer: dict[str, Any], *, begin: int, end: int | None) -> Iterator[bytes]:
        tag, tries_left = answer["ETag"], _TRIES
        while True:
            body = answer["Body"]
            try:
                for chunk in body.iter_chunks(_CHUNK):
                    begin += len(chunk)
                    yield chunk
                return
            except BotoCoreError as error:
                tries_left -= 1
                if not tries_left:
                    raise unanswered(error, self._settings) from error
            finally:
                body.close()
            answer = self._rest(path, tag, begin=begin, end=end)

    def _rest(self, path: str, tag: str, *, begin: int, end: int | None) -> dict[str, Any]:
        try:
            answer = self._call("get_object", path, Range=_range(begin, end), IfMatch=tag)
        except Overtaken as error:
            raise UpstreamError(f"{path} changed while it was read") from error
        if answer is None:
            raise UpstreamError(f"{path} was removed while it was read")
        return answer

    def _call(self, operation: str, path: str, **how: Any) -> dict[str, Any] | None:
        """What the store answers; None: it has no such file. Raises as `PublicFiles.put_over`."""
        settings = self._settings
        key = f"{settings.prefix}/{path}" if settings.prefix else path
        try:
            call = getattr(self._client(), operation)
            answer: dict[str, Any] = call(Bucket=settings.bucket, Key=key, **how)
            return answer
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            if code == "NoSuchKey" or (status == 404 and operation == "head_object"):
                return None
            if operation == "head_object":
                return self._call_with_reasons(path)
            if status in (409, 412):
                raise Overtaken(path) from error
            if code in STALE_KEYS:
                with self._mutex:
                    self._connected = None  # the next call reads the keys again: they may have been renewed
            raise refused(code, status, settings) from error
        except (BotoCoreError, ValueError) as error:
            raise unanswered(error, settings) from error

    def _call_with_reasons(self, path: str) -> dict[str, Any] | None:
        """What was asked with HEAD, by GET: only with a body can a store say why it does not answer."""
        answer = self._call("get_object", path)
        if answer is not None:
            answer["Body"].close()
        return answer

    def _client(self) -> BaseClient:
        with self._mutex:
            if self._connected is None:
                self._connected = _connect(self._settings)
            return self._connected


def _range(begin: int, end: int | None) -> str:
    return f"bytes={begin}-" if end is None else f"bytes={begin}-{end - 1}"


@cache
def _descriptions() -> Loader:
    """What botocore knows of S3: much to read, and the same for every connection."""
    return create_loader()


def _connect(settings: StoreSettings) -> BaseClient:
    keys = None if settings.credentials is None else read_keys(settings.credentials)
    session = Session()
    session.register_component("data_loader", _descriptions())
    config = Config(
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        max_pool_connections=50,
        # Newer sums travel in a way that not every store understands; the payload is signed in any case.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={
            "addressing_style": "path" if settings.path_style else "auto",
            "payload_signing_enabled": True,
        },
    )
    return session.create_client(
        "s3",
        region_name=settings.region or session.get_config_variable("region") or _REGION,
        endpoint_url=settings.endpoint,
        aws_access_key_id=None if keys is None else keys.access_key,
        aws_secret_access_key=None if keys is None else keys.secret_key,
        aws_session_token=None if keys is None else keys.token,
        config=config,
    )


def probe(files: BucketFiles) -> None:
    """Try whether the place takes files and keeps those apart who write at once.

    Raises:
        OperatorError: it does not, or takes no files at all.
        UpstreamError: it does not answer.
    """
    path = "metadata/.probe"
    files.remove(path)
    try:
        tag = files.put_over(path, b"first", tag=None)
        files.put_over(path, b"second", tag=tag)
        for wrong in (None, tag):
            try:
                files.put_over(path, b"third", tag=wrong)
            except Overtaken:
                continue
            raise OperatorError(
                f"the store of {files.address} writes over what it was told not to: two publishers at once "
                "could spoil each other's work there",
                remedy="take one that has conditional writes (If-None-Match, If-Match), as Amazon S3",
            )
    finally:
        files.remove(path)
