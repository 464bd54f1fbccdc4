"""Engines that tell afterwards how much memory their containers needed, and how large the images were.

Docker is asked again and again while a container runs, and takes up to a second to answer: what lives for
less is perhaps not seen whole. The process engine's supervisor learns of the largest process from the kernel.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from windlass_runner.engines.base import Container, ContainerExit, ContainerSpec, EngineUnavailable, HostFull
from windlass_runner.engines.docker import DockerEngine
from windlass_runner.engines.docker_connection import DockerConnection, DockerRefusal
from windlass_runner.engines.process import ProcessEngine
from windlass_runner.engines.process_container import PEAK, ProcessContainer

_PERIOD_S: Final = 0.1


class Peaks:
    """The most that was seen so far. Safe to use from several threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._memory_bytes = 0
        self._image_bytes = 0

    @property
    def memory_bytes(self) -> int | None:
        """What one container needed at once; None where that was never seen."""
        return self._memory_bytes or None

    @property
    def image_bytes(self) -> int | None:
        """The largest image; None where there was none."""
        return self._image_bytes or None

    def note(self, *, memory_bytes: int = 0, image_bytes: int = 0) -> None:
        """Something was seen."""
        with self._mutex:
            self._memory_bytes = max(self._memory_bytes, memory_bytes)
            self._image_bytes = max(self._image_bytes, image_bytes)


class MeasuringProcessEngine(ProcessEngine):
    """The process engine, with the largest process of each container noted when it has ended."""

    def __init__(self, state_dir: Path, *, peaks: Peaks) -> None:
        super().__init__(state_dir)
        self._peaks = peaks

    def create(self, spec: ContainerSpec) -> Container:
        super().create(spec)
        return _MeasuredProcess(self._container_folder(spec.name), peaks=self._peaks)


class _MeasuredProcess(ProcessContainer):
    def __init__(self, folder: Path, *, peaks: Peaks) -> None:
        super().__init__(folder)
        self._peaks = peaks

    def wait(self) -> ContainerExit:
        found = super().wait()
        with suppress(OSError, ValueError):  # nobody wrote it down: its supervisor was killed
            self._peaks.note(memory_bytes=int((self._folder / PEAK).read_text()))
        return found


class MeasuringDockerEngine(DockerEngine):
    """The Docker engine, with a thread beside each container that asks what it uses."""

    def __init__(self, *, environment: Mapping[str, str], peaks: Peaks) -> None:
        super().__init__(environment=environment)
        self._peaks = peaks
        self._closing = threading.Event()
        self._watching: list[threading.Thread] = []

    def create(self, spec: ContainerSpec) -> Container:
        made = super().create(spec)
        watch = threading.Thread(
            target=self._watch, args=(spec.name, spec.image), name=f"measure-{spec.name}", daemon=True
        )
        watch.start()
        self._watching.append(watch)
        return made

    def close(self) -> None:
        self._closing.set()
        for watch in self._watching:
            watch.join()
        super().close()

    def _watch(self, name: str, image: str) -> None:
        """Until the container is gone, or nobody answers any more."""
        with suppress(DockerRefusal, EngineUnavailable, HostFull):
            self._peaks.note(image_bytes=_image_bytes(self._connection, image))
            while True:
                stats = self._connection.call(
                    "GET", f"/containers/{name}/stats", query={"stream": 0, "one-shot": 1}
                )
                self._peaks.note(memory_bytes=memory_needed(stats or {}))
                if self._closing.wait(_PERIOD_S):
                    return


def memory_needed(stats: Mapping[str, Any]) -> int:
    """The most so far where the kernel tells it (cgroups of version 1), else what `docker stats` shows: both
    without the files that the kernel only keeps for later."""
    memory: Mapping[str, Any] = stats.get("memory_stats") or {}
    inner: Mapping[str, Any] = memory.get("stats") or {}
    idle = inner.get("total_inactive_file", inner.get("inactive_file", 0))
    most = int(memory.get("max_usage") or 0) - int(inner.get("total_cache", inner.get("cache", 0)))
    return max(0, most, int(memory.get("usage") or 0) - int(idle))


def _image_bytes(connection: DockerConnection, image: str) -> int:
    found = connection.call("GET", f"/images/{image}/json")
    return int(found.get("Size") or 0)
