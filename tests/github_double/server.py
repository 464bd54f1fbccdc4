"""A double of GitHub's REST API over real HTTP.

It keeps state, checks who asks as GitHub does, holds every request and every answer of its own against
GitHub's description, and fails as it is told (`Fault`). What was against the description is in
`violations`; the fixture that opens the double fails the test for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from github_double.calls import Answer, Call, Caller, problem
from github_double.description import load_description
from github_double.routes import ROUTES
from github_double.world import Clock, Delivery, Token, World, private_key

_MOST_WRITES_A_MINUTE: Final = 80
_MOST_WRITES_AN_HOUR: Final = 500
_APP_PATHS: Final = re.compile(r"/app(?:/.*)?|/repos/[^/]+/[^/]+/installation")
_REPOSITORY: Final = re.compile(r"/repos/([^/]+/[^/]+)(/.*)?")
_BY_ID: Final = re.compile(r"/repositories/(\d+)(/.*)?")


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next `times` requests that fit. `cut`: the connection ends without an
    answer. `has_effect`: the request is carried out all the same. `holds`: the answer waits for it."""

    path: str = ""
    method: str = ""
    times: int = 1
    status: int = 500
    message: str = "Server Error"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    has_effect: bool = False
    holds: threading.Event | None = None
    answer: Literal["json", "html"] = "json"

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in ("", method) and re.search(self.path, path) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it came, and what it was answered (0: nothing)."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int
    at: float


class GitHubDouble:
    """One GitHub. `world` may be changed while it runs; `plan` makes it fail."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.violations: list[str] = []
        self.seen: list[Seen] = []
        self.hook_url: str | None = None
        self.hook_secret = "hush"
        self._faults: list[Fault] = []
        self._writes: deque[float] = deque()
        self._resets_at = 0.0
        self._lock = threading.RLock()
        self._description = load_description()
        self._server = _Server(("127.0.0.1", 0), _Exchange, self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def plan(self, *faults: Fault) -> None:
        """What shall go wrong from now on; each request takes the first that fits."""
        with self._lock:
            self._faults += faults

    def take_violations(self) -> list[str]:
        """What was against the description so far: a test that means it takes it away."""
        with self._lock:
            found, self.violations = self.violations, []
        return found

    def requests(self, method: str = "", path: str = "") -> list[Seen]:
        """What was asked so far, in order."""
        with self._lock:
            return [seen for seen in self.seen if method in ("", seen.method) and re.search(path, seen.path)]

    def writes(self) -> list[Seen]:
        """Requests that made or changed something on a repository."""
        return [seen for seen in self.requests(path="^/repos/") if seen.method != "GET"]

    def deliver(self, event: str, payload: dict[str, Any]) -> Delivery:
        """Send a webhook to `hook_url`."""
        world = self.world
        number = next(world.ids)
        found = Delivery(
            id=number,
            guid=f"guid-{number}",
            event=event,
            payload=payload,
            delivered_at=world.clock(),
        )
        world.deliveries[found.id] = found
        self.send(found)
        return found

    def send(self, delivery: Delivery) -> None:
        """Try to bring a delivery to its receiver, and note what came of it."""
        if self.hook_url is None:
            return
        body = json.dumps(delivery.payload).encode()
        signature = hmac.new(self.hook_secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Delivery": delivery.guid,
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        request = urllib.request.Request(self.hook_url, data=body, headers=headers, method="POST")
        with suppress(OSError):
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    delivery.status_code = answer.status
            except urllib.error.HTTPError as error:
                with error:
                    delivery.status_code = error.code

    # -- one exchange ---------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer | Fault:
        """What a request is answered, or the fault that it runs into."""
        parts = urlsplit(target)
        path, query = self._by_name(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True))
        with self._lock:
            fault = next((fault for fault in self._faults if fault.fits(method, path)), None)
            if fault is not None:
                fault.times -= 1
            found: Answer | Fault = (
                self._carry_out(method, path, query, headers, body)
                if fault is None or fault.has_effect or fault.holds is not None
                else fault
            )
            status = 0 if fault is not None and fault.cut else (fault or found).status
            self.seen.append(
                Seen(
                    method=method,
                    path=path,
                    query=query,
                    headers=headers,
                    body=json.loads(body) if body else None,
                    status=status,
                    at=self.world.clock(),
                )
            )
        if fault is not None and fault.holds is not None:
            fault.holds.wait(60)
            return found
        return fault or found

    def _by_name(self, path: str) -> str:
        """Redirects lead to the number of a repository, which means what its name means."""
        found = _BY_ID.fullmatch(path)
        if found and int(found[1]) in self.world.repositories:
            return f"/repos/{self.world.repositories[int(found[1])].name}{found[2] or ''}"
        return path

    def _carry_out(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        operation = self._description.find(method, path)
        if operation is None:
            self.violations.append(f"{method} {path} is not described")
            return problem(404, "Not Found")
        wrong = list(self._description.wrong_in_request(operation, query, headers, body))
        self.violations += [f"{method} {path}: {text}" for text in wrong]
        caller = self._caller(path, headers)
        if isinstance(caller, Answer):
            return caller
        limit = self._limit(method, caller)
        if limit is not None:
            return limit
        template = operation.place[1]
        repository, is_current = None, True
        if named := _REPOSITORY.fullmatch(path):
            repository, is_current = self.world.find(named[1])
            if repository is None or not self._may_see(caller, repository.id):
                return problem(404, "Not Found")
            if not is_current:
                return self._moved(method, repository.id, named[2] or "", query)
        if wrong:
            return problem(422, f"Invalid request.\n\n{wrong[0]}")
        call = Call(
            world=self.world,
            description=self._description,
            url=self.url,
            caller=caller,
            path=operation.path,
            query=query,
            body=json.loads(body) if body else None,
            send=self._send_later,
            found=repository,
        )
        route = ROUTES.get((method.lower(), template))
        if route is None:
            self.violations.append(f"{method} {template} is not played")
            return problem(501, "The double has no such operation")
        answer = route(call)
        if caller.scopes is not None:
            answer = replace(answer, headers={**answer.headers, "X-OAuth-Scopes": caller.scopes})
        own = self._description.wrong_in_answer(operation, answer.status, answer.body)
        self.violations += [f"our answer to {method} {path}: {text}" for text in own]
        return self._unless_known(answer, caller, headers) if method == "GET" else answer

    def _unless_known(self, answer: Answer, caller: Caller, headers: Mapping[str, str]) -> Answer:
        """A 304 where the caller has that very answer, which does not count:
        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate"""
        if answer.status != 200:
            return answer
        etag = f'W/"{hashlib.sha256(json.dumps(answer.body).encode()).hexdigest()}"'
        marked = {**answer.headers, "ETag": etag}
        if headers.get("if-none-match") != etag:
            return replace(answer, headers=marked)
        if not caller.is_app:
            self.world.calls -= 1
        return Answer(status=304, headers=marked)

    def _send_later(self, delivery: Delivery) -> None:
        threading.Thread(target=self.send, args=(delivery,), daemon=True).start()

    def _moved(self, method: str, number: int, rest: str, query: Mapping[str, str]) -> Answer:
        """A GET is redirected for good; anything else must come again as it is (307)."""
        words = "&".join(f"{name}={value}" for name, value in query.items())
        location = f"{self.url}/repositories/{number}{rest}" + (f"?{words}" if words else "")
        headers = {"Location": location}
        body = {
            "message": "Moved Permanently",
            "url": location,
            "documentation_url": "https://docs.github.com/rest",
        }
        return Answer(status=301 if method == "GET" else 307, body=body, headers=headers)

    # -- who asks, and how much -----------------------------------------------------------------

    def _caller(self, path: str, headers: Mapping[str, str]) -> Caller | Answer:
        if path.startswith("/app-manifests/"):  # the code itself is the proof
            return Caller()
        kind, _, text = headers.get("authorization", "").partition(" ")
        if not text or kind.lower() not in ("bearer", "token"):
            return problem(401, "Requires authentication")
        token = self.world.tokens.get(text)
        if text.count(".") == 2 and token is None:
            return self._app(path, text)
        if token is None or token.expires_at <= self.world.clock():
            return problem(401, "Bad credentials")
        if token.installation is None:
            return Caller(login=token.login, scopes=token.scopes)
        return self._installation(token)

    def _installation(self, token: Token) -> Caller | Answer:
        found = self.world.installations.get(token.installation or 0)
        if found is None:
            return problem(401, "Bad credentials")
        if found.is_suspended:
            return problem(403, "This installation has been suspended")
        return Caller(installation=found)

    def _app(self, path: str, text: str) -> Caller | Answer:
        """https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app"""
        try:
            unchecked = {"verify_exp": False, "verify_iat": False}
            claims = jwt.decode(text, _public_key(), algorithms=["RS256"], options=unchecked)
        except jwt.InvalidTokenError:
            return problem(401, "A JSON web token could not be decoded")
        now = self.world.clock()
        if not isinstance(claims.get("iat"), int) or claims["iat"] > now:
            return problem(401, "'Issued at' claim ('iat') must be an Integer representing the time")
        if not isinstance(claims.get("exp"), int) or claims["exp"] <= now:
            return problem(401, "'Expiration time' claim ('exp') must be a numeric value in the future")
        if claims["exp"] > now + 600:
            return problem(401, "'Expiration time' claim ('exp') is too far in the future")
        if claims.get("iss") != str(self.world.app_id):
            return problem(401, "Integration not found")
        if not _APP_PATHS.fullmatch(path):
            return problem(403, "Resource not accessible by integration")
        return Caller(is_app=True)

    def _may_see(self, caller: Caller, repository: int) -> bool:
        return caller.installation is None or repository in caller.installation.repositories

    def _limit(self, method: str, caller: Caller) -> Answer | None:
        """https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"""
        if caller.is_app:
            return None
        now = self.world.clock()
        if now >= self._resets_at:
            self.world.calls, self._resets_at = 0, now + 3600
        self.world.calls += 1
        if self.world.calls > self.world.hourly_limit:
            return problem(403, "API rate limit exceeded for installation.")
        if method == "GET":
            return None
        while self._writes and self._writes[0] <= now - 3600:
            self._writes.popleft()
        last_minute = sum(1 for at in self._writes if at > now - 60)
        if last_minute >= _MOST_WRITES_A_MINUTE or len(self._writes) >= _MOST_WRITES_AN_HOUR:
            return problem(
                403,
                "You have exceeded a secondary rate limit and have been temporarily blocked from content "
                "creation. Please retry your request again later.",
                headers={"Retry-After": "60"},
            )
        self._writes.append(now)
        return None

    def standard_headers(self) -> dict[str, str]:
        """What stands on every answer."""
        now, limit = self.world.clock(), self.world.hourly_limit
        return {
            "Date": formatdate(now, usegmt=True),
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - self.world.calls)),
            "X-RateLimit-Reset": str(int(self._resets_at or now + 3600)),
            "X-RateLimit-Resource": "core",
        }


@cache
def _public_key() -> Any:
    """To read the key again takes longer than all the rest of a request."""
    key: Any = load_pem_private_key(private_key().encode(), None)
    return key.public_key()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], exchange: type[_Exchange], double: GitHubDouble) -> None:
        self.double = double
        super().__init__(address, exchange)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is a mistake of the double."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.double.violations.append(f"the double broke: {error!r}")


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def _handle(self) -> None:
        double = self.server.double
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        found = double.answer(self.command, self.path, headers, body)
        if isinstance(found, Fault):
            if found.cut:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            answer = problem(found.status, found.message, headers=found.headers)
            self._write(answer, is_html=found.answer == "html")
            return
        self._write(found)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle

    def _write(self, answer: Answer, *, is_html: bool = False) -> None:
        content = b"<html>Unicorn!</html>" if is_html else json.dumps(answer.body).encode()
        if answer.status == 304:
            content = b""
        self.send_response_only(answer.status)
        standard = self.server.double.standard_headers()
        kind = "text/html" if is_html else "application/json; charset=utf-8"
        for name, value in {**standard, "Content-Type": kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test says what it wants to know."""


@contextmanager
def open_double(world: World | None = None) -> Iterator[GitHubDouble]:
    """A double for one test. At the end everything must have been as GitHub describes it."""
    double = GitHubDouble(world or World(clock=Clock()))
    try:
        yield double
    finally:
        double.close()
    assert not double.violations, "\n".join(double.violations)
