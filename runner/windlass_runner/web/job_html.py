"""One job on the page of its run: remarks, metrics with plots, outputs, log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from windlass_registry.server.markup import Html, fill, join
from windlass_runner.run.check_title import BROKEN, number_text
from windlass_runner.run.log_file import LogLine
from windlass_runner.run.plot import plot_svg
from windlass_runner.run.report import OutputReport
from windlass_runner.run.verdicts import VERDICT_WORDS, Judged, expected
from windlass_runner.web.app_html import app_part
from windlass_runner.web.links import job_anchor
from windlass_runner.web.pieces import NOTHING, link, pill, remarks_list, took
from windlass_runner.web.run_view import ShownJob, ShownLog, ShownRun

_PLOTS_SHOWN: Final = 12


def job_details(job: ShownJob, place: int, run: ShownRun) -> Html:
    """All that is known of one job, unfolded where people look first."""
    body = [
        remarks_list(job.report.remarks),
        _expectations(job.report.expectations),
        _metrics(job, run),
        _outputs(job.report.outputs),
    ]
    summary = run.evidence.of(job.report.key).summary
    if summary.strip():
        body.append(fill("<h3>Summary</h3><pre>{it}</pre>", it=summary.strip()[:20_000]))
    is_open = job.report.state in (*BROKEN, "neutral", "running") or len(run.jobs) == 1
    inner = fill('<div data-part="{anchor}-facts">{body}</div>', anchor=job_anchor(place), body=join(body))
    return fill(
        '<details id="{anchor}"{open}>\n<summary data-part="{anchor}-head">{pill}<strong>{name}</strong>'
        " <span>{took}</span></summary>\n{app}\n{inner}\n{log}\n</details>\n",
        anchor=job_anchor(place),
        open=Html(" open") if is_open else NOTHING,
        pill=pill(job.report.state),
        name=job.report.name,
        took=took(job.report.started, job.report.finished, run.at),
        app=app_part(job, f"{job_anchor(place)}-app", run),
        inner=inner,
        log=_log(job.log, job_anchor(place)) if job.log is not None else NOTHING,
    )


def _expectations(expectations: Sequence[Judged]) -> Html:
    if not expectations:
        return NOTHING
    rows = join(
        fill(
            '<tr><td>{metric}</td><td>{expected}</td><td class="number">{found}</td><td>{verdict}</td></tr>',
            metric=one.metric,
            expected=expected(one),
            found="" if one.found is None else number_text(one.found),
            verdict=f"{'✗' if one.is_broken else '✓'} {VERDICT_WORDS[one.verdict]}",
        )
        for one in expectations
    )
    return fill(
        "<h3>Expectations</h3>\n<table><thead><tr><th>Metric</th><th>Expected</th>"
        '<th class="number">Found</th><th>Verdict</th></tr></thead><tbody>{rows}</tbody></table>',
        rows=rows,
    )


def _metrics(job: ShownJob, run: ShownRun) -> Html:
    figures = _figures(job)
    if not figures:
        return NOTHING
    base = run.evidence.base
    compared = base.metrics.get(job.report.key, {}) if base is not None else {}
    rows = join(
        _figure(name, value, compared.get(name), with_base=bool(compared))
        for name, value in sorted(figures.items())
    )
    head = NOTHING
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
    compared = NOTHING
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


def _outputs(put_out: Sequence[OutputReport]) -> Html:
    outputs = [output for output in put_out if output.type != "app"]  # it has a part of its own
    if not outputs:
        return NOTHING
    rows = join(
        fill(
            '<tr><td>{name}</td><td>{type}</td><td class="text">{what}</td>'
            '<td class="number">{size}</td></tr>',
            name=link(output.url, output.name),
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


def _log(log: ShownLog, name: str) -> Html:
    whole = link(log.url, "the whole log")
    if not log.cursor:
        return fill('<p class="log-link">{whole}</p>', whole=whole)
    return fill(
        '<h3>Log</h3>\n{cut}<pre class="log" id="{name}-log" tabindex="0"'
        ' data-log="{url}" data-cursor="{cursor}">'
        '{lines}</pre>\n<p class="log-link">{whole}</p>',
        cut=Html('<p class="hint">its last lines</p>\n') if log.is_cut else NOTHING,
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


def spoken(lines: Iterable[LogLine]) -> list[LogLine]:
    """The lines that people read: without the ends of groups, and what was written for debugging."""
    return [line for line in lines if line.kind not in ("endgroup", "debug")]


def _size(count: int | None) -> str:
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"
