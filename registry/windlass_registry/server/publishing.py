"""Publications over HTTP: who may send them, what they are, and how the registry's no is told."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from windlass_registry.publication import Publication, Refused, Why
from windlass_registry.server.accounts import PublisherToken
from windlass_registry.server.problems import HttpProblem, unreadable
from windlass_registry.server.shelves import Stock

STATUSES: Final[Mapping[Why, HTTPStatus]] = {
    "signature": HTTPStatus.FORBIDDEN,
    "outdated": HTTPStatus.CONFLICT,
    "exists": HTTPStatus.CONFLICT,
    "changed": HTTPStatus.CONFLICT,
    "size": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
"""What every other reason is answered with: 422."""
OWN_ROLES: Final = frozenset({"root", "targets"})


def encode_publication(publication: Publication) -> bytes:
    """The body of `POST /publications`; the archives are sent before, by digest."""
    value = {
        "roles": {name: _to_text(content) for name, content in publication.roles.items()},
        "archives": sorted(publication.archives),
        "statements": {digest: _to_text(content) for digest, content in publication.statements.items()},
    }
    return json.dumps(value).encode()


def decode_publication(body: bytes) -> tuple[dict[str, bytes], list[str], dict[str, bytes]]:
    """Roles, digests of archives, statements. Raises HttpProblem (400)."""
    try:
        value = json.loads(body)
        roles = {str(name): _from_text(text) for name, text in value["roles"].items()}
        statements = {str(digest): _from_text(text) for digest, text in value["statements"].items()}
        archives = [str(digest) for digest in value["archives"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise unreadable("the body is no publication", remedy="see openapi.json") from error
    return roles, archives, statements


def encode_root(root: bytes, targets: bytes | None) -> bytes:
    """The body of `POST /root`."""
    value = {"root": _to_text(root), "targets": None if targets is None else _to_text(targets)}
    return json.dumps(value).encode()


def decode_root(body: bytes) -> tuple[bytes, bytes | None]:
    """The next root, and `targets` where another key signs it. Raises HttpProblem (400)."""
    try:
        value = json.loads(body)
        targets = value["targets"]
        return _from_text(value["root"]), None if targets is None else _from_text(targets)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise unreadable("the body holds no root", remedy="see openapi.json") from error


def check_token(token: PublisherToken, roles: Iterable[str]) -> None:
    """Raise HttpProblem (403) where the token is not for all that is sent."""
    for role in roles:
        namespace = None if role in OWN_ROLES else role.partition(".")[0]
        if not token.covers(namespace):
            what = f"the namespace '{namespace}'" if namespace else "the registry's own roles"
            raise HttpProblem(
                HTTPStatus.FORBIDDEN,
                f"the token '{token.name}' is not for {what}",
                remedy="ask the registry's owner for one that is (made without --namespace it is for all)",
            )


def check_quota(stock: Stock, roles: Mapping[str, bytes], added_bytes: int, *, limit_bytes: int) -> None:
    """Raise HttpProblem (413) where a namespace would hold more than it may."""
    for namespace in {role.partition(".")[0] for role in roles} - OWN_ROLES:
        held = stock.shelves[namespace].size_bytes if namespace in stock.shelves else 0
        if added_bytes and held + added_bytes > limit_bytes:
            raise HttpProblem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"'{namespace}' holds {held:,} of its {limit_bytes:,} bytes, and this adds {added_bytes:,}",
                remedy="ask the registry's owner for more",
                why="size",
            )


def as_problem(refused: Refused) -> HttpProblem:
    """The registry's no as an answer."""
    status = STATUSES.get(refused.why, HTTPStatus.UNPROCESSABLE_ENTITY)
    return HttpProblem(status, refused.message, remedy=refused.remedy, why=refused.why)


def _to_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _from_text(text: Any) -> bytes:
    return base64.b64decode(text, validate=True)
