"""The page of a run as HTML. Pure: a `ShownRun` in, a document out; every text of a job's is escaped."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from windlass_registry.server.markup import Html, fill, join
from windlass_runner.run.check_title import BROKEN, number_text, run_title
from windlass_runner.run.log_file import LogLine
from windlass_runner.run.plot import plot_svg
from windlass_runner.run.report import OutputReport, RemarkReport, duration_text
from windlass_runner.web.links import job_anchor
from windlass_runner.web.run_view import ShownJob, ShownLog, ShownRun

_PLOTS_SHOWN: Final = 12
_WORDS: Final = {"timed_out": "timed out", "neutral": "failed, allowed"}
_NOTHING: Final = Html("")
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
</body>
</html>
"""


def page_of(run: ShownRun) -> str:
    """The whole document."""
    reload = (
        _NOTHING if run.is_final else Html('<noscript><meta http-equiv="refresh" content="5"></noscript>\n')
    )
    return fill(
        _PAGE,
        reload=reload,
        state=_word(run.report.state),
        name=run.name,
        number=run.number,
        cursor=run.cursor,
        is_final="yes" if run.is_final else "no",
        head=_head(run),
        problems=_problems(run),
        jobs=_jobs(run),
        details=join(_details(job, place, run) for place, job in enumerate(run.jobs, 1)),
        ran=_what_ran(run),
    )


def spoken(lines: Iterable[LogLine]) -> list[LogLine]:
    """The lines that people read: without the ends of groups, and what was written for debugging."""
    return [line for line in lines if line.kind not in ("endgroup", "debug")]


def _head(run: ShownRun) -> Html:
    report = run.report
    facts = [
        fill("<div><dt>Repository</dt><dd>{it}</dd></div>", it=run.repository),
        fill("<div><dt>Commit</dt><dd>{commit}{ref}</dd></div>", commit=_commit(run), ref=_ref(run)),
        fill("<div><dt>Started</dt><dd>{it}</dd></div>", it=_moment(report.started or run.created_at)),
        fill(
            "<div><dt>Took</dt><dd>{it}</dd></div>", it=_took(report.started, report.finished, run.at) or "–"
        ),
    ]
    if run.evidence.reason:
        facts.append(fill("<div><dt>Because</dt><dd>{it}</dd></div>", it=run.evidence.reason))
    return fill(
        '<header data-part="head">\n<p class="kind">{workflow}</p>\n'
        "<h1>{pill}{name} <small>#{number}</small></h1>\n<p>{title}</p>\n<dl>{facts}</dl>\n</header>",
        workflow=report.workflow,
        pill=_pill(report.state),
        name=run.name,
        number=run.number,
        title=run_title(report, at=run.at),
        facts=join(facts),
    )


def _commit(run: ShownRun) -> Html:
    code = fill("<code>{it}</code>", it=run.sha[:10])
    return code if run.commit_url is None else _link(run.commit_url, code)


def _ref(run: ShownRun) -> str:
    ref = run.ref.removeprefix("refs/heads/").removeprefix("refs/tags/").removeprefix("refs/")
    return f" on {ref}" if ref else ""


def _problems(run: ShownRun) -> Html:
    """What is wrong with a workflow file, and why a run waits or ended."""
    reason = run.report.reason
    said = [fill('<p class="reason">{it}</p>', it=reason)] if reason else []
    body = join([*said, _remarks(run.report.remarks)])
    return fill('<section data-part="problems">{body}</section>', body=body)


def _jobs(run: ShownRun) -> Html:
    if not run.jobs:
        return _NOTHING
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
        pill=_pill(report.state),
        took=_took(report.started, report.finished, at),
        remark=_remark_of(job),
    )


def _remark_of(job: ShownJob) -> str:
    parts = [f"attempt {job.report.attempt}"] if job.report.attempt > 1 else []
    if job.report.reason:
        parts.append(job.report.reason)
    elif job.waits_for:
        parts.append(f"waits for {', '.join(job.waits_for)}")
    return " · ".join(parts)


def _details(job: ShownJob, place: int, run: ShownRun) -> Html:
    """All that is known of one job, unfolded where people look first."""
    body = [_remarks(job.report.remarks), _metrics(job, run), _outputs(job.report.outputs)]
    summary = run.evidence.of(job.report.key).summary
    if summary.strip():
        body.append(fill("<h3>Summary</h3><pre>{it}</pre>", it=summary.strip()[:20_000]))
    is_open = job.report.state in (*BROKEN, "neutral", "running") or len(run.jobs) == 1
    inner = fill('<div data-part="{anchor}-facts">{body}</div>', anchor=job_anchor(place), body=join(body))
    return fill(
        '<details id="{anchor}"{open}>\n<summary data-part="{anchor}-head">{pill}<strong>{name}</strong>'
        " <span>{took}</span></summary>\n{inner}\n{log}\n</details>\n",
        anchor=job_anchor(place),
        open=Html(" open") if is_open else _NOTHING,
        pill=_pill(job.report.state),
        name=job.report.name,
        took=_took(job.report.started, job.report.finished, run.at),
        inner=inner,
        log=_log(job.log, job_anchor(place)) if job.log is not None else _NOTHING,
    )


def _metrics(job: ShownJob, run: ShownRun) -> Html:
    figures = _figures(job)
    if not figures:
        return _NOTHING
    base = run.evidence.base
    compared = base.metrics.get(job.report.key, {}) if base is not None else {}
    rows = join(
        _figure(name, value, compared.get(name), with_base=bool(compared))
        for name, value in sorted(figures.items())
    )
    head = _NOTHING
    if base is not None and compared:
        head = fill('<th class="number">{ref} ({sha})</th>', ref=base.ref, sha=base.sha[:7])
    plots = [(name, course) for name, course in sorted(job.courses.items()) if len(course) > 1]
    pictures = join(
        fill("<figure>{svg}</figure>", svg=Html(plot_svg(name, course)))
        for name, course in plots[:_PLOTS_SHOWN]
    )
    return fill(
        '<h3>Metrics</h3>\n<table><thead><tr><th>Metric</th><th class="number">Value</th>'
        "{head}</tr></thead><tbody>{rows}</tbody></table>\n"
        '<div class="plots">{pictures}</div>',
        head=head,
        rows=rows,
        pictures=pictures,
    )


def _figure(name: str, value: float, base: float | None, *, with_base: bool) -> Html:
    compared = _NOTHING
    if with_base:
        compared = fill('<td class="number">{it}</td>', it="" if base is None else number_text(base))
    return fill(
        '<tr><td>{name}</td><td class="number">{value}</td>{compared}</tr>',
        name=name,
        value=number_text(value),
        compared=compared,
    )


def _figures(job: ShownJob) -> dict[str, float]:
    """Of a job that goes on what it wrote last."""
    last = {name: course[-1].value for name, course in job.courses.items() if course}
    return {**last, **job.report.metrics}


def _outputs(outputs: Sequence[OutputReport]) -> Html:
    if not outputs:
        return _NOTHING
    rows = join(
        fill(
            '<tr><td>{name}</td><td>{type}</td><td class="text">{what}</td>'
            '<td class="number">{size}</td></tr>',
            name=_link(output.url, output.name),
            type=output.type,
            what=output.ref or output.value or output.digest or "",
            size=_size(output.size_bytes),
        )
        for output in outputs
    )
    return fill(
        "<h3>Outputs</h3>\n<table><thead><tr><th>Name</th><th>Type</th><th></th>"
        '<th class="number">Size</th></tr></thead><tbody>{rows}</tbody></table>',
        rows=rows,
    )


def _remarks(remarks: Sequence[RemarkReport]) -> Html:
    if not remarks:
        return _NOTHING
    rows = join(
        fill(
            '<li class="{level}">{place}{message}</li>',
            level=remark.level if remark.level in ("error", "warning") else "notice",
            place=_place(remark),
            message=remark.message,
        )
        for remark in remarks
    )
    return fill('<ul class="remarks">{rows}</ul>', rows=rows)


def _place(remark: RemarkReport) -> Html:
    if not remark.file:
        return _NOTHING
    line = f":{remark.line}" if remark.line else ""
    return fill("<code>{file}{line}</code> ", file=remark.file, line=line)


def _log(log: ShownLog, name: str) -> Html:
    whole = _link(log.url, "the whole log")
    if not log.cursor:
        return fill('<p class="log-link">{whole}</p>', whole=whole)
    return fill(
        '<h3>Log</h3>\n{cut}<pre class="log" id="{name}-log" tabindex="0"'
        ' data-log="{url}" data-cursor="{cursor}">'
        '{lines}</pre>\n<p class="log-link">{whole}</p>',
        cut=Html('<p class="hint">its last lines</p>\n') if log.is_cut else _NOTHING,
        name=name,
        url=log.url,
        cursor=log.cursor,
        lines=join(_lines(log.lines)),
        whole=whole,
    )


def _lines(lines: Sequence[LogLine]) -> Iterator[Html]:
    for line in spoken(lines):
        if line.kind:
            yield fill('<span class="{kind}">{text}</span>\n', kind=line.kind, text=line.text)
        else:
            yield fill("{text}\n", text=line.text)


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
    table = fill("<table><tbody>{body}</tbody></table>", body=body) if rows else _NOTHING
    where = fill("<p>On {hosts}.</p>", hosts=", ".join(hosts)) if hosts else _NOTHING
    return fill(
        '<section data-part="ran">\n<h2>What ran</h2>\n{table}\n{where}\n<p class="hint">Run {id} · '
        "<code>windlass show {id}</code></p>\n</section>",
        table=table,
        where=where,
        id=run.report.run or "",
    )


def _pill(state: str) -> Html:
    return fill('<span class="pill {state}">{word}</span>', state=state, word=_word(state))


def _word(state: str) -> str:
    return _WORDS.get(state, state)


def _link(url: str | None, what: object) -> Html:
    """A link where there is an address of the web; anything else stays text."""
    if url is None or not url.startswith(("http://", "https://")):
        return fill("{what}", what=what)
    return fill('<a href="{url}" rel="noreferrer">{what}</a>', url=url, what=what)


def _moment(at: float) -> Html:
    moment = time.gmtime(at)
    return fill(
        '<time datetime="{exact}">{text}</time>',
        exact=time.strftime("%Y-%m-%dT%H:%M:%SZ", moment),
        text=time.strftime("%Y-%m-%d %H:%M UTC", moment),
    )


def _took(started: float | None, finished: float | None, at: float) -> str:
    if started is None:
        return ""
    return duration_text(max((at if finished is None else finished) - started, 0.0))


def _size(count: int | None) -> str:
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"
