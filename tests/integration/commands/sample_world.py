"""A sample of somebody's own, in a folder and at a registry, that is released again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from integration.commands.conftest import Answer, Here

MANIFEST = """\
name: fit
title: Fit
description: Fits something.
version: {version}
license: MIT
{agreement}parameters:
  required: [bucket]
  properties:
    bucket: {{type: string, pattern: '^[a-z]+$', title: Bucket, description: where the data lies}}
    epochs: {{type: integer, minimum: 1, default: 3}}
"""
WORKFLOW = """\
# Fits something.
name: ${{ sample.name }}
on: push

jobs:
  fit:
    uses: script@v1
    with:
      script: sh ${{ sample.folder }}/fit.sh ${{ parameters.bucket }} ${{ parameters.epochs }}
"""
FIT = "#!/bin/sh\n# one\n# two\n# three\n# four\n# five\necho fitting $1, $2 epochs\n"


@dataclass
class Sample:
    """A sample's folder, and the repository of somebody who subscribes to it."""

    here: Here
    folder: Path
    files: dict[str, str] = field(default_factory=lambda: {"fit.sh": FIT, "notes.txt": "old\n"})

    def release(
        self, version: str, *, agreement: str = "", workflow: str = WORKFLOW, **files: str | None
    ) -> None:
        """Write the next release; a file that is None is in it no more."""
        for name, content in files.items():
            path = name.replace("_", ".")
            self.files.pop(path, None)
            if content is not None:
                self.files[path] = content
        words = f"agreement: {agreement}\n" if agreement else ""
        folder = self.folder / "files"
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for path, content in self.files.items():
            (folder / path).write_text(content)
        (folder / "fit.sh").chmod(0o755)
        (self.folder / "sample.yml").write_text(MANIFEST.format(version=version, agreement=words))
        (self.folder / "workflow.yaml").write_text(workflow)
        (self.folder / "README.md").write_text("# Fit\n")

    def subscribe(self, *words: str) -> Answer:
        return self.here.windlass("subscribe", str(self.folder), "--param", "bucket=data", *words)

    def update(self, *words: str) -> Answer:
        return self.here.windlass("subscribe", "--update", *words)

    def read(self, path: str) -> str:
        return (self.here.root / path).read_text()

    def tree(self) -> dict[str, bytes]:
        """All that git would see of the repository."""
        listed = self.here.git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        places = {path: self.here.root / path for path in listed if path}
        return {path: place.read_bytes() for path, place in places.items() if place.is_file()}
