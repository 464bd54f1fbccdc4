"""Events that happen at the command line: a start by hand, a pretended push, a payload from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass_registry.errors import AuthorError, Problem
from windlass_runner.workflow.events import NO_COMMIT, Event

if TYPE_CHECKING:
    from windlass_runner.forges.git import Git


class Repository:
    """What git says of the working tree in which a command was called. Reads, never writes."""

    def __init__(self, root: Path, git: Git) -> None:
        self.root = root
        self.url = f"file://{root}"
        self._git = git

    def commit(self, revision: str = "HEAD") -> str:
        """The commit that a name means; zeros where there is none yet (a new repository)."""
        return self._git.rev_parse(self.root / ".git", revision) or NO_COMMIT

    def branch(self) -> str | None:
        """The full name of the branch that is checked out; None on a bare commit."""
        head = self.root / ".git" / "HEAD"
        text = head.read_text(encoding="utf-8").strip() if head.is_file() else ""
        return text.removeprefix("ref: ") if text.startswith("ref: ") else None

    def message(self, sha: str) -> str:
        """The commit's message."""
        return "" if sha == NO_COMMIT else self._git.commit(self.root / ".git", sha).message

    def push(self, ref: str, *, actor: str) -> Event:
        """The push that would have brought `ref` where it is, from the commit before.

        Raises:
            AuthorError: there is no such ref.
        """
        sha = self.commit(ref)
        if sha == NO_COMMIT:
            raise AuthorError(_problem("--ref", f"git knows no '{ref}' here", "name a branch or a tag"))
        git_dir = self.root / ".git"
        parents = self._git.commit(git_dir, sha).parents
        before = parents[0] if parents else None
        return Event(
            kind="push",
            repository=self.url,
            ref=self._full_name(ref),
            sha=sha,
            before=before,
            changed_paths=self._git.changed_paths(git_dir, before, sha),
            head_message=self.message(sha),
            actor=actor,
        )

    def _full_name(self, ref: str) -> str | None:
        if ref.startswith("refs/"):
            return ref
        if ref == "HEAD":
            return self.branch()
        for prefix in ("refs/heads/", "refs/tags/"):
            if self._git.rev_parse(self.root / ".git", prefix + ref) is not None:
                return prefix + ref
        return None

    def by_hand(self, inputs: Mapping[str, str], *, actor: str) -> Event:
        """A start by hand of what lies in the working tree."""
        return Event(
            kind="workflow_dispatch",
            repository=self.url,
            ref=self.branch(),
            sha=self.commit(),
            actor=actor,
            inputs=dict(inputs),
            payload={"inputs": dict(inputs)},
        )


def load_event(path: Path, *, name: str | None, repository: Repository) -> Event:
    """The event that a payload means: one of GitHub's webhooks, or a stored event of our own.

    `name` says which event it is where the payload alone does not.

    Raises:
        AuthorError: not readable, not JSON, or of no kind that can be told.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise AuthorError(_problem(str(path), f"cannot be read: {error.strerror}", None)) from error
    except (ValueError, RecursionError) as error:
        line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
        raise AuthorError(
            Problem(path=str(path), line=line, column=column, message=f"not JSON: {error}")
        ) from error
    if not isinstance(data, dict):
        raise AuthorError(_problem(str(path), "the payload must be a JSON object", None))
    kind = name or kind_of(data)
    if kind is None:
        raise AuthorError(
            _problem(str(path), "this payload does not say which event it is", "say it: --event-name push")
        )
    try:
        return event_of(kind, data, repository=repository)
    except (KeyError, TypeError, AttributeError) as error:
        raise AuthorError(
            _problem(str(path), f"this is not the payload of '{kind}': {error}", None)
        ) from error


def kind_of(data: Mapping[str, Any]) -> str | None:
    """Which event a payload is of, as far as it shows."""
    if isinstance(data.get("kind"), str) and isinstance(data.get("sha"), str):
        return str(data["kind"])
    if "pull_request" in data:
        return "pull_request"
    if "workflow_run" in data:
        return "workflow_run"
    if "schedule" in data:
        return "schedule"
    if "after" in data and "ref" in data:
        return "push"
    return "workflow_dispatch" if "inputs" in data else None


def event_of(kind: str, data: Mapping[str, Any], *, repository: Repository) -> Event:
    """The neutral event of a payload. Raises KeyError or TypeError where it is not of that kind."""
    if isinstance(data.get("sha"), str) and data.get("kind") == kind:
        return Event.from_json({"repository": repository.url, **data})
    actor = _text(data.get("sender"), "login") or _text(data.get("pusher"), "name")
    match kind:
        case "push":
            return _push(data, repository=repository, actor=actor)
        case "pull_request":
            return _pull_request(data, repository=repository, actor=actor)
    run = data.get("workflow_run") or {}
    return Event(
        kind=kind,
        repository=_address(data, repository),
        ref=data.get("ref") if isinstance(data.get("ref"), str) else repository.branch(),
        sha=repository.commit(),
        action=data.get("action"),
        actor=actor,
        inputs=dict(data.get("inputs") or {}),
        payload=data,
        schedule=data.get("schedule"),
        subject=run.get("name") or data.get("subject"),
        tag=data.get("tag"),
        conclusion=run.get("conclusion"),
    )


def _push(data: Mapping[str, Any], *, repository: Repository, actor: str) -> Event:
    commits = data.get("commits")
    changed: tuple[str, ...] | None = None
    if isinstance(commits, list) and commits:
        lists = [commit.get(key) or () for commit in commits for key in ("added", "modified", "removed")]
        changed = tuple(dict.fromkeys(path for paths in lists for path in paths))
    return Event(
        kind="push",
        repository=_address(data, repository),
        ref=data["ref"],
        sha=data["after"],
        before=data.get("before"),
        changed_paths=changed,
        head_message=_text(data.get("head_commit"), "message"),
        actor=actor,
        payload=data,
    )


def _pull_request(data: Mapping[str, Any], *, repository: Repository, actor: str) -> Event:
    pull = data["pull_request"]
    head, base = pull["head"], pull["base"]
    return Event(
        kind="pull_request",
        repository=_address(data, repository),
        ref=f"refs/pull/{pull['number']}/merge",
        sha=head["sha"],
        before=base.get("sha"),
        action=data.get("action"),
        actor=actor,
        payload=data,
        is_fork=_text(head.get("repo"), "full_name") != _text(base.get("repo"), "full_name"),
        base_ref=base["ref"],
        head_ref=head["ref"],
        number=pull["number"],
    )


def _address(data: Mapping[str, Any], repository: Repository) -> str:
    found = data.get("repository")
    return _text(found, "clone_url") or (found if isinstance(found, str) else repository.url)


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _problem(path: str, message: str, remedy: str | None) -> Problem:
    return Problem(path=path, line=0, column=0, message=message, remedy=remedy)
