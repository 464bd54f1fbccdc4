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
        root = storage.attempt_scratch(run_id, job_key, attempt)
        return cls(
            root=root,
            checkpoint=root.parent / "checkpoint",
            workspace=root / "workspace",
            outputs=root / "outputs",
            control=root / "control",
        )

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

    def make(self, spec: JobSpec) -> None:
        """Make what is missing. Anybody in a container may write there, whatever its user; and after a
        crash somebody has."""
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in (self.workspace, self.outputs, self.checkpoint):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        self.control.mkdir(exist_ok=True)
        control, outputs = SharedFolder(self.control), SharedFolder(self.outputs)
        control.make_folder("", [self.metrics.name])
        control.make_folder("steps")
        control.make_folder("temp")
        if spec.has_cache:
            control.make_folder(self.cache_new.name)
        control.make_folder("tools")
        for output in spec.outputs:
            if output.type in _MADE_AHEAD:
                outputs.make_folder(output.name)

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


def action_path(digest: str) -> str:
    """Where a container sees the package of that digest."""
    return f"{ACTIONS}/{digest.removeprefix('sha256:')[:16]}"
