"""What `GET /healthz` says: whether we do our work, and where it hurts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from windlass_registry.errors import WindlassError
from windlass_runner.daemon.retention import Retained
from windlass_runner.daemon.worker import Worker
from windlass_runner.ledger.ledger import Ledger

LOW_DISK_BYTES: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryHealth:
    """How it fares with one repository. Errors are None where there are none."""

    name: str
    url: str
    polled_at: float | None
    poll_error: str | None
    intake_error: str | None
    post_error: str | None
    comment_error: str | None = None
    """Why the last comment on a pull request was refused; nothing waits for it."""
    reconcile_error: str | None = None
    """Why the forge does not tell what its webhooks did not bring."""
    schedule_error: str | None = None
    """Why its schedules cannot be read, or run."""
    sample_error: str | None = None
    """Why newer releases of its samples cannot be offered."""

    @property
    def errors(self) -> tuple[str, ...]:
        """All of them, each once."""
        found = (
            self.poll_error,
            self.intake_error,
            self.post_error,
            self.comment_error,
            self.reconcile_error,
            self.schedule_error,
            self.sample_error,
        )
        return tuple(dict.fromkeys(error for error in found if error is not None))


class Health:
    """Asks the parts of the daemon how they fare. Safe to use from several threads."""

    def __init__(
        self,
        *,
        version: str,
        storage: Path,
        ledger: Ledger,
        workers: Iterable[Worker],
        repositories: Callable[[], list[RepositoryHealth]],
        engine: Callable[[], dict[str, Any]],
        active: Callable[[], int],
        backlog: Callable[[], int],
        retained: Callable[[], Retained],
        credentials: Callable[[], Mapping[str, str]] = dict,
        schedules: Callable[[], list[dict[str, Any]]] = list,
        sample_updates: Callable[[], list[dict[str, Any]]] = list,
    ) -> None:
        """`credentials`: what is wrong with some, by their names; `schedules`: what is due next;
        `sample_updates`: what was offered last."""
        self._version = version
        self._storage = storage
        self._ledger = ledger
        self._workers = tuple(workers)
        self._repositories = repositories
        self._engine = engine
        self._active = active
        self._backlog = backlog
        self._retained = retained
        self._credentials = credentials
        self._schedules = schedules
        self._sample_updates = sample_updates

    def answer(self) -> tuple[int, dict[str, Any]]:
        """The HTTP status (503: nothing can be taken in now) and the body."""
        problems: list[str] = []
        queue = self._queue(problems)
        can_write = self._can_write(problems)
        engine = self._engine()
        if engine.get("error"):
            problems.append(f"engine: {engine['error']}")
        disk = self._disk(problems)
        retained = self._retained()
        if retained.problem is not None:
            problems.append(f"retention: {retained.problem}")
        problems += [f"{state.name}: {state.error}" for state in self._states() if state.error]
        problems += [f"{state.name}: not running" for state in self._states() if not state.is_alive]
        repositories = self._repositories()
        for repository in repositories:
            problems += [f"{repository.name}: {error}" for error in repository.errors]
        credentials = self._credentials()
        problems += [f"{name}: {error}" for name, error in credentials.items()]
        body = {
            "status": "failing" if not can_write else "degraded" if problems else "ok",
            "version": self._version,
            "problems": problems,
            "engine": engine,
            "disk": disk,
            "storage": asdict(retained),
            "queue": queue,
            "repositories": [asdict(repository) for repository in repositories],
            "credentials": credentials,
            "schedules": self._told("schedules", self._schedules, problems),
            "sample_updates": self._told("sample updates", self._sample_updates, problems),
        }
        return (200 if can_write else 503), body

    def _told(
        self, what: str, tell: Callable[[], list[dict[str, Any]]], problems: list[str]
    ) -> list[dict[str, Any]]:
        try:
            return tell()
        except WindlassError as error:
            problems.append(f"{what}: {error}")
            return []

    def _states(self) -> list[Any]:
        return [worker.state() for worker in self._workers]

    def _queue(self, problems: list[str]) -> dict[str, int | None]:
        try:
            unfinished = self._ledger.runs.unfinished()
            counts = self._ledger.inbox.counts()
            return {
                "unfinished": len(unfinished),
                "active": self._active(),
                "inbox": counts.waiting,
                "inbox_failed": counts.failed,
                "outbox": self._backlog(),
            }
        except WindlassError as error:
            problems.append(f"ledger: {error}")
            return {"unfinished": None, "active": self._active(), "inbox": None, "outbox": None}

    def _can_write(self, problems: list[str]) -> bool:
        """Try it: a transaction, and a file beside it, for a disk that is full only now."""
        probe = self._storage / ".health"
        try:
            with self._ledger.transaction():
                pass
            probe.write_bytes(b"." * 4096)
            probe.unlink()
        except (WindlassError, OSError) as error:
            problems.append(f"storage: {error}")
            return False
        return True

    def _disk(self, problems: list[str]) -> dict[str, int | None]:
        try:
            usage = shutil.disk_usage(self._storage)
        except OSError as error:
            problems.append(f"disk: {error}")
            return {"free_bytes": None, "total_bytes": None}
        if usage.free < LOW_DISK_BYTES:
            problems.append(f"disk: only {usage.free // 2**20} MiB free where {self._storage} lies")
        return {"free_bytes": usage.free, "total_bytes": usage.total}
