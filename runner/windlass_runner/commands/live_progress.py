"""Progress on a terminal: a table of jobs that lives, and the last words of each that runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from windlass_runner.commands.paint import MARKS, TINTS, duration, tame
from windlass_runner.commands.run_view import JobLine, JobView, RunView, sparkline

if TYPE_CHECKING:
    from rich.console import RenderableType

_URGENCY: Final = ("running", "failure", "timed_out", "waiting", "cancelled", "neutral", "queued", "success")
_FRAME: Final = 5
"""Lines around the table: heading, bar, counts and a margin."""


class LiveProgress:
    """A `Display` on a terminal. Draws at most ten times a second."""

    def __init__(self, console: Console, *, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._spinners: dict[str, Spinner] = {}
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn_at = 0.0

    def update(self, view: RunView, lines: Sequence[JobLine]) -> None:
        if not self._live.is_started:
            self._live.start()
        now = self._clock()
        if now - self._drawn_at >= 0.08 or view.is_final:
            self._drawn_at = now
            self._live.update(self._render(view, now), refresh=True)

    def close(self, view: RunView) -> None:
        self._live.stop()

    def _render(self, view: RunView, now: float) -> RenderableType:
        room = max(3, self._console.height - _FRAME)
        shown = _chosen(view, room)
        parts: list[RenderableType] = [self._heading(view, now), self._table(view, shown, now)]
        hidden = len(view.jobs) - len(shown)
        if hidden > 0:
            parts.append(Text(f"  … and {hidden} more", style="dim"))
        parts.append(_footer(view))
        return Group(*parts)

    def _heading(self, view: RunView, now: float) -> RenderableType:
        done = sum(job.is_final for job in view.jobs.values())
        row = Table.grid(padding=(0, 1))
        row.add_row(
            Text(tame(view.run.name), style="bold"),
            Text(f"#{view.run.number}", style="dim"),
            ProgressBar(total=max(len(view.jobs), 1), completed=done, width=24),
            Text(f"{done}/{len(view.jobs)}"),
            Text(duration(now - (view.run.started_at or view.run.created_at)), style="dim"),
        )
        return row

    def _table(self, view: RunView, shown: Sequence[JobView], now: float) -> Table:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=1)
        table.add_column(no_wrap=True, max_width=36, overflow="ellipsis")
        table.add_column(justify="right", no_wrap=True, min_width=6)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for job in shown:
            style = TINTS.get(job.state, "")
            table.add_row(
                self._mark(job),
                Text(tame(job.name), style=style if job.state != "success" else ""),
                Text(duration(job.duration_s(now)), style="dim"),
                _words(job),
            )
        return table

    def _mark(self, job: JobView) -> RenderableType:
        if job.state == "running":
            return self._spinners.setdefault(job.key, Spinner("dots", style="cyan"))
        self._spinners.pop(job.key, None)
        return Text(MARKS.get(job.state, "?"), style=TINTS.get(job.state, ""))


def _chosen(view: RunView, room: int) -> list[JobView]:
    """The jobs that fit, in the order of the plan: what runs and what failed before what waits."""
    jobs = list(view.jobs.values())
    if len(jobs) <= room:
        return jobs
    rank = {state: number for number, state in enumerate(_URGENCY)}
    numbered = sorted(enumerate(jobs), key=lambda each: (rank.get(each[1].state, 9), each[0]))
    return [job for _, job in sorted(numbered[: room - 1], key=lambda each: each[0])]


def _words(job: JobView) -> Text:
    """The metrics and the last line of a job that runs; why another stands as it does."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for name, values in list(job.metrics.items())[:2]:
        text.append(f"{tame(name)} ", style="cyan")
        text.append(f"{values[-1]:.4g} ")
        text.append(f"{sparkline(values, width=12)}  ", style="green")
    if job.state == "running":
        text.append(tame(job.last_line).expandtabs(), style="dim")
    elif job.reason:
        text.append(tame(job.reason), style="dim" if job.state in ("queued", "skipped") else "")
    return text


def _footer(view: RunView) -> Text:
    if view.is_cancelling and not view.is_final:
        return Text("stopping; Ctrl-C again kills", style="yellow")
    counts = Counter(job.state for job in view.jobs.values())
    text = Text()
    for state, count in sorted(counts.items()):
        text.append(
            f"{MARKS.get(state, '?')} {count} {state.replace('_', ' ')}  ", style=TINTS.get(state, "")
        )
    return text
