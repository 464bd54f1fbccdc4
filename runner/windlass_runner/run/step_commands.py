"""A step, its expressions replaced, as the command that a container runs; and the scripts of `run` steps,
which become files. Actions: `action_commands`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.engines.base import ImageBuild, Mount
from windlass_runner.expressions import FunctionHost
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import to_text
from windlass_runner.plan.model import RunStep
from windlass_runner.run.scratch import CONTROL
from windlass_runner.run.step_texts import Bound, image_text

_SHELLS: Final = ("sh", "bash", "dash", "ash", "zsh", "ksh")
_SUFFIXES: Final = {"python": "py", "pwsh": "ps1"}
_PWSH: Final = """\
$ErrorActionPreference = 'stop'
{script}if ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) {{ exit $LASTEXITCODE }}
"""
_ANY_SHELL: Final = 'if command -v bash >/dev/null 2>&1; then exec bash -e "$0"; else exec sh -e "$0"; fi'
_ANY_PYTHON: Final = (
    'if command -v python3 >/dev/null 2>&1; then exec python3 "$@"; '
    'elif command -v python >/dev/null 2>&1; then exec python "$@"; '
    'else echo "this image has no python3; name one that has, with image:" >&2; exit 127; fi'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCommand:
    """What to execute for one step. None: the image's own entrypoint, its own arguments."""

    entrypoint: tuple[str, ...] | None
    arguments: tuple[str, ...] | None
    env: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    """Empty: the job's own."""
    working_directory: str | None = None
    has_own_container: bool = False
    """A docker action never shares a container with other steps."""
    build: ImageBuild | None = None
    """How `image` is made, where it is the action's own."""
    mounts: tuple[Mount, ...] = ()
    """What its container sees beside what all see."""
    surroundings: Mapping[str, str] = field(default_factory=dict)
    """Variables that tell where these are; what the steps say goes over them."""
    remedy: str | None = None
    """What helps where the program is not there."""


def command_of_script(
    step: RunStep, control: SharedFolder, number: int, contexts: Mapping[str, Any], host: FunctionHost
) -> StepCommand:
    """Write the script and say how to run it."""
    shell = to_text(evaluate_template(step.shell or "", contexts, host=host))
    bound = Bound(contexts, host)
    is_shell_text = not shell or Path(shell.split()[0]).name in _SHELLS
    text = bound.shell(step.script) if is_shell_text else bound.program(step.script)
    name = f"steps/{number}/script.{_SUFFIXES.get(shell, 'sh')}"
    text = text if text.endswith("\n") else text + "\n"
    if shell == "pwsh":
        text = _PWSH.format(script=text)
    control.make_folder(f"steps/{number}")
    control.write(name, text.encode("utf-8", "surrogateescape"), mode=0o755)
    where = evaluate_template(step.working_directory or "", contexts, host=host)
    return StepCommand(
        entrypoint=_interpreter(shell, f"{CONTROL}/{name}"),
        arguments=(),
        env=bound.env,
        image=image_text(step.image, contexts, host),
        working_directory=to_text(where) or None,
    )


def _interpreter(shell: str, path: str) -> tuple[str, ...]:
    """GitHub's command line for each `shell`; without one, bash where the image has it, else sh.

    Source: https://docs.github.com/actions/reference/workflow-syntax-for-github-actions#jobsjob_idstepsshell
    """
    match shell:
        case "":
            return ("sh", "-c", _ANY_SHELL, path)
        case "bash":
            return ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", path)
        case "sh":
            return ("sh", "-e", path)
        case "python":
            return ("sh", "-c", _ANY_PYTHON, "python3", path)
        case "pwsh":
            return ("pwsh", "-command", f". '{path}'")
        case _:
            words = shlex.split(shell)
            filled = tuple(word.replace("{0}", path) for word in words)
            return filled if "{0}" in shell else (*filled, path)
