"""An action's examples as workflows of one job, and what they promise against what came of it. Pure but for
reading the files of outputs.

An example's output is a text (what it must be), `/…/` (an expression that must match all of it), or a
mapping: `type`, and of `equals`, `matches`, `sha256` and `files` (names to texts) what is held against it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from windlass_registry.archive import digest_folder
from windlass_registry.documents import Value
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.manifest import ActionManifest, Example
from windlass_registry.near_words import did_you_mean
from windlass_runner.workflow.parse import ParsedWorkflow, parse_workflow

JOB: Final = "example"
_GIVEN: Final = "given"
_EXPECTATIONS: Final = ("equals", "matches", "sha256", "files")
_KINDS: Final = {"volume": "volume", "dataset": "volume", "model": "volume", "artifact": "artifact"}
"""Of outputs that an example only names: none is committed as a version for a test."""
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something of an output that is not what the example says. `where`: the output, or a file of it."""

    where: str
    expected: str
    found: str


def chosen_examples(
    manifest: ActionManifest, wanted: list[str], *, path: str, is_all: bool = False
) -> tuple[Example, ...]:
    """The examples of these names; without any, those that need nothing more than an engine (or all).

    Raises:
        AuthorError: there is none of that name, or there are none at all.
    """
    known = {example.name: example for example in manifest.examples}
    if not known:
        remedy = "write 'examples:' with a name, 'with' and 'outputs' each"
        raise _wrong(path, "the action has no examples, so there is nothing to test", remedy)
    for name in wanted:
        if name not in known:
            raise _wrong(path, f"the action has no example '{name}'", did_you_mean(name, known))
    if wanted:
        return tuple(known[name] for name in wanted)
    return tuple(example for example in manifest.examples if is_all or not example.needs)


def workflow_of(
    example: Example, manifest: ActionManifest, *, uses: str, image: str | None, path: str
) -> ParsedWorkflow:
    """The example as a workflow: one job, and one before it where it has input files of the package.

    Raises:
        AuthorError: what the example says cannot stand in a job.
    """
    job: dict[str, Any] = {"name": example.name, "uses": uses}
    if example.with_:
        job["with"] = dict(example.with_)
    jobs: dict[str, Any] = {JOB: job}
    if example.inputs:
        jobs = {_GIVEN: _given(example, path), **jobs}
        job["needs"] = [_GIVEN]
        job["inputs"] = {name: f"{_GIVEN}.outputs.{name}" for name in example.inputs}
    outputs = {name: _declared(value, manifest, name) for name, value in example.outputs.items()}
    if outputs:
        job["outputs"] = outputs
    document: dict[str, Any] = {"name": example.name, "jobs": jobs}
    if image is not None:
        document["defaults"] = {"image": image}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return parse_workflow(text.encode(), path=f"{path} (example '{example.name}')")


def _given(example: Example, path: str) -> dict[str, Any]:
    """A job that hands files of the package on."""
    lines = []
    for name, value in example.inputs.items():
        source = str(value)
        if not isinstance(value, str) or not source.startswith("./"):
            remedy = f"write a file or folder of the package: {name}: ./examples/{name}"
            raise _wrong(path, f"example '{example.name}' takes its input '{name}' from another job", remedy)
        lines.append(f"cp -R '/workspace/{source[2:].rstrip('/')}' '/outputs/{name}'")
    outputs = {name: {"type": "artifact"} for name in example.inputs}
    return {"steps": [{"name": "the example's inputs", "run": "\n".join(lines)}], "outputs": outputs}


def _declared(value: Value, manifest: ActionManifest, name: str) -> dict[str, Any]:
    """An output of the job, without what is expected of it."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in _EXPECTATIONS}
        is_file = "files" in value or "sha256" in value
        return {"type": "artifact" if is_file else "string", **kept}
    declared = manifest.outputs.get(name)
    kind = declared.type if declared is not None and value is None else None
    return {"type": _KINDS.get(kind or "", "string")}


def differences(example: Example, outputs: Mapping[str, Mapping[str, Any]]) -> tuple[Difference, ...]:
    """What the outputs of the job are, that the example says otherwise. `outputs`: as the ledger has them."""
    found: list[Difference] = []
    for name, expected in example.outputs.items():
        output = outputs.get(name)
        if output is None:
            found.append(Difference(where=name, expected="an output", found="nothing"))
        else:
            found.extend(_of_output(name, expected, output))
    return tuple(found)


def _of_output(name: str, expected: Value, output: Mapping[str, Any]) -> Iterator[Difference]:
    path = Path(str(output.get("path") or ""))
    text = output.get("text")
    if not isinstance(expected, dict):
        yield from _of_text(name, expected, str(text if text is not None else _read(path)))
        return
    said = str(text) if text is not None else None
    for key in ("equals", "matches"):
        if key in expected:
            written = expected[key] if key == "equals" else f"/{expected[key]}/"
            yield from _of_text(
                name, written, _read(path) if said is None else said, is_exact=key == "equals"
            )
    if "sha256" in expected:
        yield from _of_digest(name, str(expected["sha256"]), path)
    files = expected.get("files")
    for file, content in files.items() if isinstance(files, dict) else ():
        yield from _of_file(f"{name}/{file}", content, path / file)


def _of_file(where: str, expected: Value, path: Path) -> Iterator[Difference]:
    if not path.exists():
        yield Difference(where=where, expected="a file", found="nothing")
    elif isinstance(expected, str) and re.fullmatch(r"sha256:[0-9a-f]{64}", expected):
        yield from _of_digest(where, expected, path)
    elif expected is not None:
        yield from _of_text(where, expected, _read(path))


def _of_text(where: str, expected: Value, found: str, *, is_exact: bool = False) -> Iterator[Difference]:
    """One line end at the end does not count: shells write one."""
    if expected is None:
        return
    wanted = expected if isinstance(expected, str) else json.dumps(expected)
    bare = found.removesuffix("\n")
    if not is_exact and len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/"):
        if re.fullmatch(wanted[1:-1], bare, re.DOTALL) is None:
            yield Difference(where=where, expected=f"a match of {wanted}", found=bare)
    elif bare != wanted.removesuffix("\n"):
        yield Difference(where=where, expected=wanted, found=bare)


def _of_digest(where: str, expected: str, path: Path) -> Iterator[Difference]:
    wanted = f"sha256:{expected.removeprefix('sha256:')}"
    if path.is_dir():
        found = digest_folder(path)
    else:
        with path.open("rb") as stream:
            found = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    if found != wanted:
        yield Difference(where=where, expected=wanted, found=found)


def _read(path: Path) -> str:
    if path.is_dir():
        return f"a folder of {', '.join(sorted(entry.name for entry in path.iterdir())) or 'nothing'}"
    with path.open("rb") as stream:
        return stream.read(_READ_BYTES).decode("utf-8", "replace")


def check_expressions(example: Example, *, path: str) -> None:
    """Every `/…/` of an example can be read.

    Raises:
        AuthorError: one cannot.
    """
    for name, value in example.outputs.items():
        texts = [value]
        if isinstance(value, dict):
            files = value.get("files")
            texts = [f"/{value['matches']}/"] if "matches" in value else []
            texts += list(files.values()) if isinstance(files, dict) else []
        for text in texts:
            if isinstance(text, str) and len(text) > 1 and text.startswith("/") and text.endswith("/"):
                try:
                    re.compile(text[1:-1])
                except re.error as error:
                    message = f"example '{example.name}': what '{name}' must match cannot be read: {error}"
                    raise _wrong(path, message, "mend it, or escape its signs with \\") from error


def _wrong(path: str, message: str, remedy: str | None) -> AuthorError:
    return AuthorError(Problem(path=path, line=0, column=0, message=message, remedy=remedy))
