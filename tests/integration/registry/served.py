"""A registry's server over real HTTP, and a client that holds every answer against its OpenAPI document."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from jsonschema import Draft202012Validator

from registry_world import World
from windlass_registry.server.accounts import Accounts
from windlass_registry.server.app import DESCRIPTION, RegistryServer, make_registry
from windlass_registry.server.limits import ServerLimits
from windlass_runner.daemon.server import address_of, listen, serving_http
from windlass_runner.daemon.settings import ServerSettings

DOCUMENT: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call came to."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """The server's world, its address, and who may send."""

    world: World
    accounts: Accounts
    address: str
    operations: set[str] = field(default_factory=set)

    def token(self, name: str = "ci", namespace: str | None = "acme", **how: float) -> str:
        """A new token's text."""
        return self.accounts.add_token(name, namespace=namespace, at=0.0, **how)[1]

    def call(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call; an answer of the API is held against the document."""
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        request = urllib.request.Request(f"{self.address}{path}", data=body, headers=sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as found:
                answer = Answer(status=found.status, headers=found.headers, body=found.read())
        except urllib.error.HTTPError as error:
            answer = Answer(status=error.code, headers=error.headers, body=error.read())
        if path.startswith("/api/v1/") and not path.endswith("openapi.json"):
            self._check(method, path.partition("?")[0], answer)
        return answer

    def _check(self, method: str, path: str, answer: Answer) -> None:
        for pattern, methods in DOCUMENT["paths"].items():
            if re.fullmatch(re.sub(r"\{[a-z]+\}", "[^/]+", pattern), path) and method.lower() in methods:
                operation = methods[method.lower()]
                break
        else:
            assert answer.status in (404, 405)
            return
        self.operations.add(operation["operationId"])
        if answer.status >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
            schema = {"$ref": "#/components/schemas/Problem"}
        else:
            schema = operation["responses"][str(answer.status)]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(answer.json)


@contextlib.contextmanager
def serving(
    world: World, *, limits: ServerLimits | None = None, database: str | None = None
) -> Iterator[Served]:
    """The server of a world's registry, on a free port."""
    accounts = Accounts.open(database or f"sqlite:///{world.folder / 'registry' / 'private' / 'server.db'}")
    server = RegistryServer(
        folder=world.registry,
        accounts=accounts,
        clock=lambda: world.now.timestamp(),
        limits=limits or ServerLimits(),
    )
    try:
        with (
            listen(ServerSettings(host="127.0.0.1", port=0)) as listener,
            serving_http(make_registry(server), listener),
        ):
            yield Served(world=world, accounts=accounts, address=address_of(listener))
    finally:
        accounts.close()
