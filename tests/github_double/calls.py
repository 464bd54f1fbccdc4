"""What a route of the double is given and gives: a `Call` and an `Answer`. See `routes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from github_double.description import Description
from github_double.world import Delivery, Installation, Repository, World

Json = Any
_DOCUMENTATION: Final = "https://docs.github.com/rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the App itself (`is_app`), an installation, or a person, whose token may have `scopes`."""

    is_app: bool = False
    installation: Installation | None = None
    login: str | None = None
    scopes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, understood. `repository` is there where the path names one."""

    world: World
    description: Description
    url: str
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    send: Callable[[Delivery], None]
    found: Repository | None = None

    @property
    def repository(self) -> Repository:
        assert self.found is not None
        return self.found

    @property
    def repository_url(self) -> str:
        return f"{self.url}/repos/{self.repository.name}"

    def whole(self, schema: str, **given: Json) -> Json:
        return self.description.whole(schema, given, url=self.url)

    def user(self, login: str) -> Json:
        return self.whole(
            "simple-user", login=login, id=sum(login.encode()), type="User", url=f"{self.url}/users/{login}"
        )


Route = Callable[[Call], Answer]
ROUTES: dict[tuple[str, str], Route] = {}


def route(method: str, path: str) -> Callable[[Route], Route]:
    def register(function: Route) -> Route:
        ROUTES[method, path] = function
        return function

    return register


def problem(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> Answer:
    body = {"message": message, "documentation_url": _DOCUMENTATION, "status": str(status)}
    return Answer(status=status, body=body, headers=headers or {})


def invalid(resource: str, field_name: str, message: str) -> Answer:
    error = {"resource": resource, "code": "custom", "field": field_name, "message": message}
    body = {"message": "Validation Failed", "errors": [error], "documentation_url": _DOCUMENTATION}
    return Answer(status=422, body=body)


def page(call: Call, items: Sequence[Json]) -> tuple[list[Json], dict[str, str]]:
    """One page of a list, and the header that leads to the next."""
    size = min(int(call.query.get("per_page", "30")), call.world.longest_page)
    number = int(call.query.get("page", "1"))
    rest = len(items) > size * number
    link = {"Link": f'<{call.url}/none?page={number + 1}>; rel="next"'} if rest else {}
    return list(items[size * (number - 1) : size * number]), link
