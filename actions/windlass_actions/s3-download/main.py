"""Copies objects of an S3-compatible store into an output of the job. Python 3.8 and later."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit

from copying import Item
from refusals import Failure, Patience, Refused
from signing import Account
from store import Bucket

AT_ONCE = 8
TELL_EVERY_S = 10.0
AWS_HOST = re.compile(r"(?:(?P<bucket>[a-z0-9.-]+)\.)?s3[.-](?:(?P<region>[a-z0-9-]+)\.)?amazonaws\.com\Z")


class Address(NamedTuple):
    """What `url` means. `endpoint` and `region` are '' where it does not tell."""

    bucket: str
    prefix: str
    endpoint: str = ""
    region: str = ""


def parse_address(url: str) -> Address:
    """`s3://bucket/prefix`, or the address of a store with bucket and prefix. Raises Failure."""
    found = re.match(r"s3://([A-Za-z0-9][A-Za-z0-9._-]+)(?:/(.*))?\Z", url, re.DOTALL)
    if found:
        return Address(found.group(1), found.group(2) or "")
    parts = urlsplit(url)
    path = unquote(parts.path).lstrip("/")
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
        raise Failure(f"'{url}' is not an address such as 's3://bucket/prefix/'")
    aws = AWS_HOST.match(parts.netloc)
    if aws and aws.group("bucket"):
        return Address(aws.group("bucket"), path, "", aws.group("region") or "us-east-1")
    bucket, _, prefix = path.partition("/")
    if not bucket:
        raise Failure(f"'{url}' is not an address such as 'https://store.example.org/bucket/prefix/'")
    if aws:
        return Address(bucket, prefix, "", aws.group("region") or "us-east-1")
    return Address(bucket, prefix, f"{parts.scheme}://{parts.netloc}")


def choose(items: Iterator[Item], prefix: str) -> dict[str, Item]:
    """What to copy, by the name it gets in the target folder. Raises Failure."""
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
        check_name(name, chosen)
    return chosen


def check_name(name: str, chosen: dict[str, Item]) -> None:
    """Raises Failure where the name leads out of the folder, or no file can have it."""
    parts = name.split("/")
    is_odd = any(part in ("", ".", "..") or len(os.fsencode(part)) > 240 for part in parts)
    if is_odd or re.search(r"[\x00-\x1f\x7f]", name):
        raise Failure(f"the object {name!r} has no name that a file can have")
    for end in range(1, len(parts)):
        folder = "/".join(parts[:end])
        if folder in chosen:
            raise Failure(f"'{folder}' is an object and a folder of others; copy a part of it")


def read_input(name: str, *variables: str) -> str:
    for variable in (f"INPUT_{name.upper()}", *variables):
        if os.environ.get(variable, "").strip():
            return os.environ[variable].strip()
    return ""


def read_number(name: str, default: float) -> float:
    text = read_input(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 10**6:
        raise Failure(f"'{name}' is '{text}'; write a number such as {default:g}")
    return value


def choose_target(path: str) -> Path:
    """Raises Failure where it cannot be told."""
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


def read_account(region: str) -> Account:
    account = Account(
        access_key=read_input("access-key", "AWS_ACCESS_KEY_ID"),
        secret_key=read_input("secret-access-key", "AWS_SECRET_ACCESS_KEY"),
        token=read_input("session-token", "AWS_SESSION_TOKEN"),
        region=read_input("region", "AWS_REGION", "AWS_DEFAULT_REGION") or region or "us-east-1",
    )
    if bool(account.access_key) != bool(account.secret_key):
        raise Failure("give 'access-key' and 'secret-access-key' both, or neither for a public bucket")
    return account


def open_bucket(address: Address) -> Bucket:
    """Raises Failure where inputs are not what they have to be."""
    endpoint = address.endpoint or read_input("endpoint", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    if endpoint and not re.match(r"https?://[^/]+", endpoint):
        raise Failure(f"'{endpoint}' is not an address such as 'https://minio.example.org:9000'")
    patience = Patience(int(read_number("retries", 5)), read_number("retry-pause", 0.5), time.sleep, say)
    return Bucket(address.bucket, endpoint, read_account(address.region), patience)


def find(bucket: Bucket, prefix: str) -> dict[str, Item]:
    """What to copy. A key that may be read, in a bucket that may not be listed, is taken as it is."""
    try:
        return choose(bucket.list(prefix), prefix)
    except Refused as refused:
        name = prefix.rpartition("/")[2]
        if refused.status != 403 or not name:
            raise
        item = Item(prefix, None, "")
        check_name(name, {})
        try:
            with bucket.open(prefix, headers={"range": "bytes=0-0"}):
                return {name: item}
        except OSError:
            raise refused from None


class Progress:
    """Tells now and then how far it is. Hears from several threads."""

    def __init__(self, files: int, total: int) -> None:
        self._lock = threading.Lock()
        self._begun_at = self._told_at = time.monotonic()
        self._files, self._total, self.size, self.done = files, total, 0, 0

    def hear(self, size: int) -> None:
        with self._lock:
            self.size += size
            now = time.monotonic()
            if now - self._told_at < TELL_EVERY_S or not self._total:
                return
            self._told_at = now
            speed = self.size / max(now - self._begun_at, 0.001) / 1e6
            percent = 100 * self.size / self._total
            say(f"{percent:3.0f} %  {self.done:,} of {self._files:,} objects, {speed:.1f} MB/s")

    def end_file(self) -> None:
        with self._lock:
            self.done += 1


def copy_all(bucket: Bucket, chosen: dict[str, Item], target: Path) -> int:
    """Copy them, several at a time; how many bytes. Raises the first Failure."""
    progress = Progress(len(chosen), sum(item.size or 0 for item in chosen.values()))

    def copy(name: str) -> int:
        size = bucket.fetch(chosen[name], target / name, progress.hear)
        progress.end_file()
        return size

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        copies = [pool.submit(copy, name) for name in sorted(chosen)]
        done, not_done = wait(copies, return_when=FIRST_EXCEPTION)
        for each in not_done:
            each.cancel()
        for each in done:
            each.result()
        return sum(each.result() for each in copies)


def download() -> tuple[int, int]:
    """Copy everything; how many files and bytes. Raises Failure, OSError."""
    url = read_input("url")
    address = parse_address(url)
    bucket = open_bucket(address)
    target = choose_target(read_input("path"))
    chosen = find(bucket, address.prefix)
    if not chosen:
        raise Failure(f"nothing lies at '{url}'; check the name and its '/' at the end")
    wanted = sum(item.size or 0 for item in chosen.values())
    target.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(str(target)).free
    if wanted > free:
        raise Failure(
            f"{wanted:,} bytes are to come, and {free:,} bytes are free; free some space on the host"
        )
    count = f"{len(chosen):,} {'object' if len(chosen) == 1 else 'objects'}"
    say(f"Copying {count}, {wanted:,} bytes, from {url}")
    return len(chosen), copy_all(bucket, chosen, target)


def say(text: str) -> None:
    print(text.replace("::", ": :"), flush=True)


def fail(message: str) -> NoReturn:
    """Say what is wrong, as an annotation, and stop."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error::s3-download: {escaped}", flush=True)
    sys.exit(1)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # the threads would go on to their ends
    try:
        files, size = download()
    except Failure as failure:
        fail(str(failure))
    except OSError as error:
        fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    place = os.environ.get("GITHUB_OUTPUT")
    if place:
        with Path(place).open("a", encoding="utf-8") as stream:
            stream.write(f"files={files}\nbytes={size}\n")
    say(f"Copied {files:,} {'file' if files == 1 else 'files'}, {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
