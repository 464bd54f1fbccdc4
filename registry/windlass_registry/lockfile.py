"""The lock as a file, `.windlass/lock.yaml`: written by `windlass lock`, committed, read by the runner."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Final

import yaml

from windlass_registry.documents import Reader, compose
from windlass_registry.errors import OperatorError
from windlass_registry.lock import Lock, LockFile, Pin
from windlass_registry.versions import Digest, Version, VersionError

LOCK_PATH: Final = ".windlass/lock.yaml"
FORMAT: Final = 1
LOCK_KEYS: Final = ("lock", "actions")
PIN_KEYS: Final = ("name", "version", "digest", "source")
_HEAD: Final = "# Written by 'windlass lock'. Commit it; change it only with 'windlass lock --upgrade'.\n"


def dump_lock(lock: Lock | LockFile) -> str:
    """The text of the file. The same lock always gives the same text."""
    pins = (lock.pins() if isinstance(lock, Lock) else lock).pins
    lines = [f"lock: {FORMAT}", "actions:" if pins else "actions: {}"]
    for uses, pin in sorted(pins.items()):
        lines.append(f"  {_quoted(uses)}:")
        values = {"name": pin.name, "version": pin.version, "digest": pin.digest, "source": pin.source}
        lines += [f"    {key}: {_quoted(value)}" for key, value in values.items() if value is not None]
    return _HEAD + "\n".join(lines) + "\n"


def parse_lock(text: bytes | str, path: str) -> LockFile:
    """Read the text of a lock file.

    Raises:
        AuthorError: every problem of the file, each at its place.
    """
    root = compose(text, path=path)
    reader = Reader(path)
    pins: dict[str, Pin] = {}
    if root is not None:
        fields = reader.fields(root, "the lock", LOCK_KEYS)
        _check_format(reader, root, fields)
        entries = reader.entries(fields["actions"], "'actions'") if "actions" in fields else {}
        pins = {uses: _read_pin(reader, value) for uses, (_, value) in entries.items()}
    reader.raise_if_broken()
    return LockFile(pins=pins)


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
    """Write the lock of a working tree, at once or not at all; gives the file.

    Raises:
        OperatorError: it cannot be written.
    """
    place = root / LOCK_PATH
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as stream:
            stream.write(dump_lock(lock))
        Path(stream.name).chmod(0o644)
        Path(stream.name).replace(place)
    except OSError as error:
        raise OperatorError(
            f"cannot write {place}: {error.strerror}", remedy="let this user write there"
        ) from error
    return place


def _quoted(text: str) -> str:
    """A double-quoted YAML scalar: as JSON has it, with all beyond ASCII as `\\U` escapes."""
    return "".join(
        c if "\x00" <= c < "\x7f" else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False)
    )


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
            reader.error(node, f"a pin needs '{key}'", "write the lock anew with 'windlass lock --upgrade'")
    for key, parse in (("digest", Digest.parse), ("version", Version.parse)):
        try:
            parse(texts.get(key) or ("0.0.0" if key == "version" else "sha256:" + "0" * 64))
        except VersionError as error:
            reader.error(fields[key], str(error))
    return Pin(
        name=texts.get("name") or "",
        version=texts.get("version"),
        digest=texts.get("digest") or "",
        source=texts.get("source") or "",
    )
