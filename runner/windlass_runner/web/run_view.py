"""What the page of a run shows: values, read by `web.run_page` and drawn by `web.run_html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from windlass_runner.daemon.apps import ToldApp
from windlass_runner.run.check_evidence import Evidence
from windlass_runner.run.courses import Point
from windlass_runner.run.log_file import LogLine
from windlass_runner.run.report import JobReport, RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLog:
    """The end of a job's log. `url`: all of it; `cursor`: from where it goes on."""

    url: str
    lines: Sequence[LogLine] = ()
    cursor: str = ""
    is_cut: bool = False
    """Whether there are lines before these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownJob:
    """One job. `waits_for`: names of jobs that have to end before it; `app`: the one that it serves now."""

    report: JobReport
    waits_for: Sequence[str] = ()
    courses: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    log: ShownLog | None = None
    app: ToldApp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRun:
    """One run at a time (`at`). `cursor`: of the newest event that it shows."""

    report: RunReport
    number: int
    name: str
    repository: str
    ref: str
    sha: str
    commit_url: str | None
    created_at: float
    jobs: Sequence[ShownJob]
    evidence: Evidence
    is_final: bool
    cursor: int
    at: float
