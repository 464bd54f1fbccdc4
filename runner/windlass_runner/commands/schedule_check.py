"""The check of `windlass doctor` that tells what the daemon runs by the clock next."""

from __future__ import annotations

import time
from typing import Final

from windlass_registry.errors import WindlassError
from windlass_runner.commands.checks import Check
from windlass_runner.commands.paint import duration, tame
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.schedules import Schedule
from windlass_runner.run.storage import Storage

_SHOWN: Final = 5
_OVERDUE_S: Final = 120.0


def check_schedules(storage: Storage, database: str | None, *, now: float) -> Check | None:
    """The next ones, and whether one is overdue; None: nothing runs by the clock."""
    if database is None and not storage.ledger.is_file():
        return None
    try:
        with Ledger.open(database or str(storage.ledger), create=False) as ledger:
            found = ledger.schedules.of()
    except WindlassError:  # told by the check of the ledger
        return None
    if not found:
        return None
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    text = "; ".join(_told(schedule, now) for schedule in found[:_SHOWN]) + more
    if found[0].due_at < now - _OVERDUE_S:
        remedy = "start the daemon ('windlass serve'), or read on /healthz what keeps it"
        return Check(name="schedules", state="warn", text=text, remedy=remedy)
    return Check(name="schedules", state="ok", text=text)


def _told(schedule: Schedule, now: float) -> str:
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(schedule.due_at))
    away = schedule.due_at - now
    relation = f"in {duration(away)}" if away >= 0 else f"{duration(-away)} ago"
    note = f" (last time: {tame(schedule.note)})" if schedule.note else ""
    return f"{tame(schedule.workflow)} '{schedule.cron}' is due {when}, {relation}{note}"
