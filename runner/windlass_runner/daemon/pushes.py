"""From an event to runs: which workflows of the commit it starts, planned or refused, written down once.

Used by `daemon.intake` for pushes and by `daemon.requests` for what people start by hand. Nothing here
keeps state: everything may be done again after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from windlass_registry.errors import AuthorError, Problem
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.push_payloads import push_payload
from windlass_runner.daemon.workflows import FoundWorkflow, find_workflows
from windlass_runner.forges.git import Git
from windlass_runner.forges.local_refs import local_path
from windlass_runner.forges.plain_git import is_watched
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, NewRun, RunUpdate
from windlass_runner.plan.codec import dumps
from windlass_runner.plan.model import Plan
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.events import NO_COMMIT, Event
from windlass_runner.workflow.model import PushTrigger
from windlass_runner.workflow.triggers import match

_PROBLEMS_TOLD: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a commit's objects are read: in the mirror, or, for a repository on this machine, in itself
    (while the mirror is brought up beside, which takes longer than all reading)."""

    mirror: Mirror
    objects: Path


class Planning(Protocol):
    """Makes a run of a workflow and an event. Raises AuthorError, with all that is wrong, where it cannot
    be planned."""

    def __call__(self, found: FoundWorkflow, *, event: Event, reason: str, source: Source) -> NewRun: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A run to be written down. With problems it is a failed check, and where it is skipped a skipped one:
    it ends as it begins."""

    run: NewRun
    problems: tuple[Problem, ...] = ()
    skipped: str | None = None
    """Why it is skipped."""

    @property
    def may_begin(self) -> bool:
        """Whether there is anything to carry out."""
        return not self.problems and self.skipped is None


class _OnlyLooking(Exception):
    """Undoes the transaction in which we looked whether a push is news."""


class Pushes:
    """Safe to use from several threads; one thread per repository at a time.

    `shows_skipped`: whether a workflow that path filters keep from running is shown on the commits of that
    repository: where a check is required, nobody could merge without it.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        git: Git,
        mirror_of: Callable[[str], Mirror],
        plan: Planning,
        shows_skipped: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._git = git
        self._mirror_of = mirror_of
        self._plan = plan
        self._shows_skipped = shows_skipped
        self._clock = clock
        self._journal = Journal("pushes")
        self._fetchers = ThreadPoolExecutor(4, thread_name_prefix="windlass-fetch")

    def take(self, event: Event, *, observed_at: float | None) -> tuple[str, ...]:
        """Write down the runs that a push starts; their ids. None where it was known already.

        Raises:
            RefRejected: the commit is gone.
            UpstreamError, OperatorError: it cannot be had now.
        """
        if event.ref is None or not is_watched(event.ref):
            return ()
        if event.is_deletion:
            self._note(event, observed_at)
            return ()
        mirror = self._mirror_of(event.repository)
        if event.branch is None:  # a tag may be an object of its own: what counts is its commit
            mirror.fetch(ref=event.ref, sha=event.sha)
            event = replace(event, sha=self._git.rev_parse(mirror.path, event.sha) or event.sha)
        if not self._is_news(event, observed_at):
            return ()
        fetched = self._fetchers.submit(mirror.fetch, ref=event.ref or event.sha, sha=event.sha)
        beside = local_path(event.repository)
        if beside is None:
            fetched.result()
        try:
            drafts = self._drafts(event, Source(mirror=mirror, objects=beside or mirror.path))
        finally:
            fetched.result()  # also where reading failed: it knows better what is wrong
        return self._write(event, drafts, observed_at=observed_at)

    def forget(self, event: Event, *, observed_at: float | None) -> None:
        """Take a push as known though nothing of it can be run: its commit is gone."""
        self._note(event, observed_at)

    def draft(self, found: FoundWorkflow, event: Event, *, reason: str, source: Source) -> Drafted:
        """One workflow, planned for an event, or refused with its problems."""
        try:
            return Drafted(run=self._plan(found, event=event, reason=reason, source=source))
        except AuthorError as error:
            run = _without_jobs(found, event, reason="the workflow cannot run")
            return Drafted(run=run, problems=error.problems)

    def create(self, draft: Drafted, *, key: str | None) -> str | None:
        """Write one run down; None where there is one of that key."""
        at = self._clock()
        with self._ledger.transaction():
            run_id = self._ledger.runs.create(draft.run, at=at, key=key, report=True)
            if run_id is not None and draft.skipped is not None:
                self._ledger.runs.record(
                    run_id,
                    run=RunUpdate(state="skipped", reason=draft.skipped, started_at=at, ended_at=at),
                    events=[EventDraft(kind="run.ended", data={"state": "skipped", "reason": draft.skipped})],
                    at=at,
                    report=True,
                )
            if run_id is not None and draft.problems:
                problems = [_annotation(problem) for problem in draft.problems]
                reason = _reason(draft.problems)
                self._ledger.runs.record(
                    run_id,
                    run=RunUpdate(state="failure", reason=reason, started_at=at, ended_at=at),
                    events=[EventDraft(kind="run.refused", data={"problems": problems})],
                    at=at,
                    report=True,
                )
        return run_id

    def _drafts(self, event: Event, source: Source) -> list[Drafted]:
        if self._ledger.sample_offers.is_unseen(event.repository, event.branch, event.sha):
            return []  # our own push, of a stranger's files: a person has to look at them first
        workflows = find_workflows(self._git, source.objects, event.sha)
        if not workflows:
            return []
        has_paths = any(_filters_paths(found) for found in workflows)
        complete = self._completed(event, source.objects, with_paths=has_paths)
        return list(self.matching(workflows, complete, source))

    def matching(
        self, workflows: tuple[FoundWorkflow, ...], event: Event, source: Source
    ) -> Iterator[Drafted]:
        """The workflows that the event starts, of a push those that are broken, and those that are skipped
        where that is shown."""
        for found in workflows:
            if found.workflow is None:
                if event.branch is not None:  # its triggers cannot be known: whoever pushed must hear of it
                    yield self.draft(found, event, reason="", source=source)
                continue
            matched = match(found.workflow, event)
            if matched.runs:
                yield self.draft(found, event, reason=matched.reason, source=source)
            elif matched.is_by_paths and self._shows_skipped(event.repository):
                run = _without_jobs(found, event, reason=matched.reason)
                yield Drafted(run=run, skipped=matched.reason)

    def _write(self, event: Event, drafts: list[Drafted], *, observed_at: float | None) -> tuple[str, ...]:
        made: list[str] = []
        with self._ledger.transaction():
            generation = self._note(event, observed_at)
            if generation is None:
                return ()
            for draft in drafts:
                key = "\n".join(
                    (event.repository, event.ref or "", event.sha, draft.run.workflow_path, str(generation))
                )
                run_id = self.create(draft, key=key)
                if run_id is not None:
                    made.append(run_id)
        self._journal.info(
            "push.taken", repository=event.repository, ref=event.ref, sha=event.sha, runs=" ".join(made)
        )
        return tuple(made)

    def _is_news(self, event: Event, observed_at: float | None) -> bool:
        """Whether the push is new, without taking it as known: that happens with its runs, or not at all."""
        generation: int | None = None
        try:
            with self._ledger.transaction():
                generation = self._note(event, observed_at)
                raise _OnlyLooking
        except _OnlyLooking:
            return generation is not None

    def _note(self, event: Event, observed_at: float | None) -> int | None:
        return self._ledger.refs.note_move(
            event.repository,
            event.ref or "",
            event.before or NO_COMMIT,
            event.sha,
            observed=observed_at is not None,
            at=self._clock() if observed_at is None else observed_at,
        )

    def _completed(self, event: Event, objects: Path, *, with_paths: bool) -> Event:
        """The event with what only the commit tells: message, author, and (where a filter asks for
        them) the changed files."""
        commit = self._git.commit(objects, event.sha)
        paths = self._git.changed_paths(objects, event.before, event.sha) if with_paths else None
        return replace(
            event,
            head_message=commit.message,
            actor=event.actor or commit.author_name,
            changed_paths=paths,
            payload=push_payload(event, commit),
        )


def _filters_paths(found: FoundWorkflow) -> bool:
    if found.workflow is None:
        return False
    pushes = [one for one in found.workflow.triggers if isinstance(one, PushTrigger)]
    return any(one.filter.paths or one.filter.paths_ignore for one in pushes)


def _without_jobs(found: FoundWorkflow, event: Event, *, reason: str) -> NewRun:
    """The record of a workflow that does not run: no jobs, only why."""
    plan = Plan(
        workflow=found.name,
        path=found.path,
        run_name=found.name,
        event=event,
        reason=reason,
        inputs={},
        env={},
        specs={},
        jobs=(),
    )
    return NewRun(
        repository=event.repository,
        ref=event.ref,
        sha=event.sha,
        workflow=found.name,
        workflow_path=found.path,
        plan=dumps(plan),
        event=dumps(event),
        name=found.name,
        jobs=(),
    )


def _reason(problems: Sequence[Problem]) -> str:
    """The problems as text, one on a line; of very many the first."""
    lines = [str(problem) for problem in problems[:_PROBLEMS_TOLD]]
    if len(problems) > len(lines):
        lines.append(f"… and {len(problems) - len(lines)} more: `windlass validate` prints them")
    return "\n".join(lines)


def _annotation(problem: Problem) -> Mapping[str, Any]:
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "remedy": problem.remedy,
        "severity": problem.severity,
    }
