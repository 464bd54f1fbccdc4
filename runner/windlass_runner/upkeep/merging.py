"""`git merge-file` as a merge of three texts: what everybody's eyes are used to, markers and all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_registry.samples.changes import Merge, Merged
from windlass_runner.forges.git_program import GitProgram

_MARK: Final = b"<<<<<<< "


def merge_with_git(program: GitProgram, *, labels: tuple[str, str, str]) -> Merge:
    """The merge. `labels` are what its markers call ours, the base and theirs.

    It raises OperatorError for a text with markers of another merge, which somebody has to settle first.
    """
    named = [part for label in labels for part in ("-L", label)]

    def merge(ours: bytes, base: bytes, theirs: bytes) -> Merged:
        if any(line.startswith(_MARK) for line in ours.splitlines()):
            if f">>>>>>> {labels[2]}".encode() in ours.splitlines():  # this merge, killed before its end
                return Merged(content=ours, conflicts=1, is_marked=True)
            message = "a file has places between '<<<<<<<' and '>>>>>>>'"
            raise OperatorError(message, remedy="settle them first")
        with tempfile.TemporaryDirectory() as scratch:
            texts = (("ours", ours), ("base", base), ("theirs", theirs))
            places = {name: Path(scratch) / name for name, _ in texts}
            for name, content in texts:
                places[name].write_bytes(content)
            command = ["merge-file", "--diff3", *named, *map(str, places.values())]
            program.local(command, allowed=tuple(range(1, 128)))  # the number of conflicts
            content = places["ours"].read_bytes()
        return Merged(content=content, conflicts=sum(line.startswith(_MARK) for line in content.splitlines()))

    return merge
