"""What jobs put out, for those who have a link to it: a file as it is, a folder as a tar archive."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from windlass_runner.data.trees import open_plain, walk
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.storage import Storage
from windlass_runner.web.link_gate import SAFE_HEADERS, Shown, behind_link, told
from windlass_runner.web.links import LINKED_TYPES

_CHUNK_BYTES: Final = 256 * 1024


def make_artifacts(shown: Shown) -> Route:
    """`/artifacts/<run>/<job>/<name>` as a part of an application."""

    def answer(request: Request, ledger: Ledger) -> Response:
        run, key, name = (request.path_params[word] for word in ("run", "job", "name"))
        outputs = next((job.outputs for job in ledger.runs.jobs(run) if job.key == key), {})
        found = outputs.get(name)
        if not isinstance(found, Mapping) or found.get("type") not in LINKED_TYPES:
            return _gone()
        place = _kept_at(found, shown.storage) or shown.storage.outputs(run, key) / name
        return _send(place, method=request.method)

    return Route("/artifacts/{run}/{job:path}/{name}", behind_link(shown, answer), methods=["GET"])


def _kept_at(output: Mapping[str, Any], storage: Storage) -> Path | None:
    """Where it lies: with an earlier run, where the job was not run again."""
    path = Path(str(output.get("path", "")))
    return path if storage.runs in path.parents and ".." not in path.parts else None


def _send(place: Path, *, method: str) -> Response:
    """A link where the output was is none that was taken over from a job: it is not followed."""
    if place.is_symlink() or not (place.is_dir() or place.is_file()):
        return _gone()
    if place.is_file():
        kind = "application/octet-stream"
        return FileResponse(place, media_type=kind, filename=place.name, headers=SAFE_HEADERS)
    headers = {
        **SAFE_HEADERS,
        "Content-Disposition": f"attachment; filename*=utf-8''{quote(place.name)}.tar",
        "Content-Type": "application/x-tar",
    }
    return (
        Response(headers=headers) if method == "HEAD" else StreamingResponse(tar_of(place), headers=headers)
    )


def _gone() -> Response:
    return told(HTTPStatus.GONE, "It was here, and has been removed.")


def tar_of(folder: Path) -> Iterator[bytes]:
    """A folder under its own name as a tar archive (pax), piece by piece. Links stay links."""
    yield _header(folder, folder.name)
    for path, entry in walk(folder):
        yield _header(Path(entry.path), f"{folder.name}/{path}")
        if entry.is_file(follow_symlinks=False):
            yield from _content(Path(entry.path))
    yield bytes(2 * tarfile.BLOCKSIZE)


def _header(place: Path, name: str) -> bytes:
    """Of no owner, and to be changed by whoever unpacks it, though it is read-only here."""
    status = place.lstat()
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(status.st_mode) | stat.S_IWUSR
    info.mtime = int(status.st_mtime)
    if stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(place.readlink())
    else:
        info.size = status.st_size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _content(place: Path) -> Iterator[bytes]:
    """The bytes of a file, filled up to whole blocks. Nobody writes to it any more."""
    found = open_plain(place)
    if found is None:
        raise OSError(f"{place} has become something else")
    descriptor, size = found
    with os.fdopen(descriptor, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
    yield bytes(-size % tarfile.BLOCKSIZE)
