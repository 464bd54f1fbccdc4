"""Files of a registry over HTTP, with what lets browsers and mirrors ask for them cheaply."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from windlass_registry.server.problems import HttpProblem

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_CHANGING: Final = ("metadata/timestamp.json", "index.json")
"""All other names hold a version or a digest: what they name never changes."""


def serve_file(folder: Path, path: str, request: Request) -> Response:
    """The file of a path below the folder; 304 where the caller has it already.

    Raises:
        HttpProblem: 404, also for what lies elsewhere or is none of the registry's files.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.startswith(".") for part in parts) or "\0" in path:
        raise _missing(path)
    place = folder.joinpath(*parts)
    try:
        found = place.stat()
    except OSError as error:
        raise _missing(path) from error
    if not place.is_file() or place.is_symlink():
        raise _missing(path)
    tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    headers = {
        "Cache-Control": _ASK_AGAIN if path in _CHANGING else _FOR_EVER,
        "ETag": tag,
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Allow-Origin": "*",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    kind = "application/json" if path.endswith(".json") else "application/x-tar"
    return FileResponse(place, headers=headers, media_type=kind, stat_result=found)


def _missing(path: str) -> HttpProblem:
    return HttpProblem(HTTPStatus.NOT_FOUND, f"the registry has no file '{path[:200]}'")
