"""How apps that answer are shown: like an output of their job, for as long as they run."""

from __future__ import annotations

from dataclasses import replace

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord
from windlass_runner.run.app import answering_apps
from windlass_runner.run.report import OutputReport, RunReport
from windlass_runner.web.links import Links, app_url


def with_apps(report: RunReport, ledger: Ledger, run: RunRecord, links: Links) -> RunReport:
    """The report with each app that can be opened now: its link, or how to ask for it."""
    apps = app_links(ledger, run, links)
    if not apps:
        return report

    def shown(key: str) -> OutputReport:
        if links.tells_apps:
            return OutputReport(name="app", type="app", url=apps[key])
        return OutputReport(name="app", type="app", value=f"'windlass show {run.id}' tells its address")

    jobs = tuple(
        replace(job, outputs=(*job.outputs, shown(job.key))) if job.key in apps else job
        for job in report.jobs
    )
    return replace(report, jobs=jobs)


def app_links(ledger: Ledger, run: RunRecord, links: Links) -> dict[str, str]:
    """What opens each app, by its job. The same each time, for as long as it runs."""
    return {
        key: app_url(links, run.id, key, since=since) for key, since in answering_apps(ledger, run).items()
    }
