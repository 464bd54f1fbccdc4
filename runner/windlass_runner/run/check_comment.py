"""How the newest commit of a pull request stands, in short: the text of a comment there. Pure.

It changes where a run begins or ends, not with everything that happens in between: each change is a request
to the forge. Called by `daemon.status`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from windlass_runner.run.check_evidence import Evidence
from windlass_runner.run.check_markdown import and_more, code, escape, link, table
from windlass_runner.run.check_metrics import metrics_table
from windlass_runner.run.check_summary import STATE_MARKS
from windlass_runner.run.check_title import run_title
from windlass_runner.run.report import UNFINISHED, RunReport

_RUNS_SHOWN: Final = 30
_LINKS_SHOWN: Final = 20
_NAME_LIMIT: Final = 60


def comment_text(sha: str, runs: Sequence[tuple[RunReport, Evidence]]) -> str:
    """The workflows with their states, then of each that has ended its metrics and its files."""
    rows = [
        (STATE_MARKS[run.state], link(run.workflow[:_NAME_LIMIT], run.url), escape(_state(run)))
        for run, _ in runs[:_RUNS_SHOWN]
    ]
    states = and_more(table(("", "Workflow", "State"), rows), len(runs) - len(rows))
    results = [_results(run, evidence) for run, evidence in runs if run.state not in UNFINISHED]
    return "\n\n".join((f"### Checks of {code(sha[:7])}", states, *filter(None, results)))


def _state(run: RunReport) -> str:
    return run.state if run.state in ("queued", "running") else run_title(run, at=0.0)


def _results(run: RunReport, evidence: Evidence) -> str:
    files = [
        link(output.name[:_NAME_LIMIT], output.url)
        for job in run.jobs
        for output in job.outputs
        if output.url
    ]
    parts = [
        metrics_table(run.jobs, evidence),
        and_more(", ".join(files[:_LINKS_SHOWN]), len(files) - _LINKS_SHOWN),
    ]
    body = "\n\n".join(filter(None, parts))
    return f"**{escape(run.workflow, _NAME_LIMIT)}**\n\n{body}" if body else ""
