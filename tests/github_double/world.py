"""What exists on the double: an App, its installations, repositories with their commits and checks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import Any, Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

Json = Any
WRITE = {
    "checks": "write",
    "contents": "read",
    "deployments": "write",
    "metadata": "read",
    "statuses": "write",
}


@cache
def private_key() -> str:
    """The App's key as GitHub hands it out, in PEM. Made once: it takes a tenth of a second."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    form = (serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return key.private_bytes(serialization.Encoding.PEM, *form).decode()


class Clock:
    """Time that passes only when somebody waits. `now` is in seconds since 1970."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            self.waits.append(seconds)


@dataclass(kw_only=True)
class CheckRun:
    """`fields` are what was sent, `annotations` all that ever came, `states` every state it had."""

    id: int
    created_at: float
    app_id: int
    suite_id: int
    fields: dict[str, Json]
    annotations: list[dict[str, Json]] = field(default_factory=list)
    states: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def state(self) -> tuple[str, str | None]:
        return self.fields["status"], self.fields.get("conclusion")

    @property
    def output(self) -> dict[str, Json]:
        found: dict[str, Json] = self.fields.get("output", {})
        return found


@dataclass(kw_only=True)
class Deployment:
    """`fields` are what was sent; `statuses` all that it had, oldest first."""

    id: int
    sha: str
    environment: str
    is_production: bool
    created_at: float
    fields: dict[str, Json]
    statuses: list[dict[str, Json]] = field(default_factory=list)

    @property
    def state(self) -> str | None:
        return self.statuses[-1]["state"] if self.statuses else None

    @property
    def states(self) -> list[str]:
        return [status["state"] for status in self.statuses]


@dataclass(kw_only=True)
class Repository:
    """`former_names` lead to it by redirect. A commit that is not among `commits` does not exist."""

    id: int
    name: str
    former_names: set[str] = field(default_factory=set)
    commits: set[str] = field(default_factory=set)
    refs: dict[str, str] = field(default_factory=dict)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    statuses: list[dict[str, Json]] = field(default_factory=list)
    deployments: dict[int, Deployment] = field(default_factory=dict)
    pulls: dict[int, dict[str, Json]] = field(default_factory=dict)
    comments: dict[int, dict[str, Json]] = field(default_factory=dict)
    permissions: dict[str, str] = field(default_factory=dict)
    """By login: admin, write, read or none."""

    def rename(self, name: str) -> None:
        self.former_names.add(self.name)
        self.name = name

    def runs_of(self, sha: str, *, name: str | None = None) -> list[CheckRun]:
        """The check runs of a commit, oldest first."""
        runs = [run for run in self.check_runs.values() if run.fields["head_sha"] == sha]
        return [run for run in runs if name is None or run.fields["name"] == name]


@dataclass(kw_only=True)
class App:
    """What its owner set at GitHub. `hook_url` None: it has no webhook."""

    name: str = "Windlass"
    slug: str = "windlass"
    owner: str = "acme"
    owner_kind: Literal["simple-user", "enterprise"] = "simple-user"
    permissions: dict[str, str] = field(default_factory=lambda: {"checks": "write"})
    events: list[str] = field(default_factory=lambda: ["push"])
    hook_url: str | None = None
    hook_secret: str | None = None


@dataclass(kw_only=True)
class Installation:
    id: int
    account: str
    repositories: set[int] = field(default_factory=set)
    permissions: dict[str, str] = field(default_factory=lambda: dict(WRITE))
    is_suspended: bool = False


@dataclass(kw_only=True)
class Token:
    """An installation's (`installation` is its number) or a person's (then `login` is told). `scopes`
    None: a fine-grained one, of which GitHub does not tell."""

    text: str
    expires_at: float
    installation: int | None = None
    login: str | None = None
    scopes: str | None = None


@dataclass(kw_only=True)
class Delivery:
    """A webhook that was sent. `status_code` is what its receiver answered; 0: nothing."""

    id: int
    guid: str
    event: str
    payload: dict[str, Json]
    delivered_at: float
    status_code: int = 0
    is_redelivery: bool = False


@dataclass(kw_only=True)
class World:
    """`clock` is GitHub's own. `settles_after_s`: how long a new check run answers a PATCH with 404.
    `agreed`: the Apps that people agreed to, by the code that makes them, with the code's end."""

    clock: Clock
    app_id: int = 4711
    app: App = field(default_factory=App)
    settles_after_s: float = 0.0
    tells_app: bool = True
    lists_failures_alone: bool = True
    """Whether deliveries can be asked for by what came of them: older servers give them all."""
    longest_page: int = 100
    """How many members of a list it gives at once, whatever is asked for."""
    wraps_annotations: bool = False
    """Servers that act as GitHub put them into an object, against its description."""
    hourly_limit: int = 5_000
    calls: int = 0
    """Of this hour."""
    agreed: dict[str, tuple[App, float]] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: count(101))

    def add_repository(self, name: str, *, commits: tuple[str, ...] = ()) -> Repository:
        repository = Repository(id=next(self.ids), name=name, commits=set(commits))
        self.repositories[repository.id] = repository
        return repository

    def install(self, *repositories: Repository) -> Installation:
        """Install the App for these."""
        account = repositories[0].name.partition("/")[0]
        found = Installation(id=next(self.ids), account=account, repositories={r.id for r in repositories})
        self.installations[found.id] = found
        return found

    def agree(self, app: App) -> str:
        """Somebody agrees to an App: the code that makes it, within the hour."""
        code = f"c0de{next(self.ids)}"
        self.agreed[code] = (app, self.clock() + 3600)
        return code

    def add_person(self, login: str, *, scopes: str | None = None) -> str:
        """A personal token of theirs."""
        text = f"ghp_{login}{next(self.ids)}"
        token = Token(text=text, expires_at=float("inf"), login=login, scopes=scopes)
        self.tokens[token.text] = token
        return token.text

    def expire_tokens(self) -> None:
        """What the installations hold by now is of no use any more."""
        for token in self.tokens.values():
            if token.installation is not None:
                token.expires_at = 0.0

    def find(self, name: str) -> tuple[Repository | None, bool]:
        """The repository of that name, and whether that is its name today."""
        for repository in self.repositories.values():
            if repository.name.lower() == name.lower():
                return repository, True
        for repository in self.repositories.values():
            if name.lower() in {former.lower() for former in repository.former_names}:
                return repository, False
        return None, True


def real_clock() -> Clock:
    """A clock that goes by itself."""

    class Real(Clock):
        def __call__(self) -> float:
            return time.time()

    return Real()


def stamp(at: float | None) -> str | None:
    """A time as GitHub writes it."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
