"""Calls the API as any client would, and holds every answer against the OpenAPI document."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from starlette.applications import Starlette

from windlass_runner.daemon.server import address_of, listen, serving_http
from windlass_runner.daemon.settings import ServerSettings
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import Scope
from windlass_runner.run.storage import Storage
from windlass_runner.web.api import DESCRIPTION, make_api
from windlass_runner.web.api_calls import Source
from windlass_runner.web.links import Links
from windlass_runner.web.tokens import mint

DOCUMENT: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
LINKS = Links(address="https://ci.example.org", key=b"k" * 32, tells_apps=True)
REPOSITORIES = {"digits": "/srv/digits.git", "secret": "https://ann:pass@example.org/secret.git"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call came to."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


@dataclass
class Api:
    """A client. `seen` are the answers of each operation that were held against the document."""

    address: str
    token: str = ""
    ledger: Ledger | None = None
    storage: Storage | None = None
    seen: set[tuple[str, str, int]] = field(default_factory=set)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call it, with this token ("" is none); `path` is without `/api/v1`."""
        shown = self.token if token is None else token
        sent = dict(headers or {})
        if shown:
            sent.setdefault("Authorization", f"Bearer {shown}")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(
            f"{self.address}/api/v1{path}", data=data, headers=sent, method=method
        )
        opener = urllib.request.build_opener(_Straight, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as got:
                answer = Answer(status=got.status, headers=got.headers, body=got.read())
        except urllib.error.HTTPError as error:
            with error:
                answer = Answer(status=error.code, headers=error.headers, body=error.read())
        self._hold_against_the_document(method, path, answer)
        return answer

    def get(self, path: str, **named: Any) -> Answer:
        return self.call("GET", path, **named)

    def post(self, path: str, body: Any = None, **named: Any) -> Answer:
        return self.call("POST", path, {} if body is None else body, **named)

    def make_token(self, *scopes: Scope, repositories: tuple[str, ...] = (), lifetime_s: Any = None) -> str:
        """The text of a new token."""
        assert self.ledger is not None
        name = f"t{len(self.ledger.tokens.list())}"
        token, text = mint(
            name, scopes=scopes, repositories=repositories, at=time.time(), lifetime_s=lifetime_s
        )
        self.ledger.tokens.add(token)
        return text

    def _hold_against_the_document(self, method: str, path: str, answer: Answer) -> None:
        """Every path, status, header and body is one that the document tells of."""
        template = template_of(urlsplit(path).path)
        if template is None or method.lower() not in DOCUMENT["paths"][template]:
            assert answer.status in (401, 404, 405), (method, path, answer)
            check(answer.json, {"$ref": "#/components/schemas/Problem"})
            return
        told = resolved(DOCUMENT["paths"][template][method.lower()]["responses"])
        assert str(answer.status) in told, (method, path, answer)
        response = resolved(told[str(answer.status)])
        for name, header in response.get("headers", {}).items():
            assert not header["required"] or name in answer.headers, (name, answer)
        kind = answer.headers.get_content_type()
        if "content" not in response:
            assert answer.body == b""
        else:
            assert kind in response["content"], (kind, answer)
            if kind.endswith("json"):
                check(answer.json, response["content"][kind]["schema"])
        self.seen.add((method, template, answer.status))


_BEHIND_JOBS = ("logs", "approve", "reject", "stop")


def template_of(path: str) -> str | None:
    """The path of the document that this one is an instance of."""
    words = path.split("/")
    for template in DOCUMENT["paths"]:
        parts = template.split("/")
        if "{job}" in parts and words[-1] in _BEHIND_JOBS:  # a job's key may have slashes
            words = [*words[:4], "/".join(words[4:-1]), words[-1]]
        if len(parts) == len(words) and all(
            part.startswith("{") or part == word for part, word in zip(parts, words, strict=True)
        ):
            return str(template)
    return None


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` stands for."""
    while "$ref" in value:
        found: Any = DOCUMENT
        for word in value["$ref"].removeprefix("#/").split("/"):
            found = found[word]
        value = found
    return value


def check(value: Any, schema: dict[str, Any]) -> None:
    """Raises jsonschema's error where the value does not fit."""
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


@contextlib.contextmanager
def serving_api(
    ledger: Ledger | None, storage: Storage, *, clock: Callable[[], float] = time.time
) -> Iterator[Api]:
    """The API over HTTP, with two repositories and no daemon."""
    source = Source(
        ledger=lambda: ledger,
        storage=storage,
        repositories=REPOSITORIES,
        clock=clock,
        links=lambda: LINKS,
        is_stopping=lambda: False,
        patience_s=0.2,
    )
    app = Starlette(routes=[make_api(source)])
    with (
        listen(ServerSettings(host="127.0.0.1", port=0)) as listener,
        serving_http(app, listener),
    ):
        api = Api(address=address_of(listener), ledger=ledger, storage=storage)
        if ledger is not None:
            api.token = api.make_token("admin")
        yield api


@contextlib.contextmanager
def stream(
    api: Api, run_id: str, headers: Mapping[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """The answer to somebody who accepts an event stream."""
    connection = http.client.HTTPConnection(urlsplit(api.address).netloc, timeout=60)
    sent = {"Authorization": f"Bearer {api.token}", "Accept": "text/event-stream", **(headers or {})}
    with contextlib.closing(connection):
        connection.request("GET", f"/api/v1/runs/{run_id}/events", headers=sent)
        with connection.getresponse() as response:
            yield response


def next_event(response: http.client.HTTPResponse) -> dict[str, str]:
    """The fields of the next event that a browser would give out."""
    fields: dict[str, str] = {}
    while True:
        line = response.readline().decode()
        assert line, "the stream has ended"
        if line != "\n":
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        elif "id" in fields:
            return fields
