"""The action at the root of this repository, run as GitHub runs it, against a daemon over real HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.daemon.serving import Repository, Serving, wait_until
from integration.web.calling import Api
from windlass_runner.ledger.ledger import Ledger

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "actions" / "start-workflow" / "main.py"
GREET = """
on: workflow_dispatch
inputs: {word: {default: hello}, note: {default: ""}}
jobs:
  greet:
    uses: script@v1
    with: {script: 'echo "${{ inputs.word }}, ${{ inputs.note }}"; printf "two\\nlines" > /outputs/said'}
    outputs: {said: {type: string}}
  left: {needs: [greet], uses: script@v1, with: {script: 'for i in $(seq 50); do echo "left $i"; done'}}
  right: {needs: [greet], uses: script@v1, with: {script: 'for i in $(seq 50); do echo "right $i"; done'}}
  never: {if: "${{ false }}", uses: script@v1, with: {script: 'echo never'}}
"""
FAIL = """
on: workflow_dispatch
jobs: {fit: {uses: script@v1, with: {script: 'echo "::whatever::x"; exit 3'}}}
"""
HOLD = "on: workflow_dispatch\njobs: {hold: {uses: script@v1, with: {script: 'echo begin; sleep 300'}}}\n"
WAITS = """
on: workflow_dispatch
jobs:
  wait:
    uses: script@v1
    with:
      script: |
        for i in $(seq 1000); do echo "line $i"; done
        while ! [ -e GO ]; do sleep 0.1; done
        for i in $(seq 1001 2000); do echo "line $i"; done
"""


@pytest.fixture
def api(serving: Serving, repository: Repository, tmp_path: Path) -> Iterator[Api]:
    """The API of a daemon whose workflows start by hand alone."""
    texts = {"greet": GREET, "fail": FAIL, "hold": HOLD, "waits": WAITS.replace("GO", str(tmp_path / "go"))}
    repository.commit({f".windlass/workflows/{name}.yaml": text for name, text in texts.items()})
    repository.push()
    serving.start()
    with Ledger.open(serving.folder / "store" / "ledger.db", create=False) as ledger:
        api = Api(address=serving.address, ledger=ledger)
        api.token = api.make_token("read", "run")
        yield api


@dataclass
class Step:
    """A step of a job on GitHub that uses the action."""

    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Step:
        (self.folder / "output").touch()
        with (self.folder / "step.log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, PROGRAM], stdout=log, stderr=subprocess.STDOUT, env=self.environment
            )
        return self

    def end(self) -> int:
        assert self.process is not None
        return self.process.wait(120)

    @property
    def log(self) -> list[str]:
        return (self.folder / "step.log").read_text(encoding="utf-8").splitlines()

    @property
    def errors(self) -> list[str]:
        return [line for line in self.log if line.startswith("::error")]

    @property
    def outputs(self) -> dict[str, str]:
        text = (self.folder / "output").read_text(encoding="utf-8")
        return {name: value for name, _, value in re.findall(r"(?ms)^(\w+)<<(\w+)\n(.*?)\n\2$", text)}


@pytest.fixture
def make_step(tmp_path: Path, api: Api) -> Iterator[Callable[..., Step]]:
    made: list[Step] = []

    def make(workflow: str, **inputs: str) -> Step:
        folder = tmp_path / f"step-{len(made)}"
        folder.mkdir()
        given = {"server": api.address, "token": api.token, "workflow": workflow, **inputs}
        environment = {f"INPUT_{name.upper()}": value for name, value in given.items()}
        environment["GITHUB_OUTPUT"] = str(folder / "output")
        made.append(Step(folder=folder, environment={"PATH": os.environ["PATH"], **environment}))
        return made[-1]

    yield make
    for step in made:
        if step.process is not None and step.process.poll() is None:
            step.process.kill()
            step.process.wait(10)


def groups(log: list[str]) -> dict[str, list[str]]:
    """The lines of each group, which lie between a fence and its end."""
    text = "\n".join(log)
    pattern = r"(?ms)^::group::([^\n]*)\n::stop-commands::(\w+)\n(.*?)^::\2::\n::endgroup::$"
    return {title: lines.splitlines() for title, _, lines in re.findall(pattern, text)}


def test_a_workflow_is_started_shown_and_passed_with(make_step: Callable[..., Step], api: Api) -> None:
    step = make_step("greet", repository="digits", ref="main", inputs="word=hi\n note = a=b \n").start()
    assert step.end() == 0, step.log
    assert step.log[0] == f"::add-mask::{api.token}"
    shown = groups(step.log)
    assert shown["greet"] == ["hi, a=b"]
    for name in ("left", "right"):
        assert shown[name] == [f"{name} {number}" for number in range(1, 51)]
    outputs = step.outputs
    assert outputs["state"] == "success"
    assert outputs["url"] == f"{api.address}/api/v1/runs/{outputs['run']}"
    assert api.get(f"/runs/{outputs['run']}").json["state"] == "success"
    assert json.loads(outputs["outputs"]) == {"greet": {"said": "two\nlines"}}


def test_inputs_may_be_json(make_step: Callable[..., Step]) -> None:
    step = make_step("greet", inputs='{"word": "hi", "note": "a\\nb"}').start()
    assert step.end() == 0, step.log
    assert groups(step.log)["greet"] == ["hi, a", "b"]


def test_a_run_that_fails_fails_the_step_and_says_which_job(make_step: Callable[..., Step]) -> None:
    step = make_step("fail").start()
    assert step.end() == 1
    assert step.outputs["state"] == "failure"
    assert step.errors == [
        "::error title=fit::exit code 3",
        f"::error::run {step.outputs['run']} of fail ended as failure",
    ]


def test_what_jobs_write_commands_nothing_on_github(make_step: Callable[..., Step]) -> None:
    step = make_step("fail").start()
    step.end()
    assert groups(step.log) == {"fit": ["::whatever::x"]}
    assert sum("whatever" in line for line in step.log) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_cancels_the_run(make_step: Callable[..., Step], api: Api, number: int) -> None:
    step = make_step("hold").start()
    wait_until(lambda: "begin" in step.log, what="the first line")
    assert step.process is not None
    step.process.send_signal(number)
    assert step.end() == 130
    run_id = step.outputs["run"]
    assert api.get(f"/runs/{run_id}").json["is_cancel_requested"]
    assert step.outputs["state"] == "cancelled"
    wait_until(lambda: api.get(f"/runs/{run_id}").json.get("state") == "cancelled", what="the end")


def test_a_run_that_takes_too_long_is_cancelled(make_step: Callable[..., Step], api: Api) -> None:
    step = make_step("hold", timeout_minutes="0.1").start()
    assert step.end() == 1
    assert step.outputs["state"] == "cancelled"
    (run,) = api.get("/runs").json["runs"]
    assert run["is_cancel_requested"]


def test_a_server_that_is_killed_and_comes_back_costs_no_line(
    make_step: Callable[..., Step], serving: Serving, tmp_path: Path
) -> None:
    with Mangled(serving) as mangled:
        step = make_step("waits", server=mangled.address).start()
        wait_until(lambda: "line 1000" in step.log, what="the first half")
        serving.kill()
        (tmp_path / "go").touch()
        serving.start()
        assert step.end() == 0, step.log[-20:]
    assert groups(step.log)["wait"] == [f"line {number}" for number in range(1, 2001)]


def test_cut_connections_cost_no_line_and_start_no_second_run(
    make_step: Callable[..., Step], serving: Serving, api: Api, tmp_path: Path
) -> None:
    (tmp_path / "go").touch()
    with Mangled(serving, cut_every=2) as mangled:
        step = make_step("waits", server=mangled.address).start()
        assert step.end() == 0, step.log[-20:]
        assert mangled.cuts > 2
    assert groups(step.log)["wait"] == [f"line {number}" for number in range(1, 2001)]
    assert len(api.get("/runs").json["runs"]) == 1


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"token": ""}, "the input 'token' is empty"),
        ({"server": "windlass.example.org"}, "write an address such as https://"),
        ({"timeout_minutes": "soon"}, "write a number above 0"),
        ({"timeout_minutes": "nan"}, "write a number above 0"),
        ({"inputs": "word"}, "has the line 'word'; write NAME=VALUE"),
        ({"inputs": "{"}, "is not JSON"),
        ({"inputs": '{"wrod": "x"}'}, "did you mean 'word'?"),
        ({"token": "wl_a_b"}, "windlass tokens create NAME"),
        ({"workflow": "great"}, "did you mean 'greet'?"),
        ({"repository": "digit"}, "did you mean 'digits'?"),
    ],
)
def test_what_cannot_be_started_is_one_error_with_a_remedy(
    make_step: Callable[..., Step], api: Api, inputs: dict[str, str], said: str
) -> None:
    step = make_step(**{"workflow": "greet", **inputs}).start()
    assert step.end() == 1
    (error,) = step.errors
    assert said in error
    assert not any("Traceback" in line for line in step.log)
    assert api.get("/runs").json["runs"] == []


def test_a_server_that_is_not_there_is_told_when_the_time_is_over(make_step: Callable[..., Step]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        step = make_step("greet", server=address, timeout_minutes="0.02").start()
        assert step.end() == 1
    assert "refused" in step.errors[-1]


def test_the_action_hands_on_every_input_and_output() -> None:
    action: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (step,) = action["runs"]["steps"]
    handed = {name.replace("-", "_").upper(): f"${{{{ inputs.{name} }}}}" for name in action["inputs"]}
    assert step["env"] == {f"INPUT_{name}": value for name, value in handed.items()}
    assert {name: each["value"] for name, each in action["outputs"].items()} == {
        name: f"${{{{ steps.{step['id']}.outputs.{name} }}}}" for name in ("run", "url", "state", "outputs")
    }
    assert "exec python3" in step["run"]
    assert (ROOT / step["run"].partition("$GITHUB_ACTION_PATH/")[2].rstrip('"')) == PROGRAM


@dataclass
class Mangled:
    """A way to a daemon that outlives it, and cuts the answer of every n-th connection somewhere."""

    serving: Serving
    cut_every: int = 0
    cuts: int = 0
    address: str = ""
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Mangled:
        outer = self

        class Pipe(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer.carry(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pipe)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def carry(self, client: socket.socket) -> None:
        """One request there, and its answer back; perhaps not all of it."""
        with self._lock:
            self._count += 1
            is_cut = self.cut_every > 0 and self._count % self.cut_every == 0
            place = self._count
        host, port = self.serving.address.removeprefix("http://").split(":")
        try:
            with socket.create_connection((host, int(port)), timeout=60) as daemon:
                daemon.sendall(_request(client))
                answer = b"".join(iter(lambda: daemon.recv(65_536), b""))
                client.sendall(answer[: len(answer) * (place % 5) // 5] if is_cut else answer)
                self.cuts += is_cut
        except OSError:
            return  # the daemon is not there: neither is the answer


def _request(client: socket.socket) -> bytes:
    """One whole request of a client that sends `Connection: close`."""
    client.settimeout(60)
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(65_536)
        if not part:
            raise ConnectionError
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)content-length: (\d+)", head)
    while len(body) < int(found[1] if found else 0):
        part = client.recv(65_536)
        data, body = data + part, body + part
    return data
