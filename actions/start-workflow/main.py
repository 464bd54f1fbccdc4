"""Starts a workflow on a Windlass server from a job of GitHub Actions, shows what it writes, and ends as it
ends. Called by the `action.yml` at the root of this repository. Python 3.8 and later, standard library only.

Nothing here remembers what the server sent: the place in each log is a cursor that the server gave, which
moves once an answer has come in whole. So a connection may be cut, or the server restarted, at any time.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from console import Console, one_line
from failures import Failed, Overdue
from inputs import Inputs, read_inputs
from job_logs import GREEN, JobLogs
from server import Server

CANCEL_S = 6.0
"""GitHub kills what has not ended ten seconds after the cancelling."""
WAIT_S = 20
"""How long the server is asked to wait for news while no job writes."""
PACE_S = 0.3


class Stopped(BaseException):
    """GitHub cancels the job."""


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
    log = JobLogs(server, run_id, console)
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
    server = Server(
        inputs.server, inputs.token, patience_s=CANCEL_S, sleep=time.sleep, timeout_s=CANCEL_S / 2
    )
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
    server = Server(inputs.server, inputs.token, patience_s=inputs.timeout_s, sleep=time.sleep)
    output_file = environ.get("GITHUB_OUTPUT")
    key, run_id = secrets.token_hex(16), None
    try:
        run = start(server, inputs, key)
        run_id, url = str(run["id"]), inputs.server + run["url"]
        write_outputs(output_file, run=run_id, url=url)
        console.say(one_line(f"run {run_id} of {run['workflow']} at {run['sha'][:8]}"))
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
