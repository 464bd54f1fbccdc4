"""Publishing to a registry's server: archives first, each by itself, then the publication that names them."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, get_args

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_registry.publication import Publication, Refused, Why

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_CONNECT_S: Final = 10.0
_ANSWER_S: Final = 300.0
WHYS: Final[tuple[Why, ...]] = get_args(Why)


class ServerPublishing:
    """Implements `Publishing` over HTTP. Safe to use from several threads."""

    def __init__(self, address: str, *, token: str) -> None:
        import urllib3

        self.address = address.rstrip("/")
        self._token = token
        timeout = urllib3.Timeout(connect=_CONNECT_S, read=_ANSWER_S)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def check_token(self) -> dict[str, Any]:
        """What the token is for. Raises OperatorError where it is not the registry's."""
        return self._call("GET", "/token", b"")

    def check(self, publication: Publication) -> None:
        """See `Publishing`."""
        self._send(publication, "/publications?check=true")

    def accept(self, publication: Publication) -> None:
        """See `Publishing`."""
        self._send(publication, "/publications")

    def change_root(self, root: bytes, *, targets: bytes | None) -> None:
        """As `RegistryFolder.change_root`. Raises as `accept`."""
        from windlass_registry.server.publishing import encode_root

        self._call("POST", "/root", encode_root(root, targets))

    def _send(self, publication: Publication, path: str) -> None:
        from windlass_registry.server.publishing import encode_publication

        for digest, archive in publication.archives.items():
            self._call("PUT", f"/uploads/{digest}", archive, kind="application/x-tar")
        self._call("POST", path, encode_publication(publication))

    def _call(self, method: str, path: str, body: bytes, *, kind: str = "application/json") -> dict[str, Any]:
        from urllib3.exceptions import HTTPError

        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        try:
            answer = self._pool.request(
                method, f"{self.address}/api/v1{path}", body=body or None, headers=headers, redirect=False
            )
        except HTTPError as error:
            raise UpstreamError(f"the registry {self.address} does not answer: {error}") from error
        value = _json(answer)
        if answer.status >= 400 or not isinstance(value, dict):
            raise _error(self.address, answer, value if isinstance(value, dict) else {})
        return value


def _json(answer: BaseHTTPResponse) -> object:
    try:
        return json.loads(answer.data)
    except ValueError:
        return None


def _error(address: str, answer: BaseHTTPResponse, problem: dict[str, Any]) -> WindlassError:
    detail = str(problem.get("detail") or f"{address} answers {answer.status}, which is none of a registry")
    remedy = str(problem["remedy"]) if problem.get("remedy") else None
    for why in WHYS:
        if problem.get("why") == why:
            return Refused(detail, why=why, remedy=remedy)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= 500:
        after = answer.headers.get("Retry-After", "")
        return UpstreamError(detail, retry_after_s=float(after) if after.isdigit() else None)
    return OperatorError(detail, remedy=remedy)
