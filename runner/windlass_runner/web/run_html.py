"""The page of a run as HTML. Pure: a `ShownRun` in, a document out; every text of a job's is escaped."""

from __future__ import annotations

from typing import Final

from windlass_registry.server.markup import Html, fill, join
from windlass_runner.run.check_title import run_title
from windlass_runner.web.app_html import STOPPING
from windlass_runner.web.job_html import job_details
from windlass_runner.web.links import job_anchor
from windlass_runner.web.pieces import NOTHING, link, moment, pill, remarks_list, took, word_of
from windlass_runner.web.run_view import ShownJob, ShownRun

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
{reload}<title>{state}: {name} #{number}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/run.css">
<script src="/assets/run.js" defer></script>
</head>
<body>
<main data-cursor="{cursor}" data-final="{is_final}">
{head}
{problems}
{jobs}
{details}
{ran}
</main>
{stopping}
</body>
</html>
"""


def page_of(run: ShownRun) -> str:
    """The whole document."""
    reload = (
        NOTHING if run.is_final else Html('<noscript><meta http-equiv="refresh" content="5"></noscript>\n')
    )
    return fill(
        _PAGE,
        reload=reload,
        state=word_of(run.report.state),
        name=run.name,
        number=run.number,
        cursor=run.cursor,
        is_final="yes" if run.is_final else "no",
        head=_head(run),
        problems=_problems(run),
        jobs=_jobs(run),
        details=join(job_details(job, place, run) for place, job in enumerate(run.jobs, 1)),
        ran=_what_ran(run),
        stopping=NOTHING if run.is_final else STOPPING,
    )


def _head(run: ShownRun) -> Html:
    report = run.report
    facts = [
        fill("<div><dt>Repository</dt><dd>{it}</dd></div>", it=run.repository),
        fill("<div><dt>Commit</dt><dd>{commit}{ref}</dd></div>", commit=_commit(run), ref=_ref(run)),
        fill("<div><dt>Started</dt><dd>{it}</dd></div>", it=moment(report.started or run.created_at)),
        fill(
            "<div><dt>Took</dt><dd>{it}</dd></div>", it=took(report.started, report.finished, run.at) or "–"
        ),
    ]
    if run.evidence.reason:
        facts.append(fill("<div><dt>Because</dt><dd>{it}</dd></div>", it=run.evidence.reason))
    return fill(
        '<header data-part="head">\n{kind}'
        "<h1>{pill}{name} <small>#{number}</small></h1>\n<p>{title}</p>\n<dl>{facts}</dl>\n</header>",
        kind=NOTHING
        if report.workflow == run.name
        else fill('<p class="kind">{it}</p>\n', it=report.workflow),
        pill=pill(report.state),
        name=run.name,
        number=run.number,
        title=run_title(report, at=run.at),
        facts=join(facts),
    )


def _commit(run: ShownRun) -> Html:
    code = fill("<code>{it}</code>", it=run.sha[:10])
    return code if run.commit_url is None else link(run.commit_url, code)


def _ref(run: ShownRun) -> str:
    ref = run.ref.removeprefix("refs/heads/").removeprefix("refs/tags/").removeprefix("refs/")
    return f" on {ref}" if ref else ""


def _problems(run: ShownRun) -> Html:
    """What is wrong with a workflow file, and why a run waits or ended."""
    reason = run.report.reason
    said = [fill('<p class="reason">{it}</p>', it=reason)] if reason else []
    body = join([*said, remarks_list(run.report.remarks)])
    return fill('<section data-part="problems">{body}</section>', body=body)


def _jobs(run: ShownRun) -> Html:
    if not run.jobs:
        return NOTHING
    rows = join(_row(job, place, run.at) for place, job in enumerate(run.jobs, 1))
    return fill(
        '<section data-part="jobs">\n<h2>Jobs</h2>\n<table>\n<thead><tr><th>Job</th><th>State</th>'
        '<th class="number">Took</th><th>Remarks</th></tr></thead>\n'
        "<tbody>{rows}</tbody>\n</table>\n</section>",
        rows=rows,
    )


def _row(job: ShownJob, place: int, at: float) -> Html:
    report = job.report
    return fill(
        '<tr><td><a href="#{anchor}">{name}</a></td><td>{pill}</td><td class="number">{took}</td>'
        "<td>{remark}</td></tr>\n",
        anchor=job_anchor(place),
        name=report.name,
        pill=pill(report.state),
        took=took(report.started, report.finished, at),
        remark=_remark_of(job),
    )


def _remark_of(job: ShownJob) -> str:
    parts = [f"attempt {job.report.attempt}"] if job.report.attempt > 1 else []
    if job.report.reason:
        parts.append(job.report.reason)
    elif job.waits_for:
        parts.append(f"waits for {', '.join(job.waits_for)}")
    return " · ".join(parts)


def _what_ran(run: ShownRun) -> Html:
    pins = [(pin.name, pin.version or "", pin.digest) for pin in run.evidence.actions]
    images = {pair for job in run.jobs for pair in run.evidence.of(job.report.key).images.items()}
    rows = [("action", f"{name} {version}".strip(), digest) for name, version, digest in pins]
    rows += [("image", name, digest) for name, digest in sorted(images)]
    hosts = sorted({found for job in run.jobs if (found := run.evidence.of(job.report.key).host)})
    body = join(
        fill(
            "<tr><td>{kind}</td><td>{name}</td><td><code>{digest}</code></td></tr>",
            kind=kind,
            name=name,
            digest=digest,
        )
        for kind, name, digest in rows
    )
    table = fill("<table><tbody>{body}</tbody></table>", body=body) if rows else NOTHING
    where = fill("<p>On {hosts}.</p>", hosts=", ".join(hosts)) if hosts else NOTHING
    return fill(
        '<section data-part="ran">\n<h2>What ran</h2>\n{table}\n{where}\n<p class="hint">Run {id} · '
        "<code>windlass show {id}</code></p>\n</section>",
        table=table,
        where=where,
        id=run.report.run or "",
    )
