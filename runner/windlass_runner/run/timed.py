"""Attempts under their timeouts, and beyond times at which the engine is away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from windlass_runner.engines.base import EngineUnavailable
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.run.alarms import Alarms, behind
from windlass_runner.run.attempt import Attempt
from windlass_runner.run.ending import Ending

DEFAULT_TIMEOUT_MINUTES: Final = 360.0
ENGINE_RETRY_S: Final = 2.0
log = logging.getLogger("windlass_runner.timed")


class TimedAttempts:
    """See the module. Safe to use from several threads.

    `closing` is set when this process lets go of what it runs. `waits_for_engine`: see `Host`.
    """

    def __init__(self, alarms: Alarms, *, closing: threading.Event, waits_for_engine: bool) -> None:
        self._alarms = alarms
        self._closing = closing
        self._waits_for_engine = waits_for_engine

    def run(
        self,
        attempt: Attempt,
        *,
        contexts: Callable[[], Mapping[str, Any]],
        ran_s: float,
        on_started: Callable[[], None],
    ) -> Ending | None:
        """How the attempt ended; None where this process lets go of it. `contexts`: what its timeout may ask
        for. `ran_s`: how long it ran already, in an earlier process."""
        minutes = _timeout_minutes(attempt.spec.timeout_minutes, contexts)
        because = f"ran longer than {minutes:g} minutes"
        alarm = self._alarms.after(
            max(0.0, minutes * 60 - ran_s),
            lambda: behind("timeout", lambda: attempt.stop("timeout", because)),
        )
        try:
            return self._outlast(attempt, on_started)
        finally:
            alarm.cancel()

    def _outlast(self, attempt: Attempt, on_started: Callable[[], None]) -> Ending | None:
        """Run it, again as long as the engine goes away."""
        while True:
            try:
                ending = attempt.run(on_started)
                return None if self._closing.is_set() and ending.state != "success" else ending
            except EngineUnavailable as error:
                if not self._waits_for_engine:
                    return Ending(state="failure", cause="host-lost", reason=str(error))
                log.warning("run %s waits for its engine: %s", attempt.task.around.run.id, error)
                if self._closing.wait(ENGINE_RETRY_S):
                    return None


def _timeout_minutes(written: float | str | None, contexts: Callable[[], Mapping[str, Any]]) -> float:
    if isinstance(written, (int, float)):
        return float(written)
    if written is None:
        return DEFAULT_TIMEOUT_MINUTES
    try:
        return float(evaluate_template(written, contexts()))
    except (ExpressionError, TypeError, ValueError):
        return DEFAULT_TIMEOUT_MINUTES
