"""What checks show of a run beyond its report: read by the caller, since reporting itself reads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from windlass_runner.plan.model import ActionPin


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFigures:
    """The metrics that a run is compared with."""

    ref: str
    """The name of the branch they are of."""
    sha: str
    metrics: Mapping[str, Mapping[str, float]]
    """By job key and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvidence:
    """One job. Texts are masked already, and else as the job wrote them."""

    log_end: Sequence[str] = ()
    """The last lines of its latest attempt's log; only where it failed."""
    courses: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Of each metric the values of the latest attempt, in order (or an even sample of them)."""
    plots: Mapping[str, str] = field(default_factory=dict)
    """Addresses of pictures of the courses, by the metric's name; none where nothing serves them."""
    summary: str = ""
    """What it wrote to `GITHUB_STEP_SUMMARY`: Markdown."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Digests of the images that its latest attempt ran, by the names that asked for them."""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One run."""

    jobs: Mapping[str, JobEvidence] = field(default_factory=dict)
    """By job key."""
    base: BaseFigures | None = None
    ref: str = ""
    reason: str = ""
    """Why it runs: which trigger matched, in words."""
    actions: Sequence[ActionPin] = ()
    notes: Sequence[str] = ()
    """What its author should know though it runs: security notices, yanked releases, no lock."""

    def of(self, job_key: str) -> JobEvidence:
        """That job's; empty where there is none."""
        return self.jobs.get(job_key, JobEvidence())
