"""What `windlass lock` says: for people as a table, for programs as one object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from windlass_registry.lock import Lock, LockFile
from windlass_registry.lockfile import LOCK_PATH
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.lock_changes import Change, change_lines, note_lines
from windlass_runner.commands.paint import Paint, tame
from windlass_runner.upkeep.image_pins import Pinned


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReport:
    """All that there is to say of a lock."""

    changes: tuple[Change, ...]
    lock: Lock
    pinned: Pinned
    new: LockFile
    is_written: bool

    def tell(self, invocation: Invocation, *, is_json: bool) -> None:
        """Print it: what changes as data, the rest as words to people."""
        if is_json:
            invocation.print_json(self.to_json())
            return
        paint = Paint(invocation.has_colour(invocation.out))
        for line in self._table(paint):
            invocation.print(line)
        if not self.changes:
            invocation.say(f"{LOCK_PATH} is up to date")
        for line in self._remarks():
            invocation.say(tame(line))
        if self.changes and not self.is_written:
            invocation.say(f"{LOCK_PATH} was not written")

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "pinned": sorted(self.new.pins),
            "images": {name: pin.reference for name, pin in self.new.images.items()},
            "changed": [each.what for each in self.changes if each.after is not None],
            "removed": [each.what for each in self.changes if each.after is None],
            "changes": [each.to_json() for each in self.changes],
            "held_back": [
                {"uses": uses, "version": str(each.release.version), "until": each.until.isoformat()}
                for uses, held in self.lock.held_back.items()
                for each in held
            ],
            "unpinned": [asdict(each) for each in self.pinned.unpinned],
            "warnings": list(self.lock.warnings),
            "written": self.is_written,
        }

    def _table(self, paint: Paint) -> Iterator[str]:
        rows = change_lines(self.changes)
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        for row, change in zip(rows, self.changes, strict=True):
            what, before, after, digest = row
            tint = "dim" if change.after is None else "green" if change.before is None else "yellow"
            line = f"{what:<{widths[0]}}  {paint(before.rjust(widths[1]), 'dim')} → "
            end = digest and " " * (widths[2] - len(after)) + f"  {paint(digest, 'dim')}"
            yield line + paint(after, tint) + end
            yield from (f"    {tame(each)}" for each in note_lines(change))

    def _remarks(self) -> Iterator[str]:
        for uses in sorted(self.lock.young):
            yield f"note: {uses} is younger than the cool-down; nothing older fits"
        for uses, held in self.lock.held_back.items():
            newest = held[0]
            if uses in self.lock.young:
                continue
            yield (
                f"held back: {uses}: {newest.release.version} is younger than the cool-down; it may be taken "
                f"from {newest.until:%Y-%m-%d %H:%M} UTC on, or now with --no-cool-down"
            )
        yield from (f"note: image {name}: {text}" for name, text in self.pinned.notes.items())
        yield from (f"not pinned: {each.what}: {each.why}" for each in self.pinned.unpinned)
        yield from _marked("warning", self.lock.warnings)


def _marked(word: str, texts: Sequence[str]) -> Iterator[str]:
    return (f"{word}: {text}" for text in texts)
