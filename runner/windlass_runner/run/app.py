"""An app: a job that serves HTTP to people's browsers while it runs. Its port, its base path, and the moment
from which it answers. Called by `run.attempt`; `web.apps` brings people there.

The app serves below its base path (`/apps/<run>/<job>/`), for there the daemon shows it. Nothing here knows
which action it is: its manifest has said `app` (`windlass_registry.manifest_app`).
"""

from __future__ import annotations

import http.client
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from windlass_registry.errors import OperatorError, WindlassError
from windlass_registry.manifest_model import ServedApp
from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.data.trees import read_plain
from windlass_runner.engines.base import EngineUnavailable
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import FINAL, RunRecord
from windlass_runner.run.assembly import Task
from windlass_runner.run.scratch import CONTROL
from windlass_runner.run.storage import slug

_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 1.0
_ANSWER_TIMEOUT_S: Final = 5.0
_SILENCE_S: Final = 120.0
_SERVER_ERROR: Final = 500
_PLACE_FILE: Final = "app-place"
_ENDS_FILE: Final = "app-ends"
_LONGEST_MOMENT: Final = 64
_LAST_MOMENT: Final = 1e11
"""In the year 5138; what is later has no date."""
DETAIL: Final = "app"
"""Under this name an attempt's `detail` says where its app is reached, while it answers; None: not yet."""
log = logging.getLogger("windlass_runner.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppAddress:
    """Where this host reaches an app. `base` has a slash at both ends; `path` is where people begin, below
    it. `ends_at`: when it ends by itself (seconds since 1970), where it has said so."""

    host: str
    port: int
    base: str
    path: str
    ends_at: float | None = None

    @property
    def url(self) -> str:
        """Where it is reached without the daemon, from this machine."""
        return f"http://{self.host}:{self.port}{self.base}{self.path.lstrip('/')}"

    def to_json(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return asdict(self)

    @classmethod
    def of_detail(cls, detail: Mapping[str, Any]) -> AppAddress | None:
        """What an attempt's `detail` says; None: it is no app, or does not answer yet (or any more)."""
        found = detail.get(DETAIL)
        return None if found is None else cls(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningApp:
    """An app of a run that goes on. `since`: when its attempt began; `address` None: it does not answer
    yet."""

    since: float
    address: AppAddress | None


def running_apps(ledger: Ledger, run: RunRecord) -> dict[str, RunningApp]:
    """The apps of a run, by their jobs."""
    if run.state in FINAL:
        return {}
    return {
        attempt.job_key: RunningApp(since=attempt.created_at, address=AppAddress.of_detail(attempt.detail))
        for attempt in ledger.runs.attempts(run.id)
        if attempt.state != "ended" and DETAIL in attempt.detail
    }


def answering_apps(ledger: Ledger, run: RunRecord) -> dict[str, RunningApp]:
    """Those that can be opened now."""
    return {key: app for key, app in running_apps(ledger, run).items() if app.address is not None}


def app_base(run_id: str, job_key: str) -> str:
    """The path below which a job's app serves, and the daemon shows it."""
    return base_path(run_id, slug(job_key))


def base_path(run_id: str, name: str) -> str:
    """The same, of a job's name in paths."""
    return f"/apps/{run_id}/{name}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """What one attempt serves."""

    served: ServedApp
    listen: str
    """The IP address on which it is to serve."""
    port: int
    base: str

    def environment(self) -> dict[str, str]:
        """What its containers are told."""
        return {
            "WINDLASS_APP_HOST": self.listen,
            "WINDLASS_APP_PORT": str(self.port),
            "WINDLASS_APP_BASE": self.base,
            "WINDLASS_APP_ENDS": f"{CONTROL}/{_ENDS_FILE}",
        }

    def at(self, host: str) -> AppAddress:
        """Its address, with the host's."""
        return AppAddress(host=host, port=self.port, base=self.base, path=self.served.path)


def claim_app(task: Task) -> App | None:
    """The app that the attempt is, on a port that stays the same for whoever comes after a crash. None: it is
    none. The attempt's folders are there.

    Raises:
        OperatorError: it belongs to a fork's pull request.
        OSError: the port cannot be written down, or a file for what the app says not be made.
    """
    served = task.spec.app
    if served is None:
        return None
    if task.around.plan.event.is_fork:
        raise OperatorError(
            "no app is opened for a pull request of a fork", remedy="run it from a branch of the repository"
        )
    file = task.folders.root / _PLACE_FILE
    try:
        listen, port = file.read_text().split()
    except (FileNotFoundError, ValueError):
        listen, port = map(str, task.around.engine.serve_on(served.port))
        file.write_text(f"{listen} {port}")
    SharedFolder(task.folders.control).make_folder("", [_ENDS_FILE])
    base = app_base(task.around.run.id, task.job.key)
    return App(served=served, listen=listen, port=int(port), base=base)


@contextmanager
def watched(
    app: App | None,
    task: Task,
    *,
    on_ready: Callable[[AppAddress], None],
    on_silence: Callable[[AppAddress], None],
) -> Iterator[None]:
    """As long as this is open, somebody waits for the app to answer, and then tells that once, from another
    thread; and once that it is silent, where that takes long. None: there is nothing to wait for."""
    if app is None:
        yield
        return
    closing = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(app, task, on_ready, on_silence, closing), name="app", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()


def _watch(
    app: App,
    task: Task,
    on_ready: Callable[[AppAddress], None],
    on_silence: Callable[[AppAddress], None],
    closing: threading.Event,
) -> None:
    engine, run_id = task.around.engine, task.around.run.id
    wait_s, silent_at = _FIRST_WAIT_S, time.monotonic() + _SILENCE_S
    while not closing.wait(wait_s):
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        try:
            address = app.at(engine.address_of(run_id, task.lane))
            if answers(address, app.served.ready) and not closing.is_set():
                on_ready(replace(address, ends_at=_read_moment(task.folders.control / _ENDS_FILE)))
                return
            if time.monotonic() > silent_at:
                silent_at = math.inf
                on_silence(address)
        except EngineUnavailable:
            continue
        except WindlassError as error:
            log.warning("the app of run %s is not shown: %s", run_id, error)
            return


def _read_moment(path: Path) -> float | None:
    """What the app has written there: seconds since 1970, or nothing that can be used."""
    try:
        moment = float(read_plain(path, limit_bytes=_LONGEST_MOMENT).content)
    except ValueError:
        return None
    return moment if 0 < moment < _LAST_MOMENT else None


def answers(address: AppAddress, path: str) -> bool:
    """Whether the app says something there that is no server error."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", address.base + path.lstrip("/"), headers={"Connection": "close"})
        return connection.getresponse().status < _SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
