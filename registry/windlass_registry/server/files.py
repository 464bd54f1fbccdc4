"""Files of a registry over HTTP, with what lets browsers and mirrors ask for them cheaply."""

from __future__ import annotations

import re
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Send

from windlass_registry.errors import WindlassError
from windlass_registry.hosting.public_files import FolderFiles, FoundFile, PublicFiles
from windlass_registry.layout import content_type, may_change
from windlass_registry.server.problems import HttpProblem

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_SPAN: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})\Z")


def serve_file(files: PublicFiles, path: str, request: Request) -> Response:
    """The file of a path; 304 where the caller has it already.

    Raises:
        HttpProblem: 404, also for what lies elsewhere or is none of the registry's files.
        UpstreamError, OperatorError: as `PublicFiles`.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.startswith(".") for part in parts) or "\0" in path:
        raise _missing(path)
    if isinstance(files, FolderFiles):
        return _from_folder(files.folder.joinpath(*parts), path, request)
    return _from_store(files, path, request)


def _from_folder(place: Path, path: str, request: Request) -> Response:
    try:
        found = place.stat()
    except OSError as error:
        raise _missing(path) from error
    if not place.is_file() or place.is_symlink():
        raise _missing(path)
    headers = _headers(path, f'"{found.st_mtime_ns:x}-{found.st_size:x}"')
    if _has_it(request, headers):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return FileResponse(place, headers=headers, media_type=content_type(path), stat_result=found)


def _from_store(files: PublicFiles, path: str, request: Request) -> Response:
    """One call of the store for most; two where the caller asks for more than the file."""
    is_plain = request.method == "GET" and not {"range", "if-none-match"} & set(request.headers)
    found = None if is_plain else files.find(path)
    if not is_plain and found is None:
        raise _missing(path)
    if found is not None:
        headers = {**_headers(path, found.tag), "Accept-Ranges": "bytes"}
        if _has_it(request, headers):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if request.method == "HEAD":
            headers["Content-Length"] = str(found.size_bytes)
            return Response(headers=headers, media_type=content_type(path))
        if (span := _span(request, found)) is not None:
            return _piece(files, path, span, found)
    whole = files.open(path)
    if whole is None:
        raise _missing(path)
    headers = {**_headers(path, whole.tag), "Accept-Ranges": "bytes", "Content-Length": str(whole.size_bytes)}
    return _Passed(whole.chunks, headers=headers, media_type=content_type(path))


class _Passed(StreamingResponse):
    """What a store gives, passed on. Where it breaks off for good the answer does too: its reader sees that
    bytes are missing, and asks again."""

    async def stream_response(self, send: Send) -> None:
        """See `StreamingResponse`."""
        with suppress(WindlassError):
            await super().stream_response(send)


def _piece(files: PublicFiles, path: str, span: tuple[int, int], found: FoundFile) -> Response:
    begin, end = span
    headers = {**_headers(path, found.tag), "Accept-Ranges": "bytes"}
    if begin >= end:
        headers["Content-Range"] = f"bytes */{found.size_bytes}"
        return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    piece = files.open(path, begin=begin, end=end)
    if piece is None:
        raise _missing(path)
    headers["Content-Range"] = f"bytes {begin}-{end - 1}/{found.size_bytes}"
    headers["Content-Length"] = str(piece.size_bytes)
    return _Passed(piece.chunks, HTTPStatus.PARTIAL_CONTENT, headers=headers, media_type=content_type(path))


def _span(request: Request, found: FoundFile) -> tuple[int, int] | None:
    """From which byte to before which (RFC 9110, 14.2); None: the whole file, as several spans get it too."""
    match = _SPAN.match(request.headers.get("range", ""))
    if match is None or match[0] == "bytes=-" or request.headers.get("if-range", found.tag) != found.tag:
        return None
    first, last = match[1], match[2]
    if not first:
        return max(0, found.size_bytes - int(last)), found.size_bytes
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, found.size_bytes) if last else found.size_bytes


def _headers(path: str, tag: str) -> dict[str, str]:
    return {
        "Cache-Control": _ASK_AGAIN if may_change(path) else _FOR_EVER,
        "ETag": tag,
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Allow-Origin": "*",
    }


def _has_it(request: Request, headers: dict[str, str]) -> bool:
    return headers["ETag"] in request.headers.get("if-none-match", "")


def _missing(path: str) -> HttpProblem:
    return HttpProblem(HTTPStatus.NOT_FOUND, f"the registry has no file '{path[:200]}'")
