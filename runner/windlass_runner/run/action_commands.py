"""A step that is an action, as the command that its container runs: docker, JavaScript and Python."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from windlass_registry.documents import Value
from windlass_registry.manifest_runs import is_dockerfile
from windlass_runner.engines.base import ImageBuild, Mount
from windlass_runner.expressions import FunctionHost
from windlass_runner.expressions.templates import evaluate_template, evaluate_value
from windlass_runner.expressions.values import to_text
from windlass_runner.plan.model import ContainerStep, NodeStep, PythonStep
from windlass_runner.run.scratch import (
    GITHUB_HOME,
    GITHUB_WORKFLOW,
    GITHUB_WORKSPACE,
    action_path,
)
from windlass_runner.run.step_commands import StepCommand
from windlass_runner.run.step_texts import Bound, evaluate_env, image_text, word_text

_PLAIN_WORDS: Final = re.compile(r"[A-Za-z0-9_@%+=:,./ \t-]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPlace:
    """Where an action lies on the host, and the folders of GitHub's that its container gets."""

    package: Path
    mounts: tuple[Mount, ...] = ()


def command_of_container(
    step: ContainerStep, contexts: Mapping[str, Any], host: FunctionHost, place: ActionPlace
) -> StepCommand:
    """A docker action's image, entrypoint and arguments. `contexts` hold its evaluated inputs."""
    image = to_text(evaluate_template(step.image, contexts, host=host))
    build = _build(step, place) if is_dockerfile(step.image) else None
    bound = Bound(contexts, host)
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


def _build(step: ContainerStep, place: ActionPlace) -> ImageBuild:
    """The image of that package: its name is the package's digest, so a host builds it once. The build sees
    the folder of the Dockerfile, as on GitHub."""
    path = PurePosixPath(posixpath.normpath(step.image))
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


def _words(written: Value, bound: Bound) -> list[str] | None:
    """Words of a command, or None where nothing was given."""
    if isinstance(written, list):
        return bound.argv(written)
    value = evaluate_value(written, bound.contexts, host=bound.host)
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, list):
        return [word_text(item) for item in value]
    return [to_text(value)]


def _command_line(text: str, *, has_arguments: bool) -> list[str]:
    """A command given as one text: plain words are executed as they are, anything else by the shell."""
    if _PLAIN_WORDS.match(text):
        return shlex.split(text)
    script = f'{text.rstrip()} "$@"' if has_arguments and "\n" not in text.strip() else text
    return ["sh", "-c", script, "sh"] if has_arguments else ["sh", "-c", script]


_WITH_REQUIREMENTS: Final = """\
import os, subprocess, sys
requirements, main = sys.argv[1:]
package = os.path.basename(os.environ["GITHUB_ACTION_PATH"])
folder = os.path.join(os.environ["RUNNER_TOOL_CACHE"], "python-" + package)
if not os.path.isdir(folder):
    words = ["pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location"]
    words += ["--target", folder + ".new", "--requirement", requirements]
    if (code := subprocess.run([sys.executable, "-m", *words]).returncode):
        name = os.path.basename(requirements)
        sys.exit(f"{name} of the action could not be installed: pip ended with {code}")
    os.rename(folder + ".new", folder)
paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
os.execve(sys.executable, [sys.executable, main], {**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
"""
"""Installs what an action needs, once for a job, and becomes it."""


def command_of_python(step: PythonStep, contexts: Mapping[str, Any], host: FunctionHost) -> StepCommand:
    """A python action: its main file, by the image's python3. No shell between, as for `command_of_node`."""
    package = action_path(step.action.digest)
    words: tuple[str, ...] = (f"{package}/{step.main}",)
    if step.requirements is not None:
        words = ("-c", _WITH_REQUIREMENTS, f"{package}/{posixpath.normpath(step.requirements)}", *words)
    return StepCommand(
        entrypoint=("python3", *words),
        arguments=(),
        image=image_text(step.image, contexts, host),
        remedy=f"action '{step.action.uses}' needs the program 'python3': name an image that has it",
    )
