"""What runs containers for us: the contract that `docker`, `process` and the fake all keep.

An engine works on one host. It knows containers, not jobs: `run` decides what to start, when, and
what an exit means. Its objects may be used from several threads; one container belongs to one
thread at a time, except `stop`, which may come from any thread at any moment.

Everything made here can be found again by whoever comes next: a container's name is derived from
run, job and attempt, and everything carries the label ``windlass.run``. So every call that makes
something is idempotent, and after a crash the same calls are simply made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from windlass_registry.errors import OperatorError

NO_PROGRAM: Final = 127
"""How a container ends whose image has no such program."""
ContainerState = Literal["created", "running", "ended"]


class EngineUnavailable(OperatorError):
    """The engine does not answer (not started, no permission, wrong address)."""


class ImageUnavailable(OperatorError):
    """An image is neither here nor to be had."""

    def __init__(self, image: str, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(f"image '{image}' is not available: {reason}", remedy=remedy)
        self.image = image
        self.reason = reason


class ImageNotBuilt(OperatorError):
    """An image could not be made from its Dockerfile. What the build said is in the job's log."""

    def __init__(self, what: str, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(f"the image of {what} could not be built: {reason}", remedy=remedy)
        self.what = what
        self.reason = reason


class HostFull(OperatorError):
    """No space (or no inodes) left on the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A host folder or file that a container sees at `target`. The source exists before `create`."""

    source: Path
    target: str
    is_read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one container; None: the engine's default."""

    cpus: float | None = None
    memory_bytes: int | None = None
    shm_bytes: int | None = None
    gpu_ids: tuple[str, ...] = ()
    """Device ids, never a count: Docker counts, it does not allocate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """When a service counts as ready. `command` runs by the shell inside it."""

    command: str
    interval_s: float = 2.0
    timeout_s: float = 5.0
    retries: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A network sandbox of a run, used by one job at a time and then by the next.

    A private lane has a network of its own (for jobs with services); the others share the run's.
    """

    name: str
    is_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One container, completely: the same spec always gives the same container."""

    name: str
    run_id: str
    lane: Lane
    image: str
    entrypoint: tuple[str, ...] | None = None
    """None: the image's own. `()` clears it."""
    command: tuple[str, ...] | None = None
    """None: the image's own."""
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    workdir: str | None = None
    limits: Limits = Limits()
    labels: Mapping[str, str] = field(default_factory=dict)
    service_alias: str | None = None
    """Set for services: it gets an address of its own in its (private) lane's network, under this name."""
    health: HealthCheck | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerExit:
    """How a container ended. A non-zero code is a result, not an error."""

    code: int
    oom_killed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What an engine says of itself, for `doctor` and for reports."""

    name: str
    version: str
    isolation: Literal["container", "none"]
    cpus: int
    memory_bytes: int
    notes: tuple[str, ...] = ()
    """Sentences that a person should see once, e.g. that nothing is isolated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """An image as it lies on the host."""

    reference: str
    digest: str
    """The repository digest (`name@sha256:…`) where there is one, else the image's id: a container made
    from it runs this very image. Empty where the engine has no images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBuild:
    """An image that is made on the host, once: its name is that of what it is made from."""

    reference: str
    what: str
    """Whose image it is, for people."""
    context: Path
    """The folder that the build sees."""
    dockerfile: str
    """Relative to it."""
    recipe: str | None = None
    """The text to take in place of that file's."""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """How far a pull is, in the layers known so far; `total_bytes` grows while it begins."""

    done_bytes: int = 0
    total_bytes: int = 0


class Container(Protocol):
    """One container (or process group). Made by `Engine.create`."""

    @property
    def name(self) -> str: ...

    @property
    def image(self) -> str:
        """What its spec named when it was made, also for one that was found."""
        ...

    def state(self) -> ContainerState:
        """Where it stands now. Raises `EngineUnavailable`."""
        ...

    def start(self) -> None:
        """Start it; does nothing where it runs or has ended.

        Raises:
            OperatorError: the engine cannot start it (no such device, mount source gone, disk full).
            CommandNotStartable: the image has no such program.
        """
        ...

    def logs(self) -> Iterator[bytes]:
        """Everything it has written and will write, from the first byte, stdout and stderr in one
        stream in the order of arrival; ends when it ends. Chunks are cut anywhere. May be called
        again (by whoever comes next) and then gives the same bytes."""
        ...

    def wait(self) -> ContainerExit:
        """Block until it has ended. Idempotent."""
        ...

    def wait_healthy(self, *, timeout_s: float) -> bool:
        """Block until its health check passes (or, without one, until it runs). False: it did not."""
        ...

    def stop(self, *, grace_s: float) -> None:
        """SIGTERM, then SIGKILL after `grace_s` seconds. Idempotent; from any thread."""
        ...

    def remove(self, *, wait: bool = False) -> None:
        """Remove it, running or not, with its anonymous volumes. Idempotent. May work behind: the
        container is gone at the latest when `Engine.destroy` returns; with `wait`, and its name free
        again, when this returns."""
        ...


class CommandNotStartable(OperatorError):
    """The container exists, but its command cannot be executed in that image."""


class Engine(Protocol):
    """Runs containers on one host. Safe to use from several threads."""

    @property
    def name(self) -> str: ...

    def facts(self) -> EngineFacts:
        """Ask the engine who it is. Raises `EngineUnavailable`."""
        ...

    def fetch_image(
        self, reference: str, *, on_pull: Callable[[PullProgress], None] = lambda _progress: None
    ) -> ImageFacts:
        """Make sure the image is here, pulling it where it is not. One call of the engine when it is.

        `on_pull` hears of a pull: at once, and then several times a second. What it raises ends the waiting;
        the engine goes on with the pull, for whoever wants the image next.

        Raises:
            ImageUnavailable: not here, and not to be had.
        """
        ...

    def find_image(self, reference: str) -> ImageFacts | None:
        """The image that lies on the host under that name; None: none does. Fetches nothing. One call.

        Raises:
            ImageUnavailable: the name is none.
            EngineUnavailable
        """
        ...

    def build_image(self, build: ImageBuild, *, on_line: Callable[[str | None], None]) -> ImageFacts:
        """Make sure that the image is here, building it where it is not; once for all that want it.

        `on_line` hears each line of the build, and None several times a second while it goes on. What it
        raises ends the waiting; a build that nobody waits for any more ends with its next line.

        Raises:
            ImageNotBuilt, EngineUnavailable, HostFull
        """
        ...

    def open_lane(self, run_id: str, lane: Lane) -> None:
        """Make a lane's network sandbox ahead of the first container in it. `create` does it
        otherwise. Idempotent."""
        ...

    def create(self, spec: ContainerSpec) -> Container:
        """Make the container, or find the one of that name (made by an earlier life of the daemon).

        Raises:
            ImageUnavailable, EngineUnavailable, HostFull, OperatorError
        """
        ...

    def find(self, name: str) -> Container | None:
        """The container of that name, if it exists."""
        ...

    def serve_on(self, wanted: int) -> tuple[str, int]:
        """The IP address and the port on which a container is to serve. Any address and `wanted`, where its
        lane has addresses of its own; else the host's loopback, and a port that is free now."""
        ...

    def address_of(self, run_id: str, lane: Lane) -> str:
        """The IP address at which this host reaches what containers of that lane serve. Opens the lane.

        Raises:
            EngineUnavailable, OperatorError
        """
        ...

    def close_lane(self, run_id: str, lane: Lane) -> None:
        """Remove a lane with its network and its services. Idempotent."""
        ...

    def destroy(self, run_id: str) -> None:
        """Remove everything of that run: containers, lanes, networks. May be called twice, or for
        a run of which nothing is left. Blocks until it is gone."""
        ...

    def present_runs(self) -> frozenset[str]:
        """Ids of the runs of which anything is left on this host (by label)."""
        ...

    def reclaim(self, paths: Sequence[Path], *, image: str) -> None:
        """Give files that containers made under these folders to the user we run as (or, where we
        are root, to the owner of each folder), so that they can be read and deleted. `image` is one
        that may be used to do it."""
        ...

    def close(self) -> None:
        """Let go of connections and threads; containers run on."""
        ...
