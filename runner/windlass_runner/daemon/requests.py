"""Does what people ask for through the ledger: cancel, run again, start by hand, answer to a gate,
stop an app.

Payloads: `cancel` {run_id, reason?, force?: bool} · `rerun` {run_id, failed?: bool} · `start` {workflow,
repository?, ref?, inputs?, actor?} · `answer` {run_id, jobs?, approve: bool, actor, comment?, via?} ·
`stop` {run_id, job, actor?}. The answer is {run_id} or {error, exit_code}. Of several requests with the same
`key` one makes a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from windlass_registry.errors import AuthorError, OperatorError, UpstreamError, WindlassError
from windlass_registry.near_words import did_you_mean
from windlass_runner.daemon.approvals import Approvals
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.pushes import Pushes, Source
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.rerun import plan_rerun
from windlass_runner.daemon.starting import Starting
from windlass_runner.daemon.workflows import find_workflows, named
from windlass_runner.forges.git import Git, default_branches
from windlass_runner.ledger.gate_records import Answer
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import FINAL, Request
from windlass_runner.run.answers import record_answer
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.triggers import match


class Canceller(Protocol):
    """What is needed of `run.conductor.Conductor`."""

    def cancel(self, run_id: str, *, reason: str, force: bool = False) -> None: ...

    def look_at_gates(self, run_id: str) -> None: ...

    def finish(self, run_id: str, key: str, *, because: str) -> bool: ...


class Requested:
    """Call `turn` from one thread."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        conductor: Canceller,
        starting: Starting,
        pushes: Pushes,
        repositories: tuple[RepositorySettings, ...],
        mirror_of: Callable[[str], Mirror],
        git: Git,
        approvals: Approvals,
        is_leaving: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        """`is_leaving`: whether that run is being removed (`run.removal`)."""
        self._ledger = ledger
        self._conductor = conductor
        self._is_leaving = is_leaving
        self._starting = starting
        self._pushes = pushes
        self._repositories = repositories
        self._mirror_of = mirror_of
        self._git = git
        self._approvals = approvals
        self._clock = clock
        self._journal = Journal("requests")

    def turn(self) -> float | None:
        """Answer what was asked; only news brings more."""
        for request in self._ledger.requests.take():
            try:
                answer = self._answer(request)
            except WindlassError as error:
                self._journal.warning("request.refused", kind=request.kind, id=request.id, reason=error)
                answer = {"error": str(error), "exit_code": error.exit_code}
            except (KeyError, TypeError, ValueError) as error:
                self._journal.broken("request.broken", error, kind=request.kind)
                answer = {"error": f"the request cannot be read: {error!r}", "exit_code": 2}
            self._ledger.requests.done(request.id, answer)
        return None

    def _answer(self, request: Request) -> Mapping[str, Any]:
        match_ = {
            "cancel": self._cancel,
            "rerun": self._rerun,
            "start": self._start,
            "answer": self._answer_gate,
            "stop": self._stop_app,
        }
        self._journal.info("request.taken", kind=request.kind, id=request.id)
        return match_[request.kind](request.payload, request.payload.get("key") or f"request\n{request.id}")

    def _cancel(self, payload: Mapping[str, Any], _key: str) -> Mapping[str, Any]:
        run = self._ledger.runs.get(payload["run_id"])
        reason = payload.get("reason") or "cancelled by hand"
        if self._approvals.is_held(run):
            self._approvals.end(run, reason=reason)
        elif run.state not in FINAL:
            self._ledger.runs.request_cancel(run.id, at=self._clock())
            self._conductor.cancel(run.id, reason=reason, force=bool(payload.get("force")))
        return {"run_id": run.id, "state": self._ledger.runs.get(run.id).state}

    def _answer_gate(self, payload: Mapping[str, Any], _key: str) -> Mapping[str, Any]:
        run = self._ledger.runs.get(payload["run_id"])
        answer = Answer(
            actor=str(payload["actor"]),
            is_approval=bool(payload["approve"]),
            comment=str(payload.get("comment") or ""),
            via=str(payload.get("via") or ""),
            at=self._clock(),
        )
        jobs = record_answer(self._ledger, run, answer, names=payload.get("jobs") or ())
        self._conductor.look_at_gates(run.id)
        return {"run_id": run.id, "jobs": list(jobs)}

    def _stop_app(self, payload: Mapping[str, Any], _key: str) -> Mapping[str, Any]:
        run, key = self._ledger.runs.get(payload["run_id"]), str(payload["job"])
        actor = payload.get("actor")
        because = f"stopped by {actor}" if actor else "stopped by hand"
        if not self._conductor.finish(run.id, key, because=because):
            raise OperatorError(
                f"no app runs as job '{key}' of run {run.id}",
                remedy="'windlass show' says how it stands; 'windlass cancel' ends any run",
            )
        return {"run_id": run.id, "job": key}

    def _rerun(self, payload: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        old = self._ledger.runs.find(payload["run_id"])
        if old.state not in FINAL:
            raise OperatorError(f"run {old.id} has not ended", remedy="wait for it, or cancel it first")
        jobs = self._ledger.runs.jobs(old.id)
        if not jobs:
            raise OperatorError(f"run {old.id} has no jobs", remedy="mend its workflow file and push again")
        rerun = plan_rerun(
            old,
            plan=self._ledger.runs.plan(old.id),
            event=self._ledger.runs.event(old.id),
            jobs=jobs,
            failed_only=bool(payload.get("failed")),
            at=self._clock(),
        )
        with self._ledger.transaction():
            run_id = self._ledger.runs.create(rerun.run, at=self._clock(), key=key, report=True)
            if run_id is not None and rerun.kept:
                self._ledger.runs.record(run_id, jobs=rerun.kept, at=self._clock())
            if self._is_leaving(old.id):  # asked now: who removes it asks for runs of it after that
                raise OperatorError(f"run {old.id} is being removed", remedy="push again")
        return self._begun(run_id, key)

    def _start(self, payload: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        repository = self._repository(payload.get("repository"))
        mirror = self._mirror_of(repository.url)
        ref, sha = self._commit(repository, payload.get("ref"))
        mirror.fetch(ref=ref, sha=sha)
        sha = self._git.rev_parse(mirror.path, sha) or sha
        found = named(find_workflows(self._git, mirror.path, sha), payload["workflow"])
        inputs = {str(name): value for name, value in (payload.get("inputs") or {}).items()}
        event = Event(
            kind="workflow_dispatch",
            repository=repository.url,
            ref=ref,
            sha=sha,
            actor=str(payload.get("actor") or ""),
            head_message=self._git.commit(mirror.path, sha).message,
            inputs=inputs,
            payload={"inputs": inputs, "ref": ref, "workflow": found.path},
        )
        reason = match(found.workflow, event).reason if found.workflow is not None else ""
        source = Source(mirror=mirror, objects=mirror.path)
        draft = self._pushes.draft(found, event, reason=reason, source=source)
        if draft.problems:
            raise AuthorError(*draft.problems)
        return self._begun(self._pushes.create(draft, key=key), key)

    def _begun(self, run_id: str | None, key: str) -> Mapping[str, Any]:
        if run_id is None:  # written down by an earlier life, which did not come to answering
            return {"run_id": self._ledger.runs.id_of(key)}
        self._starting.enter([run_id])
        return {"run_id": run_id}

    def _repository(self, named: str | None) -> RepositorySettings:
        if named is None and len(self._repositories) == 1:
            return self._repositories[0]
        names = {repository.name: repository for repository in self._repositories}
        addresses = {repository.url: repository for repository in self._repositories}
        found = names.get(named or "") or addresses.get(named or "") or addresses.get(f"file://{named}")
        if found is not None:
            return found
        if named is None:
            raise OperatorError(
                f"{len(names)} repositories are watched", remedy="name one: " + ", ".join(sorted(names))
            )
        raise OperatorError(f"the repository '{named}' is not watched", remedy=did_you_mean(named, names))

    def _commit(self, repository: RepositorySettings, wanted: str | None) -> tuple[str, str]:
        """The ref and commit that somebody means by `main`, `refs/tags/v1` or nothing (the default)."""
        refs = self._git.ls_remote(repository.url)
        candidates = (
            [wanted, f"refs/heads/{wanted}", f"refs/tags/{wanted}"] if wanted else default_branches(refs)
        )
        for ref in candidates:
            if ref in refs and ref != "HEAD":
                return ref, refs[ref]
        holder = next((ref for ref, sha in refs.items() if sha == wanted and ref != "HEAD"), None)
        if holder is not None and wanted is not None:
            return holder, wanted
        if not refs:
            raise UpstreamError(f"{repository.name} is empty: nothing was pushed yet")
        heads = [ref.removeprefix("refs/heads/") for ref in refs if ref.startswith("refs/heads/")]
        raise OperatorError(
            f"{repository.name} has no branch or tag '{wanted}'", remedy=did_you_mean(str(wanted), heads)
        )
