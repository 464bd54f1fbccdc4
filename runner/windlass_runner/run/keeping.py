"""What a job wants to be kept for later runs, taken over when its steps are through. Called by `attempt`."""

from __future__ import annotations

from windlass_runner.run.kept import Kept, is_folder_itself, names_in_use
from windlass_runner.run.ready_attempt import ReadyAttempt


def keep_for_later(attempt: ReadyAttempt) -> None:
    """Take it over. Where that fails, later runs do without; the log says why."""
    around, added = attempt.task.around, attempt.folders.cache_new
    if not is_folder_itself(added):
        return
    scratches = around.storage.scratches
    try:
        around.engine.reclaim([added], image=attempt.image_here())
        cache = around.storage.cache(around.run.repository)
        refused = Kept(cache, limit_bytes=around.cache_bytes).take_over(
            added,
            may_add=not around.plan.event.is_fork,
            in_use=lambda: names_in_use(scratches.glob("*/*/*/control/cache")),
            at=around.clock(),
        )
        for text in refused:
            attempt.log.system(f"not kept for later runs: {text}", kind="warning")
    except OSError as error:
        attempt.log.system(f"nothing was kept for later runs: {error}", kind="warning")
