"""What happened to a repository, in one form for all forges.

Forges and the poller make events; `workflow.triggers` matches them; the ledger stores them as JSON;
planning turns them into the `github` and `event` contexts. No I/O, and nothing here is a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

NO_COMMIT: Final = "0" * 40
"""What git sends in place of a commit that does not exist (a ref made or removed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. `ref` is full (`refs/heads/main`); `sha` is what would be run.

    `changed_paths` is None where nobody said which files changed (or not all of them): path filters
    take that as a match. `payload` is the forge's own body, for the `event` context.
    """

    kind: str
    """`push`, `pull_request`, `workflow_dispatch`, `schedule`, `webhook`, `dataset`, `workflow_run` …"""
    repository: str
    ref: str | None = None
    sha: str
    before: str | None = None
    """For a push: the commit before it; None or zeros for a ref that is new. For a pull request with new
    commits: the newest one before them, where the forge tells."""
    action: str | None = None
    """The activity: `opened`, `completed` …; for `workflow_run` the state word is in `conclusion`."""
    changed_paths: tuple[str, ...] | None = None
    head_message: str = ""
    actor: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    is_fork: bool = False
    """A pull request whose head lies in another repository."""
    base_ref: str | None = None
    """For a pull request: the name of the branch it wants to go into, without `refs/heads/`."""
    base_sha: str | None = None
    """For a pull request: where that branch stands, as the daemon has read it itself."""
    head_ref: str | None = None
    """For a pull request: the name of the branch it comes from. A stranger may have chosen it."""
    number: int | None = None
    """The pull request's number."""
    schedule: str | None = None
    """For `schedule`: the cron text that came due."""
    subject: str | None = None
    """The webhook's, dataset's, model's or workflow's name, where the event is about one."""
    tag: str | None = None
    """For `dataset` and `model`: the tag that the new version got."""
    conclusion: str | None = None
    """For `workflow_run`: how it ended."""

    @property
    def is_deletion(self) -> bool:
        """Whether the ref is gone: there is nothing left to run."""
        return self.sha.strip("0") == ""

    @property
    def is_creation(self) -> bool:
        """Whether a push made the ref."""
        return self.kind == "push" and (self.before is None or self.before.strip("0") == "")

    @property
    def workflow_sha(self) -> str:
        """The commit whose workflow files, own actions and lock count: a fork cannot change them."""
        return (self.base_sha or NO_COMMIT) if self.is_fork else self.sha

    @property
    def branch(self) -> str | None:
        """The branch's short name, where `ref` is a branch."""
        return _without(self.ref, "refs/heads/")

    @property
    def tag_name(self) -> str | None:
        """The git tag's short name, where `ref` is a tag."""
        return _without(self.ref, "refs/tags/")

    def to_json(self) -> dict[str, Any]:
        """JSON's types only; :meth:`from_json` gives the same event back."""
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        data["changed_paths"] = None if self.changed_paths is None else list(self.changed_paths)
        data["inputs"] = dict(self.inputs)
        data["payload"] = dict(self.payload)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Event:
        """Read back what :meth:`to_json` wrote; keys that are not known (of a later version) are left out."""
        known = {item.name for item in fields(cls)}
        kept = {name: value for name, value in data.items() if name in known}
        if kept.get("changed_paths") is not None:
            kept["changed_paths"] = tuple(kept["changed_paths"])
        return cls(**kept)


def _without(ref: str | None, prefix: str) -> str | None:
    return ref[len(prefix) :] if ref is not None and ref.startswith(prefix) else None
