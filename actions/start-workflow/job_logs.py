"""What the jobs of a run write, shown as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from console import Console, one_line
from server import Server

GREEN = ("success", "neutral", "skipped")
UNFINISHED = ("queued", "waiting", "running")


class JobLogs:
    """The logs of a run's jobs, one job after the other: GitHub's groups cannot lie side by side. The lines
    of jobs that run beside the one that is shown wait on the server for their turn."""

    def __init__(self, server: Server, run: str, console: Console) -> None:
        self._server = server
        self._run = run
        self._console = console
        self._cursor = ""
        self._done: set[str] = set()
        self.current: str | None = None
        """The key of the job that is shown."""

    def show(self, run: Mapping[str, Any]) -> bool:
        """Show what is new; whether that was all of the run."""
        for job in sorted(run["jobs"], key=lambda job: job["started_at"] or float("inf")):
            if job["key"] in self._done or self.current not in (None, job["key"]):
                continue
            if not job["attempt"] and job["state"] in UNFINISHED:
                continue
            if self.current is None:
                self._begin(job)
            if self._show_lines(job["key"]):
                self._end(job)
        return run["state"] not in UNFINISHED and self.current is None

    def _begin(self, job: Mapping[str, Any]) -> None:
        self.current, self._cursor = job["key"], ""
        self._console.open(job["name"])

    def _end(self, job: Mapping[str, Any]) -> None:
        self._done.add(job["key"])
        self.current = None
        self._console.close()
        reason = f": {job['reason']}" if job["reason"] else ""
        if job["state"] in GREEN:
            self._console.say(one_line(f"{job['name']}: {job['state']}{reason}"))

    def _show_lines(self, key: str) -> bool:
        """Whether the job's log is at its end."""
        path = f"/api/v1/runs/{self._run}/jobs/{quote(key)}/logs"
        while True:
            page = self._server.get(path, **({"cursor": self._cursor} if self._cursor else {}))
            self._console.lines([_shown(line) for line in page["lines"] if line["kind"] != "endgroup"])
            self._cursor = page["next"]
            if page["is_final"] or not page["lines"]:
                return bool(page["is_final"])


def _shown(line: Mapping[str, Any]) -> str:
    mark = f"{line['kind']}: " if line["kind"] in ("error", "warning", "notice") else ""
    return f"{mark}{line['text']}"
