"""Where everything lies on disk. One place that knows the layout, for writers and readers alike.

ledger.db                                     the ledger (SQLite)
link.key                                      signs links to what jobs put out
packages/                                     verified action packages, by digest
git/                                          which package a commit of a git source is
mirrors/<repository>/                         bare mirrors and checked-out trees
runs/<run>/logs/<job>/<attempt>.jsonl         kept with the run
runs/<run>/outputs/<job>/<name>               kept with the run
runs/<run>.leaving/                           of a run that is being removed
scratch/<run>/<job>/<attempt>/                gone when the job has ended
caches/<repository>/<name>/                   what jobs keep for later runs
datasets/  models/                            immutable versions
engine/                                       state of the process engine
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def slug(text: str) -> str:
    """A short name that is safe in paths and container names, and differs where the text differs."""
    safe = _UNSAFE.sub("-", text).strip("-.") or "x"
    if safe == text and len(safe) <= 48 and not safe.startswith("."):
        return safe
    return f"{safe[:40]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Storage:
    """The folders of one Windlass (a daemon's, or one repository's local runs)."""

    root: Path

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.db"

    @property
    def link_key(self) -> Path:
        return self.root / "link.key"

    @property
    def packages(self) -> Path:
        return self.root / "packages"

    @property
    def registry(self) -> Path:
        """The registry that a daemon keeps itself, where one was begun."""
        return self.root / "registry"

    @property
    def engine(self) -> Path:
        return self.root / "engine"

    @property
    def scratches(self) -> Path:
        return self.root / "scratch"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def run(self, run_id: str) -> Path:
        return self.runs / run_id

    def leaving(self, run_id: str) -> Path:
        return self.runs / f"{run_id}.leaving"

    def log(self, run_id: str, job_key: str, attempt: int) -> Path:
        return self.run(run_id) / "logs" / slug(job_key) / f"{attempt}.jsonl"

    def outputs(self, run_id: str, job_key: str) -> Path:
        return self.run(run_id) / "outputs" / slug(job_key)

    def cache(self, repository: str) -> Path:
        return self.root / "caches" / slug(repository)

    def scratch(self, run_id: str) -> Path:
        return self.scratches / run_id

    def attempt_scratch(self, run_id: str, job_key: str, attempt: int) -> Path:
        return self.scratch(run_id) / slug(job_key) / str(attempt)
