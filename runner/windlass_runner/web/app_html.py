"""The app of a job on the page of its run: what opens it, the time that is left, what stops it. Pure.

`assets/run.js` stops it, by the API, in the name of whoever gives it a token: the page itself is read by
everybody who has its link, and no cookie lets anybody do anything.
"""

from __future__ import annotations

import math
from typing import Final
from urllib.parse import quote

from windlass_registry.server.markup import Html, fill
from windlass_runner.daemon.apps import ToldApp
from windlass_runner.web.api_views import run_url
from windlass_runner.web.pieces import NOTHING, moment
from windlass_runner.web.run_view import ShownJob, ShownRun

STOPPING: Final = Html("""<dialog id="stop">
<form method="dialog">
<h2>Stop the app of <span></span>?</h2>
<p>Its job succeeds then, and what it put out is kept.</p>
<label>Your token, with the scope <code>run</code>
<input type="password" name="token" autocomplete="off" required></label>
<p class="hint"><code>windlass tokens create NAME --scope run</code> makes one. This page forgets it when you
leave.</p>
<p class="reason" role="alert" hidden></p>
<p><button value="stop">Stop it</button> <button value="leave" formnovalidate>Let it run</button></p>
</form>
</dialog>""")
"""What asks for a token, for all apps of a page."""


def app_part(job: ShownJob, name: str, run: ShownRun) -> Html:
    """A part of that name; empty for a job that serves none."""
    body = NOTHING if job.app is None else _app(job.app, job, run)
    return fill('<div data-part="{name}">{body}</div>', name=name, body=body)


def _app(app: ToldApp, job: ShownJob, run: ShownRun) -> Html:
    if app.state == "starting":
        return Html('<p class="app">The app does not answer yet.</p>')
    stop = f"{run_url(run.report.run or '')}/jobs/{quote(job.report.key, safe='')}/stop"
    return fill(
        '<p class="app">{opens}{left}'
        ' <button type="button" data-stop="{stop}" data-job="{job}">Stop…</button></p>',
        opens=_opens(app, run),
        left=NOTHING if app.ends_at is None else _left(app.ends_at, run.at),
        stop=stop,
        job=job.report.name,
    )


def _opens(app: ToldApp, run: ShownRun) -> Html:
    if app.url is None:
        return fill("<code>windlass show {id}</code> tells how to open the app.", id=run.report.run or "")
    return fill('<a href="{url}" target="_blank" rel="noreferrer">Open the app</a>', url=app.url)


def _left(ends_at: float, at: float) -> Html:
    return fill(
        ' <span class="hint">It ends by itself <span data-ends="{ends_at}">{left}</span>, at {moment}</span>',
        ends_at=f"{ends_at:.0f}",
        left=left_text(ends_at - at),
        moment=moment(ends_at),
    )


def left_text(left_s: float) -> str:
    """As `assets/run.js` says it, too."""
    minutes = math.ceil(left_s / 60)
    if minutes <= 1:
        return "within a minute"
    return f"in {minutes} min" if minutes < 120 else f"in {minutes // 60} h {minutes % 60} min"
