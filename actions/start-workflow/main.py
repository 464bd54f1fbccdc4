"""Starts a workflow on a Windlass server from a job of GitHub Actions, shows what it writes, and ends as it
ends. Called by the `action.yml` at the root of this repository. Python 3.8 and later, standard library only.

Nothing here remembers what the server sent: the place in each log is a cursor that the server gave, which
moves once an answer has come in whole. So a connection may be cut, or the server restarted, at any time.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote, urlencode

GREEN = ("success", "neutral", "skipped")
UNFINISHED = ("queued", "waiting", "running")
UNREACHABLE_S = 600.0
"""For so long a server may be away."""
CANCEL_S = 6.0
"""GitHub kills what has not ended ten seconds after the cancelling."""
WAIT_S = 20
"""How long the server is asked to wait for news while no job writes."""
PACE_S = 0.3


class Failed(Exception):
    """The step fails, and this is why."""


class Overdue(Failed):
    """The time is over."""


class Stopped(BaseException):
    """GitHub cancels the job."""


class Inputs(NamedTuple):
    """What the step was given."""

    server: str
    token: str
    workflow: str
    repository: str | None
    ref: str | None
    inputs: dict[str, Any]
    timeout_s: float


def read_inputs(environ: Mapping[str, str]) -> Inputs:
    """Raises Failed where one is missing, or not what it has to be."""

    def given(name: str) -> str:
        return environ.get(f"INPUT_{name}", "").strip()

    for name in ("server", "token", "workflow"):
        if not given(name.upper()):
            raise Failed(f"the input '{name}' is empty")
    server = given("SERVER").rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise Failed(
            f"the input 'server' is '{server}'; write an address such as https://windlass.example.org"
        )
    minutes = given("TIMEOUT_MINUTES") or "360"
    try:
        timeout_s = float(minutes) * 60
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s < float("inf"):
        raise Failed(f"the input 'timeout-minutes' is '{minutes}'; write a number above 0")
    return Inputs(
        server=server,
        token=given("TOKEN"),
        workflow=given("WORKFLOW"),
        repository=given("REPOSITORY") or None,
        ref=given("REF") or None,
        inputs=parse_inputs(given("INPUTS")),
        timeout_s=timeout_s,
    )


def parse_inputs(text: str) -> dict[str, Any]:
    """A JSON object, or `name=value` on each line. Raises Failed."""
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise Failed(f"the input 'inputs' is not JSON: {error}") from error
        return dict(found)
    inputs = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = line.partition("=")
        if not sign or not name.strip():
            raise Failed(f"the input 'inputs' has the line '{line}'; write NAME=VALUE, or a JSON object")
        inputs[name.strip()] = value.strip()
    return inputs


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token to wherever it leads."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class Server:
    """The HTTP API, asked again until it answers, for `patience_s` in all."""

    def __init__(self, address: str, token: str, *, patience_s: float, timeout_s: float = 60.0) -> None:
        self.address = address
        self._token = token
        self._deadline = time.monotonic() + patience_s
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirects)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The answer's body. Raises Failed."""
        return self.call("GET", path + ("?" + urlencode(query) if query else ""))[1]

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and body. Repeats what was not answered: only what may be asked twice, or has a `key`.

        Raises:
            Failed: it is refused.
            Overdue: no answer came in time.
        """
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, headers=headers, method=method)
        asked_at = time.monotonic()
        if asked_at >= self._deadline:
            raise Overdue("the time of timeout-minutes is over")
        pause_s = 0.5
        while True:
            try:
                with self._opener.open(request, timeout=self._timeout_s) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    why, after_s = self._refusal(error)
            except (OSError, http.client.HTTPException, ValueError) as error:
                why, after_s = str(getattr(error, "reason", error)) or type(error).__name__, 0.0
            now = time.monotonic()
            left_s = min(self._deadline, asked_at + UNREACHABLE_S) - now
            if left_s <= 0:
                raise Overdue(f"{self.address} gave no answer in time: {why}")
            time.sleep(min(max(pause_s, after_s), left_s))
            pause_s = min(2 * pause_s, 15.0)

    def _refusal(self, error: urllib.error.HTTPError) -> tuple[str, float]:
        """Why, and for how long to wait. Raises Failed where waiting does not help."""
        try:
            problem = json.loads(error.read())
            why = "; ".join(str(problem[name]) for name in ("detail", "remedy") if name in problem)
        except (OSError, http.client.HTTPException, ValueError, TypeError):
            why = ""
        why = why or f"{error.code} {error.reason}"
        if error.code != 429 and error.code < 500:
            raise Failed(f"{self.address} refuses: {why}")
        after = error.headers.get("Retry-After", "")
        return why, float(after) if after.isdigit() else 0.0


class Console:
    """The log of the step: workflow commands of our own, and texts of strangers that can give none
    (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands)."""

    def __init__(self) -> None:
        self._fence = secrets.token_hex(16)
        self._is_open = False

    def say(self, text: str) -> None:
        print(text, flush=True)

    def mask(self, text: str) -> None:
        print(f"::add-mask::{text}", flush=True)

    def error(self, text: str, *, title: str = "") -> None:
        self.close()
        about = f" title={_escaped(title, ':,')}" if title else ""
        print(f"::error{about}::{_escaped(text)}", flush=True)

    def open(self, title: str) -> None:
        """Begin a group for strangers' lines."""
        print(f"::group::{_escaped(title)}\n::stop-commands::{self._fence}", flush=True)
        self._is_open = True

    def lines(self, texts: list[str]) -> None:
        """Lines of the open group."""
        sys.stdout.write("".join(f"{text}\n" for text in texts))
        sys.stdout.flush()

    def close(self) -> None:
        """End the group, if one is open."""
        if self._is_open:
            self._is_open = False
            print(f"::{self._fence}::\n::endgroup::", flush=True)


def _escaped(text: str, more: str = "") -> str:
    for letter in "%\r\n" + more:
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text


class Log:
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
            self._console.say(_escaped_line(f"{job['name']}: {job['state']}{reason}"))

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


def _escaped_line(text: str) -> str:
    """A text of strangers on a line that begins no command."""
    return _escaped(text).replace("::", ": :").replace("##[", "# #[")


def start(server: Server, inputs: Inputs, key: str) -> dict[str, Any]:
    """The run, once the server has begun it. Raises Failed."""
    body = {
        "workflow": inputs.workflow,
        "repository": inputs.repository,
        "ref": inputs.ref,
        "inputs": inputs.inputs,
    }
    status, answer = server.call("POST", "/api/v1/runs", body, key=key)
    while status == 202:
        time.sleep(PACE_S)
        status, answer = server.call("GET", answer["request"])
    return answer


def follow(server: Server, run_id: str, console: Console) -> dict[str, Any]:
    """Show a run to its end: how it stands then. Raises Failed."""
    log = Log(server, run_id, console)
    cursor = 0
    while True:
        run = server.get(f"/api/v1/runs/{run_id}")
        if log.show(run):
            return run
        wait_s = WAIT_S if log.current is None else 1
        cursor = server.get(f"/api/v1/runs/{run_id}/events", after=cursor, wait_s=wait_s)["next"]
        time.sleep(PACE_S)


def cancel(inputs: Inputs, run_id: str | None, key: str) -> str | None:
    """Stop the run, also where the answer that names it has not come in: its id; None: that failed."""
    server = Server(inputs.server, inputs.token, patience_s=CANCEL_S, timeout_s=CANCEL_S / 2)
    try:
        run_id = run_id or str(start(server, inputs, key)["id"])
        server.call("POST", f"/api/v1/runs/{run_id}/cancel", {"reason": "the job on GitHub was stopped"})
    except Failed:
        return None
    return run_id


def write_outputs(path: str | None, **outputs: str) -> None:
    """For the steps that follow; none where GitHub gave no file for them."""
    if not path:
        return
    with Path(path).open("a", encoding="utf-8") as file:
        for name, value in outputs.items():
            fence = secrets.token_hex(16)
            file.write(f"{name}<<{fence}\n{value}\n{fence}\n")


def outputs_of(run: Mapping[str, Any]) -> str:
    """The outputs of all jobs as JSON, by job and name: of texts the text, of files their record."""
    found = {
        job["key"]: {name: output.get("text", output) for name, output in job["outputs"].items()}
        for job in run["jobs"]
        if job["outputs"]
    }
    return json.dumps(found)


def report_failures(run: Mapping[str, Any], console: Console) -> None:
    """An error for each job that failed, then for the run."""
    for job in run["jobs"]:
        if job["state"] in ("failure", "timed_out"):
            console.error(job["reason"] or job["state"], title=job["name"])
    reason = f": {run['reason']}" if run["reason"] else ""
    raise Failed(f"run {run['id']} of {run['workflow']} ended as {run['state']}{reason}")


def carry_out(inputs: Inputs, environ: Mapping[str, str], console: Console) -> None:
    """Start the workflow and follow it. Raises Failed, Stopped."""
    server = Server(inputs.server, inputs.token, patience_s=inputs.timeout_s)
    output_file = environ.get("GITHUB_OUTPUT")
    key, run_id = secrets.token_hex(16), None
    try:
        run = start(server, inputs, key)
        run_id, url = str(run["id"]), inputs.server + run["url"]
        write_outputs(output_file, run=run_id, url=url)
        console.say(_escaped_line(f"run {run_id} of {run['workflow']} at {run['sha'][:8]}"))
        run = follow(server, run_id, console)
    except (Stopped, Overdue) as error:
        stopped = cancel(inputs, run_id, key)
        console.close()
        console.say(f"run {stopped} is cancelled" if stopped else "the run could not be cancelled")
        write_outputs(output_file, state="cancelled")
        raise error
    write_outputs(output_file, state=run["state"], outputs=outputs_of(run))
    if run["state"] not in GREEN:
        report_failures(run, console)
    console.say(f"run {run_id} ended as {run['state']}")


def stop_on_signals() -> None:
    """SIGINT and SIGTERM raise Stopped, once: what follows the first has to come to its end."""

    def stop(_number: int, _frame: object) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def main(environ: Mapping[str, str]) -> int:
    """The exit code of the step."""
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    console = Console()
    try:
        stop_on_signals()
        inputs = read_inputs(environ)
        console.mask(inputs.token)
        carry_out(inputs, environ, console)
    except Failed as error:
        console.error(str(error))
        return 1
    except Stopped:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
