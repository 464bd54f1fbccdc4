"""`store.toml` in a registry's folder: that its public files lie in a bucket, and how that is reached.

It lies with the registry, and not in the settings of one server, for all that change a registry read it: the
servers, and the commands of its owner. It holds no secret, only where they lie (decision 0070).
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from windlass_registry.errors import OperatorError
from windlass_registry.layout import TIMESTAMP
from windlass_registry.near_words import did_you_mean

STORE: Final = "store.toml"
_BUCKET: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,61}[a-zA-Z0-9]\Z")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z")
_KINDS: Final[dict[str, type]] = {
    "url": str,
    "endpoint": str,
    "region": str,
    "path_style": bool,
    "credentials": str,
}
_HEAD: Final = "# The public files of this registry lie here; see 'Serving a registry' in the guide.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """A place in an S3-compatible store."""

    bucket: str
    prefix: str = ""
    """Before every path, without slashes at its ends; '': the bucket holds nothing else."""
    endpoint: str | None = None
    """None: Amazon's own."""
    region: str | None = None
    """None: as the environment says (AWS_REGION), else us-east-1."""
    path_style: bool = False
    """Whether the bucket stands in the path and not in the host name."""
    credentials: Path | None = None
    """A file in AWS's format; None: wherever AWS's tools look (environment, ~/.aws, the machine's role)."""

    @property
    def url(self) -> str:
        """As people write it."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def to_text(self) -> str:
        """The content of `store.toml`."""
        values: dict[str, str | bool | None] = {
            "url": self.url,
            "endpoint": self.endpoint,
            "region": self.region,
            "path_style": self.path_style,
            "credentials": None if self.credentials is None else str(self.credentials),
        }
        lines = (f"{key} = {json.dumps(value)}\n" for key, value in values.items() if value is not None)
        return _HEAD + "".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKeys:
    """Who we are to the store. Never shown."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "StoreKeys(…)"


def holds_registry(folder: Path) -> bool:
    """Whether a registry is kept in a folder of this machine. The store is not asked."""
    return (folder / STORE).is_file() or (folder / TIMESTAMP).is_file()


def load_store(folder: Path) -> StoreSettings | None:
    """Where a registry's public files lie; None: in the folder itself.

    Raises:
        OperatorError: its `store.toml` cannot be used; says why, and in which line.
    """
    path = folder / STORE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"cannot read {path}: {error}") from error
    return parse_store(text, path=path)


def parse_store(text: str, *, path: Path) -> StoreSettings:
    """The text of a `store.toml`. Relative paths in it start at its folder. Raises OperatorError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path} is not TOML: {error}", remedy="see https://toml.io") from error
    for key, value in data.items():
        shown = f"{path}:{_line(text, key)}"
        if key not in _KINDS:
            raise OperatorError(f"{shown}: unknown key '{key}'", remedy=did_you_mean(key, _KINDS))
        if not isinstance(value, _KINDS[key]) or value == "":
            kind = "true or false" if _KINDS[key] is bool else "a text"
            raise OperatorError(f"{shown}: '{key}' must be {kind}")
    if "url" not in data:
        raise OperatorError(f"{path}: no 'url'", remedy='write url = "s3://bucket/prefix"')
    try:
        return make_store(data.pop("url"), folder=path.parent, **data)
    except OperatorError as error:
        raise OperatorError(f"{path}: {error.message}", remedy=error.remedy) from error


def make_store(
    url: str,
    *,
    folder: Path,
    endpoint: str | None = None,
    region: str | None = None,
    path_style: bool | None = None,
    credentials: str | None = None,
) -> StoreSettings:
    """The settings of a place. `path_style` None: for every endpoint but Amazon's own.

    Raises:
        OperatorError: the address or the endpoint is none.
    """
    scheme, _, place = url.partition("://")
    bucket, _, prefix = place.rstrip("/").partition("/")
    if scheme != "s3" or not _BUCKET.match(bucket) or (prefix and not _PREFIX.match(prefix)):
        raise OperatorError(f"'{url}' is no place in a store", remedy="write it as s3://bucket/prefix")
    if any(part in (".", "..") for part in prefix.split("/")):
        raise OperatorError(f"'{url}' is no place in a store", remedy="write no '.' or '..' in the prefix")
    if endpoint is not None:
        _check_endpoint(endpoint)
    return StoreSettings(
        bucket=bucket,
        prefix=prefix,
        endpoint=endpoint.rstrip("/") if endpoint is not None else None,
        region=region,
        path_style=endpoint is not None if path_style is None else path_style,
        credentials=None if credentials is None else folder / Path(credentials).expanduser(),
    )


def read_keys(path: Path) -> StoreKeys:
    """The keys in a file of AWS's format (`aws_access_key_id = …` under `[default]`).

    Raises:
        OperatorError: it is not there, others may read it, or it holds none.
    """
    try:
        text, mode = path.read_text(encoding="utf-8"), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"cannot read the store's credentials: {error}") from error
    if mode & 0o077:
        raise OperatorError(
            f"others may read the store's credentials {path}", remedy=f"take it from them: chmod 600 {path}"
        )
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
        found = parser["default"]
        return StoreKeys(
            access_key=found["aws_access_key_id"],
            secret_key=found["aws_secret_access_key"],
            token=found.get("aws_session_token"),
        )
    except (configparser.Error, KeyError):  # their texts would show the file's
        remedy = "write [default], and below it aws_access_key_id = … and aws_secret_access_key = …"
        raise OperatorError(f"{path} holds no credentials of a store", remedy=remedy) from None


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise OperatorError(
            f"'{endpoint}' is no endpoint of a store", remedy="write it as https://s3.example.org"
        )
    if parts.username is not None or parts.password is not None:
        raise OperatorError("the store's endpoint holds a password", remedy="put it into 'credentials'")


def _line(text: str, key: str) -> int:
    """Where a key of the file stands; 1 where it is written in a way that nobody writes."""
    lines: list[Any] = text.splitlines()
    starts = (line.partition("=")[0].strip().strip("[]\"'") for line in lines)
    return next((number for number, start in enumerate(starts, start=1) if start == key), 1)
