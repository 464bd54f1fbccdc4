"""From what only a forge tells to runs: pull requests, the merge queue, refs made and removed, dispatches.
Used by `daemon.intake`.

A fork's pull request is planned with the workflow files, own actions and lock of the branch that it wants
to go into, and its runs wait until somebody who may write approves that commit (`daemon.approvals`). That a
pull request has a new commit may be heard of in several ways, as of a push, and counts once by the same rule
(`ledger.refs`). Nothing here keeps state: everything may be done again after a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from windlass_runner.daemon.approvals import Approvals
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.pushes import Pushes, Source
from windlass_runner.daemon.workflows import find_workflows, named
from windlass_runner.forges.git import Git, default_branches
from windlass_runner.forges.git_errors import RefRejected
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.events import NO_COMMIT, Event

_NEW_COMMITS: Final = ("opened", "synchronize")
"""What happens to a pull request when it has a commit that it did not have. All else may happen to it again,
with the same commit."""


class ForgeEvents:
    """Safe to use from several threads; one thread per repository at a time."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        git: Git,
        mirror_of: Callable[[str], Mirror],
        pushes: Pushes,
        approvals: Approvals,
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._git = git
        self._mirror_of = mirror_of
        self._pushes = pushes
        self._approvals = approvals
        self._clock = clock
        self._journal = Journal("forge_events")

    def take(self, event: Event, *, delivery: str, observed_at: float | None = None) -> tuple[str, ...]:
        """Write down the runs that an event starts; the ids of those that may begin. A delivery counts once,
        and so does a commit that a pull request moved to. `observed_at`: when it was seen there, where
        nobody told of the move.

        Raises:
            RefRejected: the commit is gone.
            UpstreamError, OperatorError: it cannot be had now.
        """
        mirror = self._mirror_of(event.repository)
        is_closed = event.kind == "pull_request" and event.action == "closed"
        if is_closed:
            self._approvals.withdraw(event)
        try:
            event = self._with_trust(self._located(event))
            mirror.fetch(ref=event.ref or event.sha, sha=event.sha)
        except RefRejected:
            if is_closed:  # its branches may be gone by now, and with them the commit
                return ()
            raise
        return self._begin(self._completed(event, mirror), mirror, delivery=delivery, observed_at=observed_at)

    def start(self, event: Event, *, workflow: str, delivery: str) -> tuple[str, ...]:
        """Write down a run of one workflow for a pull request, whatever its triggers say: somebody who may
        write asks for it, and so has approved the commit.

        Raises:
            AuthorError: there is no such workflow.
            RefRejected, UpstreamError, OperatorError: as `take`.
        """
        mirror = self._mirror_of(event.repository)
        mirror.fetch(ref=event.ref or event.sha, sha=event.sha)
        event = self._completed(self._located(event), mirror)
        found = named(find_workflows(self._git, mirror.path, event.workflow_sha), workflow)
        draft = self._pushes.draft(
            found,
            event,
            reason=f"asked for by {event.actor}",
            source=Source(mirror=mirror, objects=mirror.path),
        )
        run_id = self._pushes.create(draft, key=f"{delivery}\n{found.path}")
        return (run_id,) if run_id is not None and draft.may_begin else ()

    def _with_trust(self, event: Event) -> Event:
        """A pull request of our own, with a release that nobody has looked at, is like a fork's."""
        if event.kind != "pull_request" or event.is_fork or not self._is_offer(event):
            return event
        return replace(event, is_fork=True)

    def _is_offer(self, event: Event) -> bool:
        return self._ledger.sample_offers.is_unseen(event.repository, event.head_ref, event.sha)

    def _located(self, event: Event) -> Event:
        """The event with the commits that the forge did not say, as they stand in the repository now."""
        if event.kind == "pull_request":
            refs = self._git.ls_remote(event.repository)
            return replace(event, base_sha=_commit(refs, f"refs/heads/{event.base_ref}", event.repository))
        if event.is_deletion:
            refs = self._git.ls_remote(event.repository)
            ref = event.ref or next(iter(default_branches(refs)), "HEAD")
            return replace(event, ref=ref, sha=_commit(refs, ref, event.repository))
        return event

    def _completed(self, event: Event, mirror: Mirror) -> Event:
        """The event with its head commit's message and, of a pull request, the files that it changes."""
        message = self._git.commit(mirror.path, event.sha).message
        if event.base_sha is None:
            return replace(event, head_message=message)
        mirror.fetch(ref=f"refs/heads/{event.base_ref}", sha=event.base_sha)
        fork_point = self._git.merge_base(mirror.path, event.base_sha, event.sha)
        paths = self._git.changed_paths(mirror.path, fork_point, event.sha) if fork_point else None
        return replace(event, head_message=message, changed_paths=paths)

    def _begin(
        self, event: Event, mirror: Mirror, *, delivery: str, observed_at: float | None
    ) -> tuple[str, ...]:
        source = Source(mirror=mirror, objects=mirror.path)
        workflows = find_workflows(self._git, mirror.path, event.workflow_sha)
        drafts = list(self._pushes.matching(workflows, event, source))
        made: list[str] = []
        with self._ledger.transaction():
            key: str | None = delivery
            if event.kind == "pull_request" and event.action in _NEW_COMMITS:
                key = self._move(event, observed_at)
            if key is None:
                return ()
            for draft in drafts:
                run_id = self._pushes.create(draft, key=f"{key}\n{draft.run.workflow_path}")
                if run_id is None:
                    continue
                made.append(run_id)
                if event.is_fork and draft.may_begin:
                    self._approvals.hold(run_id, event, why=self._why_held(event))
        self._journal.info(
            "event.taken",
            kind=event.kind,
            repository=event.repository,
            ref=event.ref,
            sha=event.sha,
            is_fork=event.is_fork,
            runs=" ".join(made),
        )
        return () if event.is_fork else tuple(made)

    def _why_held(self, event: Event) -> str:
        is_ours = self._is_offer(event)
        return "it is an update that nobody has looked at" if is_ours else "it comes from a fork"

    def _move(self, event: Event, observed_at: float | None) -> str | None:
        """Note that a pull request has a new commit: what to call that, or None where it was known. What
        waits on its older commits is withdrawn."""
        refs, ref = self._ledger.refs, event.ref or ""
        before = event.before
        if before is None and event.action == "synchronize":  # not every forge says
            before = refs.heads(event.repository).get(ref)
        generation = refs.note_move(
            event.repository,
            ref,
            before or NO_COMMIT,
            event.sha,
            observed=observed_at is not None,
            at=self._clock() if observed_at is None else observed_at,
        )
        if generation is None:
            return None
        newest = refs.heads(event.repository)[ref]  # which this is not where it came late
        self._approvals.withdraw(replace(event, sha=newest))
        return "\n".join((event.repository, ref, event.sha, str(generation)))


def _commit(refs: dict[str, str], ref: str, repository: str) -> str:
    found = refs.get(ref)
    if found is None:
        raise RefRejected(f"{repository} has no {ref}")
    return found
