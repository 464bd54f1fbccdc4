"""A sample's manifest (`sample.yml`) and its package: a workflow with parameters, and files beside it.

A package holds `sample.yml`, the workflow's template (`workflow.yaml`), a README, perhaps a picture, and
under `files/` what is put into a folder of the subscriber's repository.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import yaml

from windlass_registry.archive import Entry
from windlass_registry.documents import compose, is_null
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.names import NAME_CHARS, is_name
from windlass_registry.reader import Reader
from windlass_registry.samples.filling import PLACEHOLDER, fill
from windlass_registry.samples.parameters import Parameters, read_parameters
from windlass_registry.samples.picture import Picture, read_picture
from windlass_registry.versions import Version, VersionError

SAMPLE_NAMES: Final = ("sample.yml", "sample.yaml")
FILES: Final = "files/"
SAMPLE_KEYS: Final = (
    "name",
    "title",
    "description",
    "version",
    "author",
    "license",
    "agreement",
    "picture",
    "tags",
    "workflow",
    "parameters",
)
_NEEDED: Final = ("name", "description", "version", "license")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleManifest:
    """What a sample says of itself. Texts are '' where it says nothing."""

    name: str
    title: str
    description: str
    version: str
    license: str
    author: str = ""
    agreement: str = ""
    """What a subscriber has to accept."""
    picture: str = ""
    """Its path in the package."""
    tags: tuple[str, ...] = ()
    workflow: str = "workflow.yaml"
    parameters: Parameters = field(default_factory=Parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample's package, read: its manifest, the template, and the files beside it by path."""

    manifest: SampleManifest
    template: str
    files: Mapping[str, Entry]
    picture: Picture | None = None


def parse_sample(source: bytes | str, *, path: str) -> SampleManifest:
    """Read a `sample.yml`. `path` is where its problems are reported.

    Raises:
        AuthorError: every problem of the file, each at its place.
    """
    root = compose(source, path=path)
    if root is None:
        raise AuthorError(Problem(path=path, line=1, column=1, message="the manifest is empty"))
    reader = Reader(path)
    manifest = _read(reader, root)
    reader.raise_if_broken()
    return manifest


def read_sample(entries: Sequence[Entry], *, shown_as: str) -> Sample | None:
    """The sample in a package's files; None where they hold no `sample.yml`.

    Raises:
        AuthorError: the manifest is broken, or names a file that is not there, or the template uses a
            parameter that is not declared, or the picture is none.
    """
    by_name = {entry.name: entry for entry in entries}
    name = next((name for name in SAMPLE_NAMES if name in by_name), None)
    if name is None:
        return None
    path = f"{shown_as}/{name}" if shown_as else name
    manifest = parse_sample(by_name[name].content, path=path)
    for what, file in (("workflow", manifest.workflow), ("picture", manifest.picture)):
        if file and file not in by_name:
            raise AuthorError(_whole_file(path, f"the sample has no file '{file}', its {what}"))
    where = f"{shown_as}/{manifest.workflow}" if shown_as else manifest.workflow
    template = _text_of(by_name[manifest.workflow], path=where)
    _check_template(template, manifest, path=where)
    picture = None
    if manifest.picture:
        shown = f"{shown_as}/{manifest.picture}" if shown_as else manifest.picture
        picture = read_picture(by_name[manifest.picture], path=shown)
    files = {entry.name.removeprefix(FILES): entry for entry in entries if entry.name.startswith(FILES)}
    return Sample(manifest=manifest, template=template, files=files, picture=picture)


def _read(reader: Reader, root: yaml.Node) -> SampleManifest:
    fields = {
        name: node
        for name, node in reader.fields(root, "the manifest", SAMPLE_KEYS).items()
        if not is_null(node)
    }
    if isinstance(root, yaml.MappingNode):
        for key in _NEEDED:
            if key not in fields:
                reader.error(root, f"the manifest needs '{key}'")
    texts = {
        key: reader.text(node, f"'{key}'") or ""
        for key, node in fields.items()
        if key not in ("parameters", "tags")
    }
    _check_name(reader, fields.get("name"), texts.get("name", ""))
    tags = reader.texts(fields["tags"], "'tags'") if "tags" in fields else []
    parameters = read_parameters(reader, fields["parameters"]) if "parameters" in fields else Parameters()
    return SampleManifest(
        name=texts.get("name", ""),
        title=texts.get("title") or texts.get("name", ""),
        description=texts.get("description", ""),
        version=_version(reader, fields.get("version"), texts.get("version", "")),
        license=texts.get("license", ""),
        author=texts.get("author", ""),
        agreement=texts.get("agreement", ""),
        picture=texts.get("picture", ""),
        tags=tuple(tags),
        workflow=texts.get("workflow") or "workflow.yaml",
        parameters=parameters,
    )


def _check_name(reader: Reader, node: yaml.Node | None, name: str) -> None:
    if node is not None and name and not is_name(name):
        remedy = f"take lower-case letters and digits with single '-' between them, at most {NAME_CHARS}"
        reader.error(node, f"'{name}' cannot be the name of a sample", remedy)


def _version(reader: Reader, node: yaml.Node | None, text: str) -> str:
    if node is None or not text:
        return ""
    try:
        return str(Version.parse(text))
    except VersionError as error:
        reader.error(node, str(error), "write three numbers, such as 1.0.0")
        return ""


def _text_of(entry: Entry, *, path: str) -> str:
    try:
        return entry.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AuthorError(_whole_file(path, "not UTF-8 text")) from error


def _check_template(template: str, manifest: SampleManifest, *, path: str) -> None:
    """Every placeholder names a parameter; found by filling in what every parameter could be."""
    for line, text in enumerate(template.splitlines(), start=1):
        for found in PLACEHOLDER.finditer(text):
            known = {f"parameters.{name}" for name in manifest.parameters.names} | {
                "sample.folder",
                "sample.name",
            }
            if found["name"] not in known:
                raise AuthorError(
                    Problem(
                        path=path,
                        line=line,
                        column=found.start() + 1,
                        message=f"'{found['name']}' is no parameter of the sample",
                        remedy="declare it under 'parameters' in sample.yml",
                    )
                )
    filled = fill(
        template, manifest.parameters.examples(), name=manifest.name, folder=manifest.name, path=path
    )
    compose(filled, path=path)


def _whole_file(path: str, message: str) -> Problem:
    return Problem(path=path, line=0, column=0, message=message)
