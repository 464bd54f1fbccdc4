"""One file over HTTP into a `.part` file: goes on where it was cut off, tries again where that may help.

Ranges and validators: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
"""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

CHUNK = 256 * 1024
LONGEST_PAUSE_S = 30.0
LONGEST_WAIT_S = 600.0
"""A server that asks for more patience is told of instead."""
PROGRESS_BYTES = 1024 * 1024
"""So much more since the last failure counts as progress."""


class Failed(Exception):
    """What to tell the author of the workflow."""


class Passing(Exception):
    """A failure that may pass. `after_s`: the server's own word about when."""

    def __init__(self, why: str, after_s: float = 0.0) -> None:
        super().__init__(why)
        self.after_s = after_s


class Source(NamedTuple):
    """What to ask for. `headers` are for the host of `url` alone."""

    url: str
    headers: dict[str, str]
    timeout_s: float

    @property
    def shown(self) -> str:
        """The address as it may stand in a log: a query may hold a signature."""
        return urlunsplit(urlsplit(self.url)._replace(query="", fragment=""))


def source_of(url: str, headers: dict[str, str], timeout_s: float) -> Source:
    """Raises Failed where the address is none. A name and password in it become a header."""
    if re.search(r"[\x00-\x20\x7f]", url) or not re.match(r"https?://[^/]", url, re.IGNORECASE):
        raise Failed(f"'{url}' is not an address such as https://example.org/data.tar.gz")
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if at:
        headers = {"Authorization": "Basic " + base64.b64encode(unquote(user).encode()).decode(), **headers}
    return Source(urlunsplit(parts._replace(netloc=host, fragment="")), headers, timeout_s)


class _Redirects(HTTPRedirectHandler):
    """Follows to http and https; the author's headers stay with the host that they were meant for."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def redirect_request(self, request: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        new = super().redirect_request(request, fp, code, msg, headers, newurl)
        if new is not None and _origin(newurl) != _origin(self.source.url):
            for name in self.source.headers:
                new.remove_header(name.capitalize())
        return new


def _origin(url: str) -> Any:
    return urlsplit(url)[:2]


class Part:
    """A file that is being filled, and beside it what the server said of it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._notes = place.with_name(place.name + ".json")
        self.validator = ""
        self.total: int | None = None

    def open_again(self, url: str) -> None:
        """Take up what an earlier try left of the same address."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            if notes["url"] == url and self.place.is_file() and not self.place.is_symlink():
                self.validator, self.total = str(notes["validator"]), notes["total"]
                return
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self.forget()

    def note(self, url: str, validator: str, total: int | None) -> None:
        """Remember what the bytes belong to, before the first of them is written."""
        self.validator, self.total = validator, total
        text = json.dumps({"url": url, "validator": validator, "total": total})
        self._notes.write_text(text, encoding="utf-8")

    @property
    def size(self) -> int:
        return self.place.stat().st_size if self.place.exists() else 0

    def forget(self) -> None:
        """Remove all of it."""
        self.validator, self.total = "", None
        for each in (self.place, self._notes):
            if each.exists() or each.is_symlink():
                each.unlink()


class Transfer:
    """The download of one file. `on_bytes` hears how many there are, and of how many (None: unknown)."""

    def __init__(
        self,
        source: Source,
        part: Part,
        *,
        check_space: Callable[[int], None],
        on_bytes: Callable[[int, int | None], None],
    ) -> None:
        self.source = source
        self.part = part
        self.may_be_torn = False
        """What is there came in pieces, or its end is not known to be the file's."""
        self._check_space = check_space
        self._on_bytes = on_bytes
        self._opener = build_opener(_Redirects(source))

    def run(
        self, retries: int, pause_s: float, sleep: Callable[[float], Any], say: Callable[[str], Any]
    ) -> None:
        """Until the whole file is there. Raises Failed."""
        failures, reached = 0, self.part.size
        while True:
            try:
                self.once()
                return
            except Passing as failure:
                if self.part.size >= reached + PROGRESS_BYTES:
                    failures, reached = 0, self.part.size
                failures += 1
                if failures > retries:
                    tries = f"after {failures} tries" if failures > 1 else "at the first try"
                    raise Failed(f"{self.source.shown}: {failure}; gave up {tries}") from failure
                wait_s = max(failure.after_s, min(pause_s * 2 ** (failures - 1), LONGEST_PAUSE_S))
                if wait_s > LONGEST_WAIT_S:
                    minutes = wait_s / 60
                    raise Failed(
                        f"{failure}; the server asks to come back in {minutes:.0f} minutes"
                    ) from failure
                say(f"{failure}; retry {failures} of {retries} in {wait_s:.1f} s")
                sleep(wait_s)

    def once(self) -> None:
        """One request. Raises Passing, Failed."""
        try:
            with self._opener.open(self._request(), timeout=self.source.timeout_s) as answer:
                self._receive(answer)
        except HTTPError as error:
            with error:
                self._refused(error)
        except http.client.IncompleteRead as error:
            raise Passing("the connection ended too early") from error
        except (URLError, OSError, http.client.HTTPException) as error:
            if getattr(error, "errno", None) == 28:  # ENOSPC: of ours, not of the server
                raise Failed("the disk is full; free some space, or give the job another `path`") from error
            why = getattr(error, "reason", None) or error
            text = getattr(why, "strerror", None) or str(why) or type(why).__name__
            raise Passing(f"no connection: {text}") from error

    def _request(self) -> Request:
        request = Request(self.source.url)
        request.add_header("User-Agent", "windlass-http-download/1")
        request.add_header("Accept-Encoding", "identity")
        for name, value in self.source.headers.items():
            request.add_header(name, value)
        if self.part.size:
            request.add_header("Range", f"bytes={self.part.size}-")
            if self.part.validator:
                request.add_header("If-Range", self.part.validator)
        return request

    def _receive(self, answer: Any) -> None:
        begin, total = 0, _length(answer)
        if answer.status == 206:
            begin, total = _content_range(answer.headers.get("Content-Range", ""))
            if begin != self.part.size or (self.part.total is not None and total != self.part.total):
                self.part.forget()
                raise Passing("the server sent another part than was asked for")
            self.may_be_torn = True
        else:
            self.part.forget()
            self.may_be_torn = total is None
        if total is not None:
            self._check_space(total - begin)
        self.part.note(self.source.url, _validator(answer.headers), total)
        with self.part.place.open("ab", buffering=0) as stream:
            while True:
                chunk = answer.read1(CHUNK)  # what has come, so that it is kept whatever comes next
                if not chunk:
                    break
                stream.write(chunk)
                self._on_bytes(stream.tell(), total)
        if total is not None and self.part.size < total:
            raise Passing(f"the connection ended after {self.part.size:,} of {total:,} bytes")

    def _refused(self, error: HTTPError) -> None:
        said = f"the server answers {error.code} {error.reason}"
        if error.code == 416:  # what we have is as long as the file, or longer: it ends here or begins anew
            _, _, total = error.headers.get("Content-Range", "").partition("*/")
            if total == str(self.part.size):
                return
            self.part.forget()
            raise Passing("the file on the server is another one now")
        if error.code >= 500 or error.code in (408, 425, 429):
            raise Passing(said, _retry_after_s(error.headers))
        remedy = {
            401: "; give what it wants to see with 'headers'",
            403: "; give what it wants to see with 'headers'",
            404: "; check 'url'",
            410: "; check 'url'",
        }.get(error.code, "")
        raise Failed(f"{self.source.shown}: {said}{remedy}")


def _length(answer: Any) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _content_range(text: str) -> Any:
    found = re.match(r"bytes (\d+)-\d+/(\d+|\*)\Z", text.strip())
    if not found:
        return -1, None
    return int(found.group(1)), None if found.group(2) == "*" else int(found.group(2))


def _validator(headers: Any) -> str:
    """What names this very file: a strong ETag, else its date (section 13.1.5)."""
    tag = headers.get("ETag", "").strip()
    if tag and not tag.startswith("W/"):
        return str(tag)
    return str(headers.get("Last-Modified", "")).strip()


def _retry_after_s(headers: Any) -> float:
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, IndexError):
        return 0.0
