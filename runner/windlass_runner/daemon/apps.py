"""What people are told of apps: like an output of their job, for as long as they run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord
from windlass_runner.run.app import answering_apps, running_apps
from windlass_runner.run.report import OutputReport, RunReport
from windlass_runner.web.links import Links, app_url


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldApp:
    """An app as everybody may know it who reads its run. `url` None: it does not answer yet, or its owner has
    the link told beside the daemon alone (`Links.tells_apps`). `ends_at`: in seconds since 1970."""

    state: Literal["starting", "open"]
    url: str | None
    ends_at: float | None


def told_apps(ledger: Ledger, run: RunRecord, links: Links | None) -> dict[str, ToldApp]:
    """The apps of a run that goes on, by their jobs. `links` None: nobody was told where the daemon is."""
    is_told = links is not None and links.tells_apps
    urls = app_links(ledger, run, links) if links is not None and is_told else {}
    return {
        key: ToldApp(
            state="starting" if app.address is None else "open",
            url=urls.get(key),
            ends_at=None if app.address is None else app.address.ends_at,
        )
        for key, app in running_apps(ledger, run).items()
    }


def with_apps(report: RunReport, ledger: Ledger, run: RunRecord, links: Links) -> RunReport:
    """The report with each app that can be opened now: its link, or how to ask for it."""
    apps = {key: app for key, app in told_apps(ledger, run, links).items() if app.state == "open"}
    if not apps:
        return report

    def shown(app: ToldApp) -> OutputReport:
        value = None if app.url is not None else f"'windlass show {run.id}' tells its address"
        return OutputReport(name="app", type="app", url=app.url, value=value)

    jobs = tuple(
        replace(job, outputs=(*job.outputs, shown(apps[job.key]))) if job.key in apps else job
        for job in report.jobs
    )
    return replace(report, jobs=jobs)


def app_links(ledger: Ledger, run: RunRecord, links: Links) -> dict[str, str]:
    """What opens each app, by its job. The same each time, for as long as it runs."""
    return {
        key: app_url(links, run.id, key, since=app.since) for key, app in answering_apps(ledger, run).items()
    }
