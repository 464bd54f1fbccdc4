"""Runs jobs as plain processes, where there is no Docker: the same contract, and no isolation.

A job sees the host's own files and programs; `image` says nothing here. Where the kernel lets us
(root, or unprivileged user namespaces), it gets a root of its own in which mounts stand at their
places, and a process namespace, so that nothing of it survives. See `process_supervisor`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from windlass_registry.errors import OperatorError
from windlass_runner.engines import ownership
from windlass_runner.engines.base import (
    Container,
    ContainerSpec,
    EngineFacts,
    EngineUnavailable,
    HostFull,
    ImageBuild,
    ImageFacts,
    ImageNotBuilt,
    Lane,
    PullProgress,
)
from windlass_runner.engines.process_container import MARK, ProcessContainer, launch_supervisor

Isolation = Literal["root", "user", "none"]
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOOPBACK = "127.0.0.1"
_NOT_ISOLATED = "The process engine isolates nothing: jobs see this host's files and network."
_NO_LIMITS = "The process engine does not enforce limits of CPU and memory."
_NO_NAMESPACES = (
    "This host allows no namespaces: jobs run in the folder behind their workdir, paths such as "
    "/workspace do not exist, and only arguments and environment are rewritten to the folders behind them."
)


class ProcessEngine:
    """See `base.Engine`. All state lies in `state_dir`; whoever opens it next goes on with it."""

    name = "process"

    def __init__(self, state_dir: Path, *, isolation: Isolation | None = None) -> None:
        """`isolation`: None finds out what the kernel allows; 'none' does without."""
        self._folder = state_dir.absolute()
        self._isolation = isolation
        self._probing = threading.Lock()

    def facts(self) -> EngineFacts:
        notes = (_NOT_ISOLATED, _NO_LIMITS)
        return EngineFacts(
            name=self.name,
            version=platform.python_version(),
            isolation="none",
            cpus=len(os.sched_getaffinity(0)),
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            notes=(*notes, _NO_NAMESPACES) if self._kind() == "none" else notes,
        )

    def fetch_image(
        self, reference: str, *, on_pull: Callable[[PullProgress], None] = lambda _progress: None
    ) -> ImageFacts:
        return ImageFacts(reference=reference, digest="")

    def find_image(self, reference: str) -> ImageFacts | None:
        return ImageFacts(reference=reference, digest="")

    def build_image(self, build: ImageBuild, *, on_line: Callable[[str | None], None]) -> ImageFacts:
        raise ImageNotBuilt(
            build.what, "the process engine has no images", remedy="use the docker engine (--engine docker)"
        )

    def open_lane(self, run_id: str, lane: Lane) -> None:
        """Nothing to make: all share the host's network."""

    def create(self, spec: ContainerSpec) -> Container:
        _refuse_what_needs_docker(spec)
        folder = self._container_folder(spec.name)
        if not folder.exists():
            self._make(folder, spec)
        owner = _identity(folder)
        if owner.get("run") != spec.run_id:
            raise OperatorError(
                f"a container named '{spec.name}' exists and is not of run {spec.run_id}",
                remedy=f"remove {folder}",
            )
        return ProcessContainer(folder)

    def find(self, name: str) -> Container | None:
        folder = self._container_folder(name)
        return ProcessContainer(folder) if folder.exists() else None

    def serve_on(self, wanted: int) -> tuple[str, int]:
        """Between this and the app's own start somebody else could take it; it would say so and end."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((_LOOPBACK, 0))
            return _LOOPBACK, int(probe.getsockname()[1])

    def address_of(self, run_id: str, lane: Lane) -> str:
        return _LOOPBACK

    def close_lane(self, run_id: str, lane: Lane) -> None:
        """Nothing to remove: lanes have nothing here, and there are no services."""

    def destroy(self, run_id: str) -> None:
        for folder in self._folders():
            if _identity(folder).get("run") == run_id:
                ProcessContainer(folder).remove()

    def present_runs(self) -> frozenset[str]:
        return frozenset(str(run) for folder in self._folders() if (run := _identity(folder).get("run")))

    def reclaim(self, paths: Sequence[Path], *, image: str) -> None:
        """Only as root can a job have made files of somebody else's."""
        if os.geteuid() == 0:
            for path in paths:
                if path.exists():
                    ownership.give_back(path)

    def close(self) -> None:
        """Nothing to let go of."""

    def _make(self, folder: Path, spec: ContainerSpec) -> None:
        """Write everything down beside, then show it at once."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
            for part in ("home", "tmp", "root"):
                (draft / part).mkdir()
            (draft / "identity.json").write_text(json.dumps({"run": spec.run_id, "name": spec.name}))
            launch = draft / "launch.json"
            launch.touch(mode=0o600)
            launch.write_text(json.dumps(self._launch(folder, spec)))
        except OSError as exc:
            raise _cannot_make(spec.name, exc) from exc
        try:
            draft.rename(folder)
        except OSError:  # another thread was faster
            shutil.rmtree(draft)

    def _launch(self, folder: Path, spec: ContainerSpec) -> dict[str, Any]:
        kind = self._kind()
        if kind == "none":
            spec = without_targets(spec)
        return {
            "folder": str(folder),
            "argv": [*(spec.entrypoint or ()), *(spec.command or ())],
            "env": {**_environment(folder, spec), **spec.env, MARK: str(folder)},
            "workdir": spec.workdir or str(folder / "home"),
            "mounts": [(str(m.source.absolute()), m.target, m.is_read_only) for m in spec.mounts],
            "isolation": kind,
        }

    def _kind(self) -> Isolation:
        """What the kernel allows, tried once."""
        with self._probing:
            if self._isolation is None:
                self._isolation = "root" if os.geteuid() == 0 else "user"
                if not self._can_isolate(self._isolation):
                    self._isolation = "none"
            return self._isolation

    def _can_isolate(self, isolation: Isolation) -> bool:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".try-", dir=self._folder) as folder:
                (Path(folder) / "root").mkdir()
                launch = {"folder": folder, "argv": [], "env": {}, "workdir": "/", "mounts": []}
                return launch_supervisor({**launch, "isolation": isolation}) == "ok"
        except OSError as exc:
            raise EngineUnavailable(
                f"{self._folder} cannot be written: {exc.strerror}",
                remedy="free space there, or the right to",
            ) from exc

    def _container_folder(self, name: str) -> Path:
        if "/" in name or name.startswith("."):
            raise OperatorError(f"'{name}' cannot be the name of a container")
        return self._folder / name

    def _folders(self) -> Iterator[Path]:
        if self._folder.exists():
            yield from (path for path in self._folder.iterdir() if not path.name.startswith("."))


def without_targets(spec: ContainerSpec) -> ContainerSpec:
    """The same job where nothing can be mounted: words, values and workdir that are or begin with a
    mount's target name the folder behind it."""
    mounts = sorted(spec.mounts, key=lambda mount: -len(mount.target))

    def translated(text: str) -> str:
        for mount in mounts:
            if text == mount.target or text.startswith(mount.target + "/"):
                return str(mount.source.absolute()) + text[len(mount.target) :]
        return text

    return replace(
        spec,
        entrypoint=tuple(map(translated, spec.entrypoint or ())),
        command=tuple(map(translated, spec.command or ())),
        env={name: translated(value) for name, value in spec.env.items()},
        workdir=translated(spec.workdir) if spec.workdir else None,
        mounts=(),
    )


def _environment(folder: Path, spec: ContainerSpec) -> dict[str, str]:
    """A clean one: nothing of the daemon's own reaches a job."""
    env = {
        "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
    }
    if spec.limits.gpu_ids:
        env["CUDA_VISIBLE_DEVICES"] = env["NVIDIA_VISIBLE_DEVICES"] = ",".join(spec.limits.gpu_ids)
    return env


def _refuse_what_needs_docker(spec: ContainerSpec) -> None:
    if spec.service_alias is not None:
        raise OperatorError(
            f"service '{spec.service_alias}' cannot run: the process engine has no services",
            remedy="use the docker engine for workflows with `services`",
        )
    if not (*(spec.entrypoint or ()), *(spec.command or ())):
        raise OperatorError(
            f"'{spec.image}' names no command, and the process engine has no images that would",
            remedy="write a `command`, or use the docker engine",
        )


def _identity(folder: Path) -> dict[str, Any]:
    try:
        identity: dict[str, Any] = json.loads((folder / "identity.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return identity


def _cannot_make(name: str, exc: OSError) -> OperatorError:
    if exc.errno in (28, 122):  # ENOSPC, EDQUOT
        return HostFull(f"'{name}' cannot be made: {exc.strerror}", remedy="free some space")
    return OperatorError(f"'{name}' cannot be made: {exc}")
