"""Shows a run while it goes on and says how it ended: for `run`, `rerun`, `start --wait`, `logs -f`."""

from __future__ import annotations

import time
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from windlass_runner.commands.following import Display, Follower, follow, ledger_pause
from windlass_runner.commands.interrupts import Interrupts
from windlass_runner.commands.invocation import Invocation, is_terminal
from windlass_runner.commands.local_run import Workbench, carry_out
from windlass_runner.commands.local_state import OUT, STATE
from windlass_runner.commands.paint import Paint
from windlass_runner.commands.plain_progress import PlainProgress
from windlass_runner.commands.run_records import run_json
from windlass_runner.commands.run_view import RunView
from windlass_runner.commands.summary import LINES_OF_FAILURE, render_summary
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobUpdate, NewRun
from windlass_runner.plan.model import Plan
from windlass_runner.run.gates import has_gate
from windlass_runner.run.log_file import LogLine, read_log
from windlass_runner.run.storage import Storage
from windlass_runner.run.verdicts import judged_of

if TYPE_CHECKING:
    from windlass_runner.commands.doorkeeper import Doorkeeper


def run_and_tell(
    bench: Workbench,
    run: NewRun,
    *,
    plan: Plan,
    kept: Sequence[JobUpdate],
    arguments: Namespace,
    invocation: Invocation,
) -> int:
    """Carry a run out with live progress; the exit code."""
    with Interrupts(clock=bench.clock) as interrupts:
        view = carry_out(
            bench,
            run,
            plan=plan,
            kept=kept,
            display_of=lambda view: choose_display(arguments, invocation, view),
            interrupts=interrupts,
            doorkeeper=doorkeeper_of(plan, bench.ledger, arguments, invocation),
        )
    tell_end(view, bench.ledger, bench.storage, arguments=arguments, invocation=invocation)
    return 130 if interrupts.count else exit_code(view)


def doorkeeper_of(
    plan: Plan, ledger: Ledger, arguments: Namespace, invocation: Invocation
) -> Doorkeeper | None:
    """Who answers to the gates of a run; None: it has none."""
    if not any(has_gate(spec) for spec in plan.specs.values()):
        return None
    import sys

    from windlass_runner.commands.doorkeeper import Doorkeeper

    return Doorkeeper(arguments, invocation, ledger, sys.stdin)


def tell_begun(
    answer: Mapping[str, Any],
    ledger: Ledger,
    storage: Storage,
    *,
    arguments: Namespace,
    invocation: Invocation,
) -> int:
    """What the daemon began: its id, or with `--wait` all of it until its end. The exit code."""
    run_id = answer.get("run_id")
    if run_id is None:
        invocation.say("it has begun already: see 'windlass runs'")
        return 0
    if not arguments.wait:
        if arguments.json:
            invocation.print_json(run_json(ledger, run_id))
        else:
            invocation.print(f"run {run_id}; follow it with: windlass logs -f {run_id}")
        return 0
    follower = Follower(ledger, storage, run_id)
    display = choose_display(arguments, invocation, follower.view)
    try:
        view = follow(follower, display, pause=ledger_pause(ledger, at_most_s=0.1))
    finally:
        display.close(follower.view)
    tell_end(view, ledger, storage, arguments=arguments, invocation=invocation)
    return exit_code(view)


def exit_code(view: RunView) -> int:
    """0 where nothing failed that may not; else 1."""
    return 0 if view.state in ("success", "skipped", "neutral") else 1


def choose_display(arguments: Namespace, invocation: Invocation, view: RunView) -> Display:
    """A live table on a terminal, plain lines elsewhere (with `--json`: beside the data)."""
    stream = invocation.err if arguments.json else invocation.out
    is_plain = getattr(arguments, "plain", False) or arguments.json
    if is_plain or not is_terminal(stream) or invocation.environment.get("TERM") == "dumb":
        return PlainProgress(stream, Paint(invocation.has_colour(stream)))
    from rich.console import Console

    from windlass_runner.commands.live_progress import LiveProgress

    console = Console(file=stream, no_color=not invocation.has_colour(stream), highlight=False)
    return LiveProgress(console, clock=time.time)


def tell_end(
    view: RunView, ledger: Ledger, storage: Storage, *, arguments: Namespace, invocation: Invocation
) -> None:
    """The summary of a run that has ended, or its data."""
    if arguments.json:
        invocation.print_json(run_json(ledger, view.run.id))
        return
    tail = failure_tail(view, storage)
    paint = Paint(invocation.has_colour(invocation.out))
    text = render_summary(
        view,
        paint=paint,
        now=time.time(),
        tail=tail,
        shorten=short_paths(storage, view.run.id),
        judged=judged_of(ledger.runs.attempts(view.run.id)),
    )
    invocation.out.write(text)


def short_paths(storage: Storage, run_id: str) -> Callable[[str], str]:
    """Outputs of local runs are shown where `lay_out` puts them; others as they are."""
    if storage.root.parts[-2:] != STATE.parts:
        return str
    kept = f"{storage.run(run_id)}/outputs/"
    return lambda path: f"{OUT}/{run_id}/{path.removeprefix(kept)}" if path.startswith(kept) else path


def failure_tail(view: RunView, storage: Storage) -> list[LogLine]:
    """The last lines of the job that failed first."""
    job = view.jobs.get(view.failed_first or "")
    if job is None or not job.attempt:
        return []
    return last_lines(storage, view.run.id, job.key, job.attempt, count=LINES_OF_FAILURE)


def last_lines(storage: Storage, run_id: str, job_key: str, attempt: int, *, count: int) -> list[LogLine]:
    """The last lines of one attempt's log."""
    kept: deque[LogLine] = deque(maxlen=count)
    path, cursor = storage.log(run_id, job_key, attempt), 0
    while True:
        lines, behind = read_log(path, cursor)
        if behind == cursor:
            return list(kept)
        kept.extend(line for line in lines if line.kind not in ("endgroup", "debug"))
        cursor = behind
