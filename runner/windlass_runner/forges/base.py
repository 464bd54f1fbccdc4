"""What hosts git repositories for people: the contract of `plain_git`, `github` and its like.

A forge turns deliveries (webhooks as received) into neutral events, without I/O, and posts a
commit's status where its people look for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from windlass_registry.errors import UpstreamError, WindlassError
from windlass_runner.workflow.events import Event


class DeliveryRefused(WindlassError):
    """A delivery that is not taken. `status` is the HTTP status that says why."""

    status = 400


class BadSignature(DeliveryRefused):
    """Nobody who knows the secret sent this. Nothing of it may be stored."""

    status = 401


class BadDelivery(DeliveryRefused):
    """Signed, but not what this forge sends: cut off, not JSON, a key missing."""


class NotYet(UpstreamError):
    """The pace that the forge asks for does not allow it now. Nothing is wrong; come again."""


CommandKind = Literal["rerun", "rerun_failed", "cancel", "test", "approve", "approve_job", "reject_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a person asks for on the forge, by a button or a comment. Whether they may is asked later."""

    kind: CommandKind
    repository: str
    actor: str
    """The login of who asks."""
    sha: str | None = None
    """The commit meant. Always there for `approve`: an approval holds for one commit only."""
    number: int | None = None
    """The pull request's number, where the command stands in one."""
    run: str | None = None
    """The run meant (a check's `external_id`); None: every run of the commit."""
    workflow: str | None = None
    """For `test`: the workflow's name."""
    job: str | None = None
    """For an answer to a gate: the name of a job or an environment."""
    mark: str | None = None
    """For the same by a button: the jobs that it was about (`CheckAction.mark`)."""
    said_at: float | None = None
    """When, in seconds since 1970, where the forge tells."""
    is_button: bool = False
    """Asked by a button, which the forge shows only to those who may write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDelivery:
    """What a delivery says. `id` is unique to it, so that the same one sent again is known. `repository`
    is named as the forge names it now (GitHub: `owner/name`); empty where it is about none. `number` is the
    forge's own of the repository, which it keeps when it is renamed; None where it is not told."""

    id: str
    kind: str
    repository: str
    number: int | None = None
    events: tuple[Event, ...] = ()
    commands: tuple[Command, ...] = ()


CheckState = Literal[
    "queued", "waiting", "running", "success", "failure", "cancelled", "skipped", "timed_out", "neutral"
]
"""The state words of everywhere; a forge translates them into its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnnotation:
    """A remark on lines of a file of the commit. `level`: notice, warning or failure."""

    path: str
    line: int
    end_line: int
    level: Literal["notice", "warning", "failure"]
    message: str
    title: str = ""
    column: int | None = None
    end_column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAction:
    """A button on a check. GitHub takes three: label 20, description 40, identifier 20 characters.

    `mark`: what exactly it is about, in at most 8 letters; it comes back with the command.
    """

    label: str
    description: str
    identifier: CommandKind
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line among a commit's checks, as it stands now: of a workflow's newest run, or of one of its jobs.

    `name` tells the checks of a commit apart. Texts are Markdown, of any length: a forge cuts them to its
    own limits. Times are seconds since 1970.
    """

    name: str
    external_id: str
    state: CheckState
    title: str
    summary: str = ""
    text: str = ""
    url: str | None = None
    started_at: float | None = None
    completed_at: float | None = None
    annotations: tuple[CheckAnnotation, ...] = ()
    actions: tuple[CheckAction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestComment:
    """What the one comment of ours on a pull request says. `text` is Markdown."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A pull request to be: from a branch that was pushed to the same repository. `text` is Markdown."""

    branch: str
    base: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A job that deploys the commit to an environment, as it stands. `run` and `job` tell it from others.

    `state`: the job's word; `inactive` once another deployment took its place.
    """

    run: str
    job: str
    environment: str
    state: CheckState | Literal["inactive"]
    ref: str | None = None
    """The whole name of the ref that is deployed, where it is known."""
    description: str = ""
    log_url: str | None = None
    environment_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """How a commit stands: as checks, and as one JSON document for forges that are plain git. `comments`:
    on the pull requests whose newest commit it is, where they are wanted. `deployments`: oldest first."""

    repository: str
    sha: str
    checks: tuple[Check, ...]
    note: str
    comments: tuple[PullRequestComment, ...] = ()
    deployments: tuple[Deployment, ...] = ()


class Forge(Protocol):
    """One kind of forge. Safe to use from several threads; one `post` per repository at a time."""

    @property
    def name(self) -> str: ...

    def parse_delivery(
        self, headers: Mapping[str, str], body: bytes, secrets: Collection[str]
    ) -> ParsedDelivery:
        """Check the signature with the secrets (any one may have made it), then read. No I/O.

        `headers` have lower-case names.

        Raises:
            BadSignature: before anything of the body is looked at.
            BadDelivery: it cannot be read.
        """
        ...

    def post(self, status: CommitStatus) -> None:
        """Put the status on the commit in place of the one there. Idempotent.

        Raises:
            NotYet: it has to wait for its turn; what was posted of it so far is not posted again.
            UpstreamError, OperatorError
        """
        ...


class Proposing(Protocol):
    """A forge on which pull requests are opened. Safe to use from several threads."""

    def open_pull_request(self, repository: str, proposal: Proposal) -> str:
        """The page of the pull request from a branch that was pushed: the one that is open already, else a
        new one. Raises OperatorError (not allowed), UpstreamError."""
        ...


class Asked(Protocol):
    """What a forge that knows people and pull requests can be asked. Safe to use from several threads.

    All raise UpstreamError or OperatorError where it does not answer.
    """

    def may_write(self, repository: str, login: str) -> bool:
        """Whether that person may write to the repository."""
        ...

    def fetch_pull_request(self, repository: str, number: int) -> Event:
        """A pull request as it stands, as the event of its newest commit."""
        ...

    def reply(self, repository: str, number: int, text: str, *, key: str) -> None:
        """Comment on a pull request; once for each `key`, however often it is called. `text` is Markdown."""
        ...
