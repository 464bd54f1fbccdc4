"""A registry as a web application: files, API and pages. Mounted by the daemon, or served by itself.

What lies in the registry's folder is given out as it is, so that a plain web server can do the same. The
API is for those who publish and search; `openapi.json` beside this file describes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from windlass_registry.errors import WindlassError
from windlass_registry.hosting.folder import PRIVATE, RegistryFolder
from windlass_registry.index import Index
from windlass_registry.publication import Publication, Refused
from windlass_registry.samples.releases import BuiltinSamples
from windlass_registry.searching import search
from windlass_registry.server.accounts import Accounts, PublisherToken
from windlass_registry.server.contents import PackageContents
from windlass_registry.server.counting import Counting
from windlass_registry.server.files import serve_file
from windlass_registry.server.limits import ServerLimits
from windlass_registry.server.pages import make_pages
from windlass_registry.server.problems import HttpProblem, problem_of, problem_response
from windlass_registry.server.publishing import (
    as_problem,
    check_quota,
    check_token,
    decode_publication,
    decode_root,
)
from windlass_registry.server.rates import Buckets
from windlass_registry.server.shelves import Shelves
from windlass_registry.server.showing import Showing
from windlass_registry.server.uploads import Uploads
from windlass_registry.server.views import package_view

API: Final = "/api/v1"
DESCRIPTION: Final = Path(__file__).with_name("openapi.json")
MOST_FOUND: Final = 100
_RAISED: Final = (HttpProblem, HTTPException, WindlassError, Exception)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryServer:
    """What the application works with. `clock` gives the seconds since 1970."""

    folder: RegistryFolder
    accounts: Accounts
    clock: Callable[[], float]
    actions: Index = field(default_factory=lambda: Index({}))
    samples: BuiltinSamples | None = None
    """What comes with Windlass, for the pages."""
    limits: ServerLimits = field(default_factory=ServerLimits)
    url: str | None = None
    """How others reach it, for the lines that people copy; None: as they called it."""


def make_registry(server: RegistryServer) -> Starlette:
    """The application. Its paths are relative to where it is mounted."""
    part = _Application(server)
    files = [
        Route(f"/{folder}/{{path:path}}", part.file, methods=["GET"])
        for folder in ("metadata", "packages", "statements")
    ]
    routes = [
        *files,
        Route("/index.json", part.file, methods=["GET"]),
        Route(f"{API}/openapi.json", part.describe, methods=["GET"]),
        Route(f"{API}/packages", part.find, methods=["GET"]),
        Route(f"{API}/packages/{{name:path}}", part.package, methods=["GET"]),
        Route(f"{API}/uploads/{{digest}}", part.upload, methods=["PUT"]),
        Route(f"{API}/publications", part.publish, methods=["POST"]),
        Route(f"{API}/root", part.change_root, methods=["POST"]),
        Route(f"{API}/token", part.token, methods=["GET"]),
        *make_pages(part.showing, url=server.url, count=part.count_read),
    ]
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys(_RAISED, _answer_problem))
    app.router.redirect_slashes = False
    return app


class _Application:
    """The endpoints. One for each server; its state is how often each caller called."""

    def __init__(self, server: RegistryServer) -> None:
        limits = server.limits
        self._server = server
        self._shelves = Shelves(server.folder)
        self._counting = Counting(server.accounts, server.clock)
        self.showing = Showing(
            self._shelves,
            PackageContents(server.folder),
            self._counting,
            actions=server.actions,
            samples=server.samples,
        )
        self._uploads = Uploads(
            server.folder.folder / PRIVATE / "uploads",
            largest_bytes=limits.archive_bytes,
            most_bytes=limits.uploads_bytes,
            kept_s=limits.upload_kept_s,
        )
        self._reads = Buckets(server.clock, per_s=limits.reads_per_s, at_once=limits.reads_at_once)
        self._writes = Buckets(server.clock, per_s=limits.writes_per_s, at_once=limits.writes_at_once)

    async def file(self, request: Request) -> Response:
        """A file of the registry."""
        self.count_read(request)
        path = request.scope["path"].removeprefix(request.scope.get("root_path", "")).lstrip("/")
        answer = await run_in_threadpool(serve_file, self._server.folder.files, path, request)
        if path.startswith("packages/") and answer.status_code == HTTPStatus.OK and request.method == "GET":
            await run_in_threadpool(self._note_fetch, path, request.query_params.get("for", "run"))
        return answer

    async def describe(self, request: Request) -> Response:
        """The OpenAPI document."""
        self.count_read(request)
        return Response(await run_in_threadpool(DESCRIPTION.read_bytes), media_type="application/json")

    async def find(self, request: Request) -> Response:
        """Search."""
        self.count_read(request)
        asked = request.query_params
        kind = asked.get("kind")
        if kind not in (None, "action", "sample"):
            raise HttpProblem(
                HTTPStatus.BAD_REQUEST, f"'{kind[:80]}' is no kind of package", remedy="action, or sample"
            )
        limit = _limit(asked.get("limit"))
        stock = await run_in_threadpool(self._shelves.now)
        packages = stock.index.packages.values()
        found = await run_in_threadpool(search, packages, asked.get("q", ""), kind=kind)
        return JSONResponse({"count": len(found), "packages": [dict(one) for one in found[:limit]]})

    async def package(self, request: Request) -> Response:
        """One package, with its releases."""
        self.count_read(request)
        name = request.path_params["name"]
        stock = await run_in_threadpool(self._shelves.now)
        releases = stock.releases(name)
        if not releases:
            remedy = f"GET {API}/packages?q= finds what there is"
            raise HttpProblem(HTTPStatus.NOT_FOUND, f"there is no package '{name}'", remedy=remedy)
        counts = await run_in_threadpool(self._counting.of, name)
        return JSONResponse(
            package_view(releases, badge=stock.badges.get(name.partition("/")[0]), counts=counts)
        )

    async def token(self, request: Request) -> Response:
        """What the caller's token is for: to see whether it is right."""
        token = await self._admit(request)
        return JSONResponse(
            {"name": token.name, "namespace": token.namespace, "expires_at": token.expires_at}
        )

    async def upload(self, request: Request) -> Response:
        """Take an archive, for a publication that will name it."""
        await self._admit(request)
        await run_in_threadpool(self._uploads.sweep, now=self._server.clock())
        size = await self._uploads.take(request.path_params["digest"], request.stream())
        return JSONResponse({"size_bytes": size}, HTTPStatus.CREATED)

    async def publish(self, request: Request) -> Response:
        """Take a publication as a whole, or say why not."""
        token = await self._admit(request)
        body = await _read_body(request, at_most=self._server.limits.publication_bytes)
        is_check = request.query_params.get("check") == "true"
        answer = await run_in_threadpool(self._publish, token, body, is_check=is_check)
        return JSONResponse(answer, HTTPStatus.OK if is_check else HTTPStatus.CREATED)

    async def change_root(self, request: Request) -> Response:
        """Take the next root, from the registry's owner."""
        token = await self._admit(request)
        check_token(token, ("root",))
        body = await _read_body(request, at_most=self._server.limits.publication_bytes)
        root, targets = decode_root(body)
        try:
            await run_in_threadpool(self._server.folder.change_root, root, targets=targets)
        except Refused as refused:
            raise as_problem(refused) from refused
        return JSONResponse({"roles": ["root"] if targets is None else ["root", "targets"]})

    def _publish(self, token: PublisherToken, body: bytes, *, is_check: bool) -> dict[str, Any]:
        server = self._server
        roles, digests, statements = decode_publication(body)
        check_token(token, roles)
        archives = {digest: self._uploaded(digest) for digest in digests}
        added_bytes = sum(map(len, archives.values()))
        check_quota(self._shelves.now(), roles, added_bytes, limit_bytes=server.limits.namespace_bytes)
        publication = Publication(roles=roles, archives=archives, statements=statements)
        try:
            (server.folder.check if is_check else server.folder.accept)(publication)
        except Refused as refused:
            raise as_problem(refused) from refused
        for digest in () if is_check else digests:
            self._uploads.forget(digest)
        return {"roles": sorted(roles), "archives": digests}

    def _uploaded(self, digest: str) -> bytes:
        content = self._uploads.read(digest)
        if content is None:
            raise HttpProblem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"the archive {digest} was not sent",
                remedy=f"PUT {API}/uploads/{digest} first",
                why="archive",
            )
        return content

    def _note_fetch(self, path: str, purpose: str) -> None:
        digest = "sha256:" + path.removeprefix("packages/sha256/").removesuffix(".tar").replace("/", "")
        facts = self._shelves.now().by_digest.get(digest)
        if facts is not None:
            self._counting.note(facts, "subscribe" if purpose == "subscribe" else "run")

    async def _admit(self, request: Request) -> PublisherToken:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        accounts, now = self._server.accounts, self._server.clock()
        found = None
        if kind.lower() == "bearer":
            found = await run_in_threadpool(accounts.token_of, text.strip(), at=now)
        if found is None:
            raise HttpProblem(
                HTTPStatus.UNAUTHORIZED,
                "the call shows no token of this registry, or one whose time is over",
                remedy="its owner makes one with 'windlass registry token create'",
                headers={"WWW-Authenticate": 'Bearer realm="windlass-registry"'},
            )
        _count(self._writes, found.id)
        return found

    def count_read(self, request: Request) -> None:
        """One more call by whoever reads. Raises HttpProblem (429)."""
        _count(self._reads, request.client.host if request.client else "")


def _count(buckets: Buckets, key: str) -> None:
    wait_s = buckets.take(key)
    if wait_s:
        raise HttpProblem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too many calls",
            remedy="wait as long as Retry-After says",
            headers={"Retry-After": str(math.ceil(wait_s))},
        )


def _limit(text: str | None) -> int:
    """How many packages are asked for."""
    if text is None:
        return MOST_FOUND
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= MOST_FOUND):
        remedy = f"a whole number from 0 to {MOST_FOUND}"
        raise HttpProblem(HTTPStatus.BAD_REQUEST, f"'{text[:80]}' is no limit", remedy=remedy)
    return int(text)


async def _read_body(request: Request, *, at_most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > at_most:
            raise HttpProblem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a publication may have {at_most:,} bytes", why="size"
            )
        parts.append(chunk)
    return b"".join(parts)


async def _answer_problem(_request: Request, error: Exception) -> Response:
    return problem_response(problem_of(error))
