"""Pictures of samples over HTTP: strangers' bytes on the registry's own origin, for `<img>` alone.

What could make a program of them is taken away once more, although `samples.picture` refuses it: opened by
itself, such a picture is a file to save, and a document without an origin that may run and load nothing.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from windlass_registry.samples.picture import Picture, suffix_of
from windlass_registry.server.shown import ShownRelease

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


_FOR_EVER: Final = "public, max-age=31536000, immutable"


def picture_response(picture: Picture, release: ShownRelease, request: Request) -> Response:
    """The picture of a release; 304 where the caller has it. What was published never changes; what comes
    with Windlass may, with the next one that is installed."""
    kept = "no-cache" if release.published is None else _FOR_EVER
    headers = {**_HEADERS, "Cache-Control": kept, "ETag": f'"{release.digest}"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="picture{suffix_of(picture.name)}"'
    return Response(picture.content, media_type=picture.media_type, headers=headers)
