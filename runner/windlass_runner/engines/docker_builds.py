"""Images that a Docker engine makes from a package's folder, each once for all that want it."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from windlass_runner.engines.base import EngineUnavailable, HostFull, ImageBuild, ImageNotBuilt
from windlass_runner.engines.docker_connection import DockerConnection, DockerRefusal

_LISTEN_S: Final = 0.25
"""How often who waits for a build hears of it, and may give up."""
_NOT_TO_BE_HAD: Final = (
    *("no such host", "dial tcp", "connection refused", "i/o timeout"),
    *("pull access denied", "manifest unknown"),
)


@dataclass(slots=True)
class _Building:
    """A build that goes on, in a thread of its own."""

    lines: list[str] = field(default_factory=list)
    error: Exception | None = None
    listeners: int = 0
    has_ended: threading.Event = field(default_factory=threading.Event)


class DockerBuilds:
    """Safe to use from several threads."""

    def __init__(self, connection: DockerConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._going: dict[str, _Building] = {}

    def build(self, build: ImageBuild, *, on_line: Callable[[str | None], None]) -> None:
        """Have it built, and wait for that with everybody else who does. See `Engine.build_image`."""
        with self._lock:
            going = self._going.get(build.reference)
            if going is None:
                going = self._going[build.reference] = _Building()
                words = (build, going)
                threading.Thread(target=self._carry_out, args=words, name="build", daemon=True).start()
            going.listeners += 1
        try:
            _listen(going, on_line)
        finally:
            with self._lock:
                going.listeners -= 1
        if going.error is not None:
            raise going.error

    def _carry_out(self, build: ImageBuild, going: _Building) -> None:
        try:
            self._build(build, going)
        except Exception as error:
            going.error = error
        finally:
            with self._lock:
                if self._going.get(build.reference) is going:
                    del self._going[build.reference]
            going.has_ended.set()

    def _is_abandoned(self, build: ImageBuild, going: _Building) -> bool:
        """Whether nobody waits for it any more; then nobody can begin to, either."""
        with self._lock:
            if going.listeners:
                return False
            del self._going[build.reference]
            return True

    def _build(self, build: ImageBuild, going: _Building) -> None:
        try:
            messages = self._connection.build(
                context_archive(build.context, dockerfile=build.dockerfile, recipe=build.recipe),
                dockerfile=build.dockerfile,
                tag=build.reference,
                labels=build.labels,
            )
            for message in messages:
                if "error" in message:
                    raise _not_built(build, str(message["error"]))
                going.lines.extend(_lines(message))
                if self._is_abandoned(build, going):
                    return  # the engine ends the build when its connection does
        except DockerRefusal as exc:
            raise _not_built(build, exc.message) from exc
        except EngineUnavailable as exc:
            self._connection.call("GET", "/_ping")  # still there: then it was the build that broke
            raise _not_built(build, exc.message) from exc


def _listen(going: _Building, on_line: Callable[[str | None], None]) -> None:
    """Hear the build from its first line to its end."""
    told = 0
    while True:
        has_ended = going.has_ended.wait(_LISTEN_S)
        lines = going.lines[told:]
        told += len(lines)
        for line in lines:
            on_line(line)
        if has_ended:
            return
        on_line(None)


def _lines(message: Mapping[str, Any]) -> Iterator[str]:
    """What people read of a step of a build: not the layers of a pull, which come by the hundred."""
    text = str(message.get("stream") or "")
    if not text and "id" not in message:
        text = str(message.get("status") or "")
    yield from (line.rstrip() for line in text.split("\n") if line.strip())


def _not_built(build: ImageBuild, message: str) -> Exception:
    if "no space left on device" in message:
        return HostFull(f"the host's disk is full: {message}", remedy="free some, e.g. `docker system prune`")
    if any(sign in message for sign in _NOT_TO_BE_HAD):
        remedy = "bring the image behind FROM to this host with `docker load`, or check network and login"
    else:
        remedy = f"mend {build.dockerfile}; what the build said stands above"
    return ImageNotBuilt(build.what, message.strip(), remedy=remedy)


def context_archive(folder: Path, *, dockerfile: str, recipe: str | None = None) -> bytes:
    """What a build sees, without what `.dockerignore` names; `recipe` in place of the Dockerfile. The same
    folder gives the same bytes, whoever owns it and whenever it was written: so that layers are taken from
    the engine's cache."""
    from docker.utils.build import exclude_paths

    ignore = folder / ".dockerignore"
    patterns = ignore.read_text(encoding="utf-8", errors="replace").splitlines() if ignore.is_file() else []
    wanted = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in sorted(exclude_paths(str(folder), wanted, dockerfile=dockerfile)):
            _add(archive, folder / name, name, recipe if name == dockerfile else None)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, path: Path, name: str, instead: str | None) -> None:
    entry = tarfile.TarInfo(name)
    if path.is_symlink() and instead is None:
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
        archive.addfile(entry)
    elif path.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    else:
        content = path.read_bytes() if instead is None else instead.encode()
        entry.size, entry.mode = len(content), 0o755 if path.stat().st_mode & 0o100 else 0o644
        archive.addfile(entry, io.BytesIO(content))
