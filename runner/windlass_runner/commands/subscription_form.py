"""What a subscription asks a person, on a terminal: its parameters as a form, and the agreement."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from windlass_registry.documents import Value
from windlass_registry.errors import OperatorError
from windlass_registry.samples.filling import as_text
from windlass_registry.samples.manifest import Sample
from windlass_registry.samples.parameters import Parameter, Parameters
from windlass_registry.samples.releases import SampleRelease
from windlass_runner.commands.invocation import Invocation, is_terminal
from windlass_runner.commands.paint import Paint, tame
from windlass_runner.forges.git_program import GitProgram


def ask_parameters(
    sample: Sample,
    given: list[tuple[str, str]],
    invocation: Invocation,
    *,
    kept: Mapping[str, Value] | None = None,
) -> dict[str, Value]:
    """All values: those given, those kept of before, and on a terminal the answers to the form."""
    parameters = sample.manifest.parameters
    values: dict[str, Value] = {
        name: value for name, value in (kept or {}).items() if name in parameters.names
    }
    values |= {name: parameters.read(name, text) for name, text in given}
    asks = may_ask() and not given
    for one in parameters.form() if asks else ():
        if one.name not in values:
            values |= _ask_one(one, parameters, invocation)
    return parameters.complete(values, path=sample.manifest.name)


def may_ask() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin is not None and is_terminal(sys.stdin) and is_terminal(sys.stderr)


def _ask_one(one: Parameter, parameters: Parameters, invocation: Invocation) -> dict[str, Value]:
    """The answer to one question, asked again while the schema forbids it; nothing where the default does."""
    paint = Paint(invocation.has_colour(invocation.err))
    choices = f" ({', '.join(as_text(choice) for choice in one.choices)})" if one.choices else ""
    default = f" [{as_text(one.default)}]" if one.default is not None else ""
    if one.description:
        invocation.say(paint(tame(one.description), "dim"))
    while True:
        answer = _answer(f"{tame(one.title)}{tame(choices)}{tame(default)}: ", invocation)
        if not answer and not (one.is_required and one.default is None):
            return {}
        value = parameters.read(one.name, answer)
        wrong = parameters.wrong(one.name, value) if answer else "it needs a value"
        if wrong is None:
            return {one.name: value}
        invocation.say(paint(tame(wrong), "red"))


def _answer(question: str, invocation: Invocation) -> str:
    invocation.err.write(question)
    invocation.err.flush()
    line = sys.stdin.readline()
    if not line:
        raise OperatorError("the answers ended: nothing was written")
    return line.strip()


def confirm(question: str, invocation: Invocation) -> bool:
    """Whether the answer is yes."""
    return _answer(f"{question} [y/N]: ", invocation).lower() in ("y", "yes")


def ask_agreement(
    release: SampleRelease, sample: Sample, invocation: Invocation, *, is_accepted: bool, root: Path
) -> str:
    """Show what the sample may be used for; gives who accepted it, and when, or '' where it asks for nothing.

    Raises:
        OperatorError: nobody accepted it.
    """
    manifest = sample.manifest
    invocation.say(f"{release.name} {release.version}: {tame(manifest.description)}")
    invocation.say(f"licence: {tame(manifest.license)}")
    if not manifest.agreement:
        return ""
    invocation.say("agreement:\n" + "\n".join(f"  {line}" for line in tame(manifest.agreement).splitlines()))
    if not is_accepted:
        if not may_ask():
            raise OperatorError(
                f"'{release.name}' wants its agreement accepted", remedy="read it above, and say --accept"
            )
        if not confirm("accept?", invocation):
            raise OperatorError("the agreement was not accepted: nothing was written")
    return f"{_person(root, invocation)}, {time.strftime('%Y-%m-%d', time.gmtime())}"


def _person(root: Path, invocation: Invocation) -> str:
    if not (root / ".git").exists():
        return invocation.environment.get("USER", "unknown")
    git = GitProgram(environment=invocation.environment)
    found = git.work_tree(["config", "user.email"], root, allowed=(1,)).decode().strip()
    return found or invocation.environment.get("USER", "unknown")
