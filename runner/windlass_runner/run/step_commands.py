"""A step, its expressions replaced, as the command that a container runs.

Scripts become files; values that a stranger could have set, and secrets, become environment
variables (`expressions.shell_text`), so that no such value is ever part of a program's text.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from windlass_registry.documents import Scalar, Value
from windlass_registry.manifest_runs import is_dockerfile
from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.engines.base import ImageBuild, Mount
from windlass_runner.expressions import FunctionHost
from windlass_runner.expressions.shell_text import PREFIX, bind_arguments, bind_shell, trusted_text
from windlass_runner.expressions.templates import evaluate_template, evaluate_value
from windlass_runner.expressions.values import to_text
from windlass_runner.plan.model import ContainerStep, NodeStep, PythonStep, RunStep
from windlass_runner.run.scratch import (
    CONTROL,
    GITHUB_HOME,
    GITHUB_WORKFLOW,
    GITHUB_WORKSPACE,
    action_path,
)

_SHELLS: Final = ("sh", "bash", "dash", "ash", "zsh", "ksh")
_PLAIN_WORDS: Final = re.compile(r"[A-Za-z0-9_@%+=:,./ \t-]*\Z")
_BEGINS_SCRIPT: Final = re.compile(r"-[a-z]*c\Z")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPlace:
    """Where an action lies on the host, and the folders of GitHub's that its container gets."""

    package: Path
    mounts: tuple[Mount, ...] = ()


@dataclass(slots=True)
class _Bound:
    """Texts with their strangers' values taken out, and the variables that hold these."""

    contexts: Mapping[str, Any]
    host: FunctionHost
    env: dict[str, str] = field(default_factory=dict)

    def shell(self, text: str) -> str:
        bound, env = bind_shell(text, self.contexts, host=self.host, prefix=self._prefix())
        self.env.update(env)
        return bound

    def program(self, text: str) -> str:
        return trusted_text(text, self.contexts, host=self.host)

    def argv(self, words: Sequence[Value]) -> list[str]:
        """A command as a list; what follows `-c` of a shell is shell text, also where the shell is
        named elsewhere and the list begins with `-c`."""
        texts = [word if isinstance(word, str) else _word(word) for word in words]
        lead = ["sh"] if texts and _BEGINS_SCRIPT.match(texts[0]) else []
        bound, env = bind_arguments([*lead, *texts], self.contexts, host=self.host, prefix=self._prefix())
        self.env.update(env)
        return bound[len(lead) :]

    def _prefix(self) -> str:
        return f"{PREFIX}{len(self.env)}_" if self.env else PREFIX


def _word(value: Any) -> str:
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False)
    return to_text(value)


def evaluate_inputs(
    inputs: Mapping[str, Value], code: Mapping[str, str], contexts: Mapping[str, Any], host: FunctionHost
) -> tuple[dict[str, Any], dict[str, str]]:
    """An action's inputs with their values, and the variables that its program texts use.

    Raises:
        ExpressionError
    """
    bound = _Bound(contexts, host)
    values: dict[str, Any] = {}
    for name, written in inputs.items():
        match written, code.get(name):
            case str(), "shell":
                values[name] = bound.shell(written)
            case str(), str():
                values[name] = bound.program(written)
            case list(), _:
                values[name] = bound.argv(written)
            case None, _:
                values[name] = ""
            case _:
                values[name] = evaluate_value(written, contexts, host=host)
    return values, bound.env


def input_variables(values: Mapping[str, Any]) -> dict[str, str]:
    """`INPUT_<NAME>` for each input, as GitHub spells it: upper case, spaces to underscores."""
    return {f"INPUT_{name.upper().replace(' ', '_')}": _word(value) for name, value in values.items()}


def evaluate_env(
    written: Mapping[str, Scalar], contexts: Mapping[str, Any], host: FunctionHost
) -> dict[str, Any]:
    """An `env` mapping with its values as text (marked where a stranger could have set them)."""
    result: dict[str, Any] = {}
    for name, value in written.items():
        found = evaluate_value(value, contexts, host=host)
        result[name] = found if isinstance(found, str) else _word(found)
    return result


def command_of_script(
    step: RunStep, control: SharedFolder, number: int, contexts: Mapping[str, Any], host: FunctionHost
) -> StepCommand:
    """Write the script and say how to run it."""
    shell = to_text(evaluate_template(step.shell or "", contexts, host=host))
    bound = _Bound(contexts, host)
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
        image=_image(step.image, contexts, host),
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


def _image(written: str | None, contexts: Mapping[str, Any], host: FunctionHost) -> str:
    if not written:
        return ""
    return to_text(evaluate_template(written, contexts, host=host)).removeprefix("docker://")


def command_of_container(
    step: ContainerStep, contexts: Mapping[str, Any], host: FunctionHost, place: ActionPlace
) -> StepCommand:
    """A docker action's image, entrypoint and arguments. `contexts` hold its evaluated inputs."""
    image = to_text(evaluate_template(step.image, contexts, host=host))
    build = _build(step, image, place) if is_dockerfile(image) else None
    bound = _Bound(contexts, host)
    entrypoint = _words(step.entrypoint, bound)
    arguments = _words(step.args, bound)
    if entrypoint is not None and len(entrypoint) == 1:
        entrypoint = _command_line(entrypoint[0], has_arguments=bool(arguments))
    env = evaluate_env(step.action_env, contexts, host)
    return StepCommand(
        entrypoint=None if not entrypoint else tuple(entrypoint),
        arguments=None if arguments is None else tuple(arguments),
        env={**env, **bound.env},
        image=build.reference if build is not None else image.removeprefix("docker://"),
        working_directory=GITHUB_WORKSPACE if place.mounts else None,
        has_own_container=True,
        build=build,
        mounts=place.mounts,
        surroundings={**_AT_HOME, "GITHUB_WORKSPACE": GITHUB_WORKSPACE} if place.mounts else {},
    )


_AT_HOME: Final = {"HOME": GITHUB_HOME, "GITHUB_EVENT_PATH": f"{GITHUB_WORKFLOW}/event.json"}
"""For actions of GitHub's: all of a job share one home, as they do there."""


def _build(step: ContainerStep, dockerfile: str, place: ActionPlace) -> ImageBuild:
    """The image of that package: its name is the package's digest, so a host builds it once. The build sees
    the folder of the Dockerfile, as on GitHub."""
    path = PurePosixPath(posixpath.normpath(dockerfile))
    digest = step.action.digest.removeprefix("sha256:")
    return ImageBuild(
        reference=f"windlass-action:{digest[:40]}",
        what=f"action '{step.action.uses}'",
        context=place.package / path.parent,
        dockerfile=path.name,
        labels={"windlass.action": step.action.digest},
    )


def command_of_node(step: NodeStep, place: ActionPlace) -> StepCommand:
    """A JavaScript action: a file of its package, by `node`. Without a shell between them, as many shells
    drop variables whose names have a hyphen, such as INPUT_FETCH-DEPTH."""
    return StepCommand(
        entrypoint=("node", posixpath.join(action_path(step.action.digest), posixpath.normpath(step.main))),
        arguments=(),
        image=step.image,
        has_own_container=True,
        mounts=place.mounts,
        surroundings=_AT_HOME,
        remedy=f"action '{step.action.uses}' needs the program 'node': install Node.js on this host, "
        f"or run it in a container whose image has it ([actions] node_image; here {step.image})",
    )


def _words(written: Value, bound: _Bound) -> list[str] | None:
    """Words of a command, or None where nothing was given."""
    if isinstance(written, list):
        return bound.argv(written)
    value = evaluate_value(written, bound.contexts, host=bound.host)
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, list):
        return [_word(item) for item in value]
    return [to_text(value)]


def _command_line(text: str, *, has_arguments: bool) -> list[str]:
    """A command given as one text: plain words are executed as they are, anything else by the shell."""
    if _PLAIN_WORDS.match(text):
        return shlex.split(text)
    script = f'{text.rstrip()} "$@"' if has_arguments and "\n" not in text.strip() else text
    return ["sh", "-c", script, "sh"] if has_arguments else ["sh", "-c", script]


def command_of_python(step: PythonStep, contexts: Mapping[str, Any], host: FunctionHost) -> StepCommand:
    """A python action: its main file, by the image's python3."""
    main = f"{action_path(step.action.digest)}/{step.main}"
    return StepCommand(
        entrypoint=("sh", "-c", _ANY_PYTHON, "python3", main),
        arguments=(),
        image=_image(step.image, contexts, host),
    )
