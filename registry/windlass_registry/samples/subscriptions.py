"""Which samples a repository is subscribed to: `.windlass/subscriptions.yaml`, committed.

It keeps what an upgrade needs: the release, the parameters, and which bytes were written where (by git's own
names for them, so that git's history holds the text that an upgrade merges from).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from windlass_registry.documents import Value, compose, value_of
from windlass_registry.errors import AuthorError, OperatorError, Problem
from windlass_registry.reader import Reader
from windlass_registry.whole_files import write_whole
from windlass_registry.yaml_text import one_line

SUBSCRIPTIONS_PATH: Final = ".windlass/subscriptions.yaml"
FORMAT: Final = 1
_KEYS: Final = (
    "sample",
    "version",
    "digest",
    "source",
    "folder",
    "parameters",
    "agreement",
    "accepted",
    "files",
)
_HEAD: Final = "# Written by 'windlass subscribe'. Commit it; it is what an upgrade starts from.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One workflow of this repository that came from a sample."""

    name: str
    """The workflow's name here: `.windlass/workflows/NAME.yaml`."""
    sample: str
    """As it was asked for, such as `digits@v1`: upgrades stay in that range."""
    version: str
    digest: str
    source: str
    folder: str
    """Where the sample's files lie, from the repository's root."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    agreement: str = ""
    """The digest of the text that was accepted; '' where there was none."""
    accepted: str = ""
    """Who accepted it, and when."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What was written, by path: git's object name of the bytes."""


def object_name(content: bytes) -> str:
    """Git's name of a file's bytes (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def is_workflow_name(name: str) -> bool:
    """Whether a subscription's workflow can be called that: a word that makes a file's name."""
    return name.replace("-", "").replace("_", "").isalnum() and name.isascii()


def parse_subscriptions(text: bytes | str, path: str = SUBSCRIPTIONS_PATH) -> dict[str, Subscription]:
    """Read the file's text, by workflow name.

    Raises:
        AuthorError: every problem of the file, each at its place.
    """
    root = compose(text, path=path)
    if root is None:
        return {}
    reader = Reader(path)
    fields = reader.fields(root, "the subscriptions", ("subscriptions", "samples"))
    if "subscriptions" in fields:
        form = reader.whole(fields["subscriptions"], "'subscriptions'", least=1)
        if form is not None and form > FORMAT:
            remedy = "update Windlass on this machine"
            reader.error(fields["subscriptions"], f"written by a newer Windlass (format {form})", remedy)
    entries = reader.entries(fields["samples"], "'samples'") if "samples" in fields else {}
    found = {name: _read_one(reader, name, value) for name, (_, value) in entries.items()}
    reader.raise_if_broken()
    return found


def load_subscriptions(root: Path) -> dict[str, Subscription]:
    """The subscriptions of a working tree; none where there is no file. Raises as `parse_subscriptions`."""
    try:
        text = (root / SUBSCRIPTIONS_PATH).read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OperatorError(f"cannot read {SUBSCRIPTIONS_PATH}: {error.strerror}") from error
    return parse_subscriptions(text)


def dump_subscriptions(subscriptions: Mapping[str, Subscription]) -> str:
    """The text of the file. The same subscriptions always give the same text."""
    lines = [f"subscriptions: {FORMAT}", "samples:" if subscriptions else "samples: {}"]
    for name, one in sorted(subscriptions.items()):
        lines.append(f"  {one_line(name)}:")
        texts = {key: getattr(one, key) for key in _KEYS if key not in ("parameters", "files")}
        lines += [f"    {key}: {one_line(value)}" for key, value in texts.items() if value]
        for key, mapping in (("parameters", one.parameters), ("files", one.files)):
            lines.append(f"    {key}:" if mapping else f"    {key}: {{}}")
            lines += [f"      {one_line(word)}: {one_line(value)}" for word, value in mapping.items()]
    return _HEAD + "\n".join(lines) + "\n"


def write_file(root: Path, path: str, content: bytes, *, is_executable: bool = False) -> None:
    """Write one file of a working tree, at once or not at all. What a killed call left beside it goes with
    the next one.

    Raises:
        OperatorError: it cannot be written, or a link on the way leads elsewhere.
    """
    place = root / path
    if not place.parent.resolve().is_relative_to(root.resolve()):
        raise OperatorError(f"'{path}' lies behind a link that leaves the repository")
    write_whole(place, content, mode=0o755 if is_executable else 0o644)


def _read_one(reader: Reader, name: str, node: yaml.Node) -> Subscription:
    fields = reader.fields(node, "a subscription", _KEYS)
    for key in ("sample", "version", "digest", "folder"):
        if key not in fields:
            reader.error(node, f"a subscription needs '{key}'", "subscribe again with 'windlass subscribe'")
    mappings = {
        key: {word: value_of(value) for word, (_, value) in reader.entries(fields[key], f"'{key}'").items()}
        for key in ("parameters", "files")
        if key in fields
    }
    texts = {
        key: reader.text(value, f"'{key}'") or "" for key, value in fields.items() if key not in mappings
    }
    files = {path: str(value) for path, value in mappings.get("files", {}).items()}
    for path in files:
        if path.startswith("/") or ".." in path.split("/") or path.split("/")[0] == ".git":
            reader.error(fields["files"], f"'{path}' lies outside the repository")
    folder = texts.get("folder", "")
    if folder and (folder.startswith("/") or not {"..", ".git"}.isdisjoint(folder.split("/"))):
        reader.error(fields["folder"], f"'{folder}' lies outside the repository")
    if not is_workflow_name(name):
        reader.error(node, f"'{name}' cannot be a workflow's name", "write letters, digits and hyphens")
    return Subscription(
        name=name,
        sample=texts.get("sample", ""),
        version=texts.get("version", ""),
        digest=texts.get("digest", ""),
        source=texts.get("source", ""),
        folder=texts.get("folder", ""),
        parameters=mappings.get("parameters", {}),
        agreement=texts.get("agreement", ""),
        accepted=texts.get("accepted", ""),
        files=files,
    )


def unknown_subscription(name: str, known: Mapping[str, Subscription]) -> AuthorError:
    """What to say of a name that is no subscription."""
    remedy = f"there are: {', '.join(sorted(known))}" if known else "see 'windlass samples'"
    message = f"this repository has no subscription '{name}'"
    return AuthorError(Problem(path=SUBSCRIPTIONS_PATH, line=0, column=0, message=message, remedy=remedy))
