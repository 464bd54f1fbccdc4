"""What an expression asks of the place where it runs: the state of the run, and its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from windlass_runner.expressions.file_hash import hash_files


class FunctionHost(Protocol):
    """Answers the functions that depend on the run or the files."""

    def success(self, *jobs: str) -> bool:
        """Whether all that came before (or the named jobs) succeeded."""
        ...

    def failure(self, *jobs: str) -> bool:
        """Whether anything that came before (or one of the named jobs) failed."""
        ...

    def always(self) -> bool:
        """True."""
        ...

    def cancelled(self) -> bool:
        """Whether the run was cancelled."""
        ...

    def hash_files(self, *patterns: str) -> str:
        """`hashFiles`: one digest over the files that match; empty where none does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedHost:
    """A host whose state is known beforehand; without `root` no file matches a pattern."""

    succeeded: bool = True
    failed: bool = False
    was_cancelled: bool = False
    root: Path | None = None

    def success(self, *jobs: str) -> bool:
        """Whether all that came before succeeded."""
        return self.succeeded

    def failure(self, *jobs: str) -> bool:
        """Whether anything that came before failed."""
        return self.failed

    def always(self) -> bool:
        """True."""
        return True

    def cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return self.was_cancelled

    def hash_files(self, *patterns: str) -> str:
        """The digest of the matching files under `root`."""
        return hash_files(self.root, patterns) if self.root is not None else ""
