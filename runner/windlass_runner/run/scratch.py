"""The folders of one attempt on the host, and where its containers see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.engines.base import Mount
from windlass_runner.plan.model import JobSpec
from windlass_runner.run.storage import Storage

WORKSPACE: Final = "/workspace"
INPUTS: Final = "/inputs"
OUTPUTS: Final = "/outputs"
CONTROL: Final = "/windlass"
CHECKPOINT: Final = "/checkpoint"
CACHE: Final = "/cache"
CACHE_NEW: Final = f"{CONTROL}/cache"
"""Where a job lays what is to be kept. In the folder of the attempt."""
ACTIONS: Final = "/actions"

TOOLS: Final = f"{CONTROL}/tools"
GITHUB_WORKSPACE: Final = "/github/workspace"
GITHUB_HOME: Final = "/github/home"
GITHUB_WORKFLOW: Final = "/github/workflow"
"""Where GitHub's own docker actions look for the checkout, for a home, and for the event."""

_CONTROL_FOLDERS: Final = ("steps", "temp", "tools")
_MADE_AHEAD: Final = ("volume", "dataset", "model")
"""Output types whose folder a job finds ready, as Gradient's did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFolders:
    """Where one attempt keeps its files. All of it goes when the attempt has been collected,
    except the checkpoint, which lives as long as its job."""

    root: Path
    checkpoint: Path
    workspace: Path
    outputs: Path
    control: Path

    @classmethod
    def of(cls, storage: Storage, run_id: str, job_key: str, attempt: int) -> AttemptFolders:
        """The folders of an attempt, made or not."""
        return cls._at(storage.attempt_scratch(run_id, job_key, attempt))

    @classmethod
    def _at(cls, root: Path) -> AttemptFolders:
        return cls(
            root=root,
            checkpoint=root.parent / "checkpoint",
            workspace=root / "workspace",
            outputs=root / "outputs",
            control=root / "control",
        )

    def draft(self) -> AttemptFolders:
        """Where they are made and filled, to be given their name when they are complete."""
        return self._at(self.root.with_name(f".{self.root.name}.new"))

    @property
    def metrics(self) -> Path:
        return self.control / "metrics.jsonl"

    @property
    def cache_new(self) -> Path:
        """What the job lays there is kept for later runs."""
        return self.control / "cache"

    def step(self, number: int) -> Path:
        """The folder of a step's script and command files."""
        return self.control / f"steps/{number}"

    def make(self, spec: JobSpec, event: str) -> None:
        """Make all of it, where nothing of it is. By plain paths: no container has seen it yet, so nobody
        can have put a link there."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        self.root.mkdir()
        self.control.mkdir()
        inner = (self.control / name for name in self._control_folders(spec))
        ready = (self.outputs / name for name in _made_ahead(spec))
        for folder in (self.workspace, self.outputs, *inner, *ready):
            folder.mkdir()
            folder.chmod(0o777)
        self.checkpoint.mkdir(exist_ok=True)  # an earlier attempt may have left it
        self.checkpoint.chmod(0o777)
        (self.control / "event.json").write_text(event)
        SharedFolder(self.control).make_folder("", [self.metrics.name])

    def _control_folders(self, spec: JobSpec) -> tuple[str, ...]:
        return (*_CONTROL_FOLDERS, self.cache_new.name) if spec.has_cache else _CONTROL_FOLDERS

    def open_up(self, spec: JobSpec) -> None:
        """Let anybody in a container write there, whatever its user. After a crash somebody has, and
        nothing there is to be trusted."""
        for folder in (self.workspace, self.outputs, self.checkpoint):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        control, outputs = SharedFolder(self.control), SharedFolder(self.outputs)
        control.make_folder("", [self.metrics.name])
        for name in self._control_folders(spec):
            control.make_folder(name)
        for name in _made_ahead(spec):
            outputs.make_folder(name)

    def make_github(self, event: str) -> None:
        """What GitHub's actions find beside. It lies where no job can put a link in its place, which the
        engine would follow."""
        workflow, home = self.root / "github/workflow", self.root / "github/home"
        workflow.mkdir(parents=True, exist_ok=True)
        (workflow / "event.json").write_text(event, encoding="utf-8")
        home.mkdir(exist_ok=True)
        home.chmod(0o777)

    def github_mounts(self) -> tuple[Mount, ...]:
        """What `make_github` has made, and the workspace, for the container of one action."""
        return (
            Mount(source=self.workspace, target=GITHUB_WORKSPACE),
            Mount(source=self.root / "github/home", target=GITHUB_HOME),
            Mount(source=self.root / "github/workflow", target=GITHUB_WORKFLOW, is_read_only=True),
        )

    def mounts(
        self, inputs: Mapping[str, Path], actions: Mapping[str, Path], *, cache: Path | None = None
    ) -> tuple[Mount, ...]:
        """What a container of this attempt sees. `actions`: folders of packages by digest. `cache`: what
        earlier runs kept."""
        return (
            Mount(source=self.workspace, target=WORKSPACE),
            Mount(source=self.outputs, target=OUTPUTS),
            Mount(source=self.control, target=CONTROL),
            Mount(source=self.checkpoint, target=CHECKPOINT),
            *((Mount(source=cache, target=CACHE, is_read_only=True),) if cache is not None else ()),
            *(
                Mount(source=path, target=f"{INPUTS}/{name}", is_read_only=True)
                for name, path in inputs.items()
            ),
            *(
                Mount(source=path, target=action_path(digest), is_read_only=True)
                for digest, path in actions.items()
            ),
        )


def _made_ahead(spec: JobSpec) -> tuple[str, ...]:
    return tuple(output.name for output in spec.outputs if output.type in _MADE_AHEAD)


def action_path(digest: str) -> str:
    """Where a container sees the package of that digest."""
    return f"{ACTIONS}/{digest.removeprefix('sha256:')[:16]}"
