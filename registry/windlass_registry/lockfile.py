"""The lock as a file, `.windlass/lock.yaml`: written by `windlass lock`, committed, read by the runner."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from windlass_registry.documents import compose
from windlass_registry.errors import OperatorError
from windlass_registry.lock import ImagePin, Lock, LockFile, Pin
from windlass_registry.reader import Reader
from windlass_registry.versions import Digest, Version, VersionError
from windlass_registry.whole_files import write_whole
from windlass_registry.yaml_text import one_line

LOCK_PATH: Final = ".windlass/lock.yaml"
FORMAT: Final = 2
"""2 has images, data and commits of git sources; 1 is still written where there are none."""
LOCK_KEYS: Final = ("lock", "actions", "images", "datasets", "models")
PIN_KEYS: Final = ("name", "version", "commit", "digest", "source")
IMAGE_KEYS: Final = ("digest", "local-id")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_IMAGE_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}\Z")
_ANEW: Final = "write the lock anew with 'windlass lock --upgrade'"
_HEAD: Final = "# Written by 'windlass lock'. Commit it; change it only with 'windlass lock --upgrade'.\n"


def dump_lock(lock: Lock | LockFile) -> str:
    """The text of the file. The same lock always gives the same text."""
    file = lock.pins() if isinstance(lock, Lock) else lock
    is_new = file.images or file.datasets or file.models or any(pin.commit for pin in file.pins.values())
    lines = [f"lock: {FORMAT if is_new else 1}", "actions:" if file.pins else "actions: {}"]
    for uses, pin in sorted(file.pins.items()):
        values = (pin.name, pin.version, pin.commit, pin.digest, pin.source)
        lines += _entry(uses, dict(zip(PIN_KEYS, values, strict=True)))
    lines += ["images:"] if file.images else []
    for name, image in sorted(file.images.items()):
        lines += _entry(name, dict(zip(IMAGE_KEYS, (image.digest, image.local_id), strict=True)))
    for key, versions in (("datasets", file.datasets), ("models", file.models)):
        lines += [f"{key}:"] if versions else []
        lines += [f"  {one_line(ref)}: {one_line(version)}" for ref, version in sorted(versions.items())]
    return _HEAD + "\n".join(lines) + "\n"


def _entry(name: str, values: Mapping[str, str | None]) -> list[str]:
    found = [f"    {key}: {one_line(value)}" for key, value in values.items() if value is not None]
    return [f"  {one_line(name)}:", *found]


def parse_lock(text: bytes | str, path: str) -> LockFile:
    """Read the text of a lock file.

    Raises:
        AuthorError: every problem of the file, each at its place.
    """
    root = compose(text, path=path)
    reader = Reader(path)
    fields: dict[str, yaml.Node] = {}
    if root is not None:
        fields = reader.fields(root, "the lock", LOCK_KEYS)
        _check_format(reader, root, fields)

    def entries(key: str) -> dict[str, yaml.Node]:
        found = reader.entries(fields[key], f"'{key}'") if key in fields else {}
        return {name: value for name, (_, value) in found.items()}

    file = LockFile(
        pins={uses: _read_pin(reader, value) for uses, value in entries("actions").items()},
        images={name: _read_image(reader, value) for name, value in entries("images").items()},
        datasets={ref: reader.text(value, f"'{ref}'") or "" for ref, value in entries("datasets").items()},
        models={ref: reader.text(value, f"'{ref}'") or "" for ref, value in entries("models").items()},
    )
    reader.raise_if_broken()
    return file


def load_lock(root: Path) -> LockFile | None:
    """The lock of a repository's working tree, None where there is none.

    Raises:
        AuthorError: the file is broken.
        OperatorError: it cannot be read.
    """
    try:
        text = (root / LOCK_PATH).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OperatorError(f"cannot read {LOCK_PATH}: {error.strerror}") from error
    return parse_lock(text, LOCK_PATH)


def save_lock(root: Path, lock: Lock | LockFile) -> Path:
    """Write the lock of a working tree, at once or not at all; gives the file. What a killed call left beside
    it goes with the next one.

    Raises:
        OperatorError: it cannot be written.
    """
    place = root / LOCK_PATH
    write_whole(place, dump_lock(lock).encode())
    return place


def _check_format(reader: Reader, root: yaml.Node, fields: dict[str, yaml.Node]) -> None:
    if "lock" not in fields:
        if isinstance(root, yaml.MappingNode):
            reader.error(root, "the lock does not say its format", f"write 'lock: {FORMAT}' first")
        return
    found = reader.whole(fields["lock"], "'lock'", least=1)
    if found is not None and found > FORMAT:
        reader.error(
            fields["lock"], f"written by a newer Windlass (format {found})", "update Windlass on this machine"
        )


def _read_pin(reader: Reader, node: yaml.Node) -> Pin:
    fields = reader.fields(node, "a pin", PIN_KEYS)
    texts = {key: reader.text(value, f"'{key}'") for key, value in fields.items()}
    for key in ("name", "digest", "source"):
        if key not in fields:
            reader.error(node, f"a pin needs '{key}'", _ANEW)
    for key, parse in (("digest", Digest.parse), ("version", Version.parse)):
        try:
            parse(texts.get(key) or ("0.0.0" if key == "version" else "sha256:" + "0" * 64))
        except VersionError as error:
            reader.error(fields[key], str(error))
    commit = texts.get("commit")
    if commit is not None and not _COMMIT.match(commit):
        reader.error(fields["commit"], f"'{commit}' is not the 40 digits of a commit")
    return Pin(
        name=texts.get("name") or "",
        version=texts.get("version"),
        commit=texts.get("commit"),
        digest=texts.get("digest") or "",
        source=texts.get("source") or "",
    )


def _read_image(reader: Reader, node: yaml.Node) -> ImagePin:
    fields = reader.fields(node, "the pin of an image", IMAGE_KEYS)
    texts = {key: reader.text(value, f"'{key}'") for key, value in fields.items()}
    digest, local_id = texts.get("digest"), texts.get("local-id")
    if len(fields) != 1:
        reader.error(node, "the pin of an image has either a 'digest' or a 'local-id'", _ANEW)
    if digest is not None and not _IMAGE_DIGEST.match(digest):
        reader.error(fields["digest"], f"'{digest}' is not an image's name with its digest: name@sha256:…")
    if local_id is not None:
        try:
            Digest.parse(local_id)
        except VersionError as error:
            reader.error(fields["local-id"], str(error))
    return ImagePin(digest=digest, local_id=local_id)
