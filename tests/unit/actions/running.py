"""Runs an action's `main.py` as the runner does: python3, inputs and folders in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from windlass_registry.sources.builtin import builtin_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the action ended."""

    code: int
    log: str
    outputs: dict[str, str]

    @property
    def error(self) -> str:
        """The text of the error annotation."""
        lines = [line for line in self.log.splitlines() if line.startswith("::error::")]
        return lines[-1].removeprefix("::error::") if lines else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The folders of one job."""

    root: Path
    python: str = sys.executable
    """The image's."""

    @classmethod
    def make(cls, root: Path) -> Job:
        for name in ("workspace", "inputs", "outputs", "temp", "home"):
            (root / name).mkdir()
        return cls(root=root)

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def inputs(self) -> Path:
        return self.root / "inputs"

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    def environment(self, inputs: dict[str, str], variables: dict[str, str] | None = None) -> dict[str, str]:
        """What the action sees."""
        (self.root / "output").write_text("")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "RUNNER_TEMP": str(self.root / "temp"),
            "WINDLASS_WORKSPACE": str(self.workspace),
            "WINDLASS_INPUTS": str(self.inputs),
            "WINDLASS_OUTPUTS": str(self.outputs),
            "GITHUB_OUTPUT": str(self.root / "output"),
            **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
            **(variables or {}),
        }

    def command(self, action: str) -> list[str]:
        """What is started."""
        return [self.python, str(builtin_folder() / action / "main.py")]

    def run(self, action: str, variables: dict[str, str] | None = None, **inputs: str) -> Ended:
        """Run the action to its end. Names of inputs have `_` for `-` here."""
        spelt = {name.replace("_", "-"): value for name, value in inputs.items()}
        done = subprocess.run(
            self.command(action),
            cwd=self.workspace,
            env=self.environment(spelt, variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        lines = (self.root / "output").read_text().splitlines()
        outputs = dict(line.partition("=")[::2] for line in lines)
        assert list((self.root / "temp").iterdir()) == [], "nothing is left in the temporary folder"
        return Ended(code=done.returncode, log=done.stdout, outputs=outputs)
