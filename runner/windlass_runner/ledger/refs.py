"""Where the refs of the watched repositories stand, and which pushes were already run.

The same push is heard of in several ways: by webhook (perhaps twice, perhaps late, perhaps never)
and by the poller, who sees states and no moves. The rule here makes one run of it:

- A commit that was never seen on a ref is a new push, whoever tells of it.
- A commit that was seen is an old story, unless the ref moved back to it: a webhook's move must
  begin at the recorded head, an observation must be younger than the recorded head.
- A webhook that overtakes its predecessor waits: when the predecessor comes, the head passes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, insert, or_, select, update

from windlass_runner.ledger.schema import observations, pushes, refs
from windlass_runner.ledger.store import Store

_ANYTHING: Final = ""


class Refs:
    """The recorded heads, the seen-set of pushes, and the poller's last observations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def heads(self, repository: str) -> dict[str, str]:
        """Each ref with the commit at which it is recorded."""
        query = select(refs.c.ref, refs.c.sha).where(refs.c.repository == repository)
        return {row["ref"]: row["sha"] for row in self._store.rows(query)}

    def note_move(
        self,
        repository: str,
        ref: str,
        before: str | None,
        after: str,
        *,
        observed: bool,
        at: float,
    ) -> int | None:
        """A ref is said to have moved to `after`. The generation of the push where it is new and its
        workflows have to be started (0; more for each move back to that commit), else None.

        `observed`: the poller saw `after` there, in a reading that began at `at`; `before` is what it
        saw last. Otherwise a webhook says that the ref moved from `before` (None: the ref is new).

        To lose nothing to a crash, create the runs in the same `Ledger.transaction`.
        """
        with self._store.write() as connection:
            return _Move(
                connection=connection,
                repository=repository,
                ref=ref,
                before=before,
                after=after,
                is_observed=observed,
                at=at,
            ).generation()

    def observe(self, repository: str, heads: Mapping[str, str], *, at: float) -> None:
        """Keep what the poller saw in a reading that began at `at`: all refs, those that are gone left out.

        A ref whose head was recorded after that moment keeps its older observation: what was read may
        be out of date, and the next reading decides.
        """
        with self._store.write() as connection:
            of_repository = observations.c.repository == repository
            last = {row.ref: row.sha for row in connection.execute(_valid_observations(repository))}
            newer = select(refs.c.ref).where(refs.c.repository == repository, refs.c.moved_at > at)
            uncertain = set(connection.execute(newer).scalars())
            changed = {
                ref: heads.get(ref)
                for ref in heads.keys() | last.keys()
                if heads.get(ref) != last.get(ref) and ref not in uncertain
            }
            if not changed:
                return
            connection.execute(
                delete(observations).where(of_repository, observations.c.ref.in_(list(changed)))
            )
            rows = [
                {"repository": repository, "ref": ref, "sha": sha, "read_at": at}
                for ref, sha in changed.items()
                if sha is not None
            ]
            if rows:
                connection.execute(insert(observations), rows)

    def observed(self, repository: str) -> dict[str, str]:
        """What the poller saw last, with which it compares what it sees now. A ref that was heard to
        move since is left out: whatever is seen there next has to be noted."""
        return {row["ref"]: row["sha"] for row in self._store.rows(_valid_observations(repository))}


def _valid_observations(repository: str) -> Select[tuple[str, str]]:
    same_ref = and_(refs.c.repository == observations.c.repository, refs.c.ref == observations.c.ref)
    return (
        select(observations.c.ref, observations.c.sha)
        .select_from(observations.outerjoin(refs, same_ref))
        .where(observations.c.repository == repository)
        .where(or_(refs.c.moved_at.is_(None), refs.c.moved_at <= observations.c.read_at))
    )


@dataclass(slots=True, kw_only=True)
class _Move:
    """One move of one ref, judged inside a write transaction."""

    connection: Connection
    repository: str
    ref: str
    before: str | None
    after: str
    is_observed: bool
    at: float
    head: str | None = None
    is_outdated: bool = False

    def generation(self) -> int | None:
        """The generation of this push where it is new, else None."""
        query = select(refs.c.sha, refs.c.moved_at).where(*self._on(refs))
        if head := self.connection.execute(query).first():
            self.head = head.sha
            self.is_outdated = self.is_observed and head.moved_at > self.at
        known = self._push(self.after)
        generation = self._first() if known is None else self._again(known)
        if self.is_observed and not self.is_outdated:
            self._settle()
        return generation

    def _first(self) -> int:
        """A commit that was never seen there: always a push."""
        is_next = self.head is None or self.before == self.head
        is_moving = not self.is_outdated and (self.is_observed or is_next)
        row = {
            "repository": self.repository,
            "ref": self.ref,
            "sha": self.after,
            "generation": 0,
            "noted_at": self.at,
            "waits_for": None if is_moving else self._awaited(),
        }
        self.connection.execute(insert(pushes).values(row))
        if is_moving:
            self._move_head(self._pass_on(self.after))
        return 0

    def _again(self, known: _Push) -> int | None:
        """A commit that was seen there: a push only where the ref moved back to it."""
        if self.after == self.head or self.is_outdated:
            return None
        if not self.is_observed and self.before != self.head:
            return None
        is_first_arrival = known.waits_for is not None
        generation = known.generation if is_first_arrival else known.generation + 1
        row = {"generation": generation, "noted_at": self.at, "waits_for": None}
        self._update_push(self.after, row)
        self._move_head(self.after)
        return None if is_first_arrival else generation

    def _awaited(self) -> str | None:
        """What has to come before a push that does not become the head; None where it came late."""
        if self.is_observed:
            return _ANYTHING
        predecessor = None if self.before is None else self._push(self.before)
        is_created = self.before is None or not self.before.strip("0")
        is_late = is_created or (predecessor is not None and predecessor.waits_for is None)
        return None if is_late else self.before

    def _pass_on(self, sha: str) -> str:
        """The end of the chain of pushes that were told of before `sha` though they followed it."""
        while (follower := self._follower(sha)) is not None:
            self._update_push(follower, {"waits_for": None})
            sha = follower
        return sha

    def _follower(self, sha: str) -> str | None:
        query = select(pushes.c.sha).where(*self._on(pushes), pushes.c.waits_for == sha)
        if self.is_observed:  # what was noted before the reading began is no news to it
            query = query.where(pushes.c.noted_at > self.at)
        return self.connection.execute(query.order_by(pushes.c.noted_at.desc()).limit(1)).scalar()

    def _settle(self) -> None:
        """The head was seen: what was noted before that and still waits is history."""
        this = (*self._on(pushes), pushes.c.waits_for.is_not(None), pushes.c.noted_at <= self.at)
        self.connection.execute(update(pushes).where(*this).values(waits_for=None))

    def _push(self, sha: str) -> _Push | None:
        query = select(pushes.c.generation, pushes.c.waits_for)
        row = self.connection.execute(query.where(*self._on(pushes), pushes.c.sha == sha)).first()
        return None if row is None else _Push(generation=row.generation, waits_for=row.waits_for)

    def _update_push(self, sha: str, values: Mapping[str, Any]) -> None:
        this = (*self._on(pushes), pushes.c.sha == sha)
        self.connection.execute(update(pushes).where(*this).values(values))

    def _move_head(self, sha: str) -> None:
        moved = {"sha": sha, "moved_at": self.at}
        if self.head is None:
            row = {"repository": self.repository, "ref": self.ref, **moved}
            self.connection.execute(insert(refs).values(row))
        else:
            self.connection.execute(update(refs).where(*self._on(refs)).values(moved))

    def _on(self, table: Table) -> tuple[ColumnElement[bool], ...]:
        return table.c.repository == self.repository, table.c.ref == self.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class _Push:
    """What is known of a commit on a ref. `waits_for`: it never was the head, for what came before
    it has not been heard of."""

    generation: int
    waits_for: str | None
