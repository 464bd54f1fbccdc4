"""What the steps of a job carry over to those that follow: outputs, variables, search paths, states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from windlass_runner.run.step_host import StepFiles


@dataclass(slots=True)
class Carried:
    """All of it so far. The last of a name counts."""

    said: dict[str, str] = field(default_factory=dict)
    """Everything that any step put out."""
    env: dict[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    _states: dict[str, dict[str, str]] = field(default_factory=dict)
    """What an action's stages have left for its later ones, by its path."""

    def take(self, files: StepFiles, *, action: str) -> None:
        """Take over what one command has left. `action`: the path of the step that it is for."""
        self.said.update(files.outputs)
        self.env.update(files.env)
        self.path = (*files.path, *self.path)
        self._states.setdefault(action, {}).update(files.state)

    def state_variables(self, action: str) -> Mapping[str, str]:
        """What the action's later stages see of its state, as variables."""
        return {f"STATE_{name}": value for name, value in self._states.get(action, {}).items()}
