"""The registry's pages for people. Every one works without a script; nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from windlass_registry.searching import search
from windlass_registry.server.diff_html import diff_page
from windlass_registry.server.feeds import atom, badge_svg
from windlass_registry.server.gallery_html import found, gallery_page
from windlass_registry.server.layout_html import page
from windlass_registry.server.markup import fill
from windlass_registry.server.package_html import package_page
from windlass_registry.server.pictures import picture_response
from windlass_registry.server.showing import Showing
from windlass_registry.server.shown import ShownGallery, ShownPackage

STATIC: Final = Path(__file__).with_name("static")
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Missing(Exception):
    """There is no such page."""


def make_pages(showing: Showing, *, url: str | None, count: Callable[[Request], None]) -> list[BaseRoute]:
    """The pages. `url` is how others reach the registry; `count` hears of each call, and may refuse it."""
    pages = _Pages(showing, url)

    def route(path: str, make: Callable[[Request], Response]) -> Route:
        async def enter(request: Request) -> Response:
            count(request)
            try:
                return await run_in_threadpool(make, request)
            except Missing:
                return _missing(request)

        return Route(path, enter, methods=["GET"])

    name = "/{namespace}/{name}"
    return [
        Mount("/static", StaticFiles(directory=STATIC)),
        route("/", pages.gallery),
        route("/feed.xml", pages.feed),
        route("/{namespace}", pages.namespace),
        route(f"{name}/feed.xml", pages.package_feed),
        route(f"{name}/badge.svg", pages.badge),
        route(f"{name}/diff/{{old}}...{{new}}", pages.diff),
        route(name, pages.package),
        route(f"{name}/{{version}}", pages.package),
        route(f"{name}/{{version}}/picture", pages.picture),
    ]


class _Pages:
    def __init__(self, showing: Showing, url: str | None) -> None:
        self._showing = showing
        self._url = url

    def gallery(self, request: Request) -> Response:
        """All packages, or those that match `q` and `kind`; with `part` the list alone."""
        asked = request.query_params
        text, kind = asked.get("q", "").strip()[:200], asked.get("kind", "")
        shown = self._found(text, kind if kind in ("action", "sample") else "")
        base = _base(request)
        if "part" in asked:
            return HTMLResponse(found(shown, base=base), headers=HEADERS)
        return HTMLResponse(gallery_page(shown, base=base), headers=HEADERS)

    def namespace(self, request: Request) -> Response:
        """All of one publisher's."""
        name = request.path_params["namespace"]
        shown = self._found("", "")
        mine = tuple(card for card in shown.cards if card.path.startswith(f"/{name}/"))
        if not mine:
            raise Missing
        counts = {
            "": len(mine),
            **{kind: sum(card.kind == kind for card in mine) for kind in ("action", "sample")},
        }
        return HTMLResponse(
            gallery_page(replace(shown, cards=mine, counts=counts), base=_base(request)), headers=HEADERS
        )

    def package(self, request: Request) -> Response:
        """One release of a package; the newest where none is named."""
        shown = self._shown(request, request.path_params.get("version"))
        return HTMLResponse(package_page(shown, base=_base(request)), headers=HEADERS)

    def diff(self, request: Request) -> Response:
        """What changed from one release to another."""
        old = self._shown(request, request.path_params["old"])
        new = self._shown(request, request.path_params["new"])
        text = diff_page(
            new.card.name,
            new.card.path,
            (old.release.version, new.release.version),
            (old.contents.files, new.contents.files),
            base=_base(request),
        )
        return HTMLResponse(text, headers=HEADERS)

    def picture(self, request: Request) -> Response:
        """The picture of a sample's release, for `<img>`."""
        shown = self._shown(request, request.path_params["version"])
        sample = shown.contents.sample
        if sample is None or sample.picture is None:
            raise Missing
        return picture_response(sample.picture, shown.release, request)

    def badge(self, request: Request) -> Response:
        """The newest version as a picture."""
        shown = self._shown(request, None)
        svg = badge_svg(shown.card.name, f"v{shown.release.version}")
        return Response(svg, media_type="image/svg+xml", headers={**HEADERS, "Cache-Control": "max-age=300"})

    def feed(self, request: Request) -> Response:
        """The newest releases of all."""
        return self._feed(request, "Windlass registry", "/", None)

    def package_feed(self, request: Request) -> Response:
        """The newest releases of one package."""
        name = self._name(request)
        return self._feed(request, name, f"/{name}", name)

    def _feed(self, request: Request, title: str, path: str, name: str | None) -> Response:
        releases = self._showing.releases(name)
        if name is not None and not releases:
            raise Missing
        url = self._url or str(request.base_url).rstrip("/")
        return Response(atom(title, releases, url=url, path=path), media_type="application/atom+xml")

    def _found(self, text: str, kind: str) -> ShownGallery:
        entries = self._showing.entries()
        matching = search(entries, text)
        counts = {"": len(matching), **{word: _count(matching, word) for word in ("action", "sample")}}
        listed = [entry for entry in matching if not kind or entry["kind"] == kind]
        return ShownGallery(cards=tuple(map(self._showing.card, listed)), text=text, kind=kind, counts=counts)

    def _shown(self, request: Request, version: str | None) -> ShownPackage:
        found = self._showing.package(self._name(request), version)
        if found is None:
            raise Missing
        return found

    def _name(self, request: Request) -> str:
        return f"{request.path_params['namespace']}/{request.path_params['name']}"


def _count(entries: list[Mapping[str, Any]], kind: str) -> int:
    return sum(entry["kind"] == kind for entry in entries)


def _base(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def _missing(request: Request) -> Response:
    body = fill(
        "<h1>There is nothing here</h1><p>No such package or release."
        ' <a href="{base}/">See what there is.</a></p>',
        base=_base(request),
    )
    text = page("Not found – Windlass registry", body, base=_base(request))
    return HTMLResponse(text, HTTPStatus.NOT_FOUND, headers=HEADERS)
