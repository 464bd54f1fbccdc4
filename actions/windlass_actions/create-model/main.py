"""Gives model files an id, made from their content. Python 3.7 and later."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

CHUNK = 1024 * 1024


def fail(message: str) -> NoReturn:
    """Say what is wrong, as an annotation, and stop."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error::create-model: {escaped}", flush=True)
    sys.exit(1)


def files_of(root: Path) -> Iterator[tuple[str, Path]]:
    """Relative names and files, sorted; a single file has the name ''."""
    if root.is_file():
        yield "", root
        return
    found = [Path(place) / name for place, _, names in os.walk(root) for name in names]
    for path in sorted(found, key=lambda each: os.fsencode(each.relative_to(root))):
        yield str(path.relative_to(root)), path


def digest_file(path: Path) -> bytes:
    digest = hashlib.sha256()
    if path.is_symlink() and not path.exists():
        digest.update(b"link " + os.fsencode(os.readlink(path)))  # noqa: PTH115
        return digest.digest()
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.digest()


def tell(name: str, value: str) -> None:
    """Set an output of the step."""
    place = os.environ.get("GITHUB_OUTPUT")
    if place:
        with Path(place).open("a", encoding="utf-8") as stream:
            stream.write(f"{name}={value}\n")


def main() -> int:
    name = os.environ.get("INPUT_NAME", "").strip()
    kind = os.environ.get("INPUT_TYPE", "").strip() or "Custom"
    if not name:
        fail("give the model's name as 'name'")
    model = Path(os.environ.get("WINDLASS_INPUTS") or "/inputs") / "model"
    if not model.exists():
        fail("the job has no input 'model'; add 'inputs: {model: job.outputs.name}'")
    digest = hashlib.sha256()
    for text in ("windlass model 1", name, kind.lower()):
        digest.update(text.encode() + b"\0")
    count = size = 0
    for relative, path in files_of(model):
        digest.update(os.fsencode(relative) + b"\0" + digest_file(path))
        count += 1
        size += path.stat().st_size if path.exists() else 0
    if not count:
        fail("the input 'model' is empty; let the job before write the model's files into its output")
    model_id = "mdl" + base64.b32encode(digest.digest()).decode().lower()[:16]
    place = Path(os.environ.get("WINDLASS_OUTPUTS") or "/outputs") / "model-id"
    if place.is_dir():
        fail("the output 'model-id' must be of type string")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(model_id, encoding="utf-8")
    tell("model-id", model_id)
    files = "1 file" if count == 1 else f"{count:,} files"
    print(f"Model {name} ({kind}): {model_id}, {files}, {size:,} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
