"""Puts checks on commits as check runs, which only a GitHub App may make. Used by `forge`.

What was posted is remembered, so that nothing is posted twice; after a restart it is looked up. The
order makes that safe: a check run is found again by its name and `external_id`, an annotation by itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from windlass_registry.errors import UpstreamError, WindlassError
from windlass_runner.forges.base import Check, CommitStatus, NotYet
from windlass_runner.forges.github.checks import (
    MOST_ANNOTATIONS,
    Body,
    Key,
    annotation_key,
    batches,
    digest,
    github_state,
    replaced_body,
    to_annotation,
    to_body,
    with_annotations,
)
from windlass_runner.forges.github.client import Client, NotFound

_MOST_COMMITS: Final = 500
_SETTLING_S: Final = 60.0
"""For how long after its making a check run may answer 404 (seen: up to 0.63 s)."""
_SETTLING_WAITS_S: Final = (0.3, 0.7, 1.5, 3.0)
_LEAST_RETRY_S: Final = 2.0
"""After a write of which we do not know what became: GitHub's lists lag a little behind."""


@dataclass(kw_only=True)
class _Posted:
    """A check run as we know it. `digest` is empty where it was found, not made."""

    id: int
    state: tuple[str, str | None]
    made_at: float = float("-inf")
    digest: str = ""
    annotations: set[Key] = field(default_factory=set)
    are_annotations_known: bool = True


_Known = dict[tuple[str, str], _Posted]
"""The check runs of one commit, by name and `external_id`."""


class CheckRuns:
    """The check runs of one repository. One `post` at a time."""

    def __init__(self, *, app_id: int, clock: Callable[[], float], wait: Callable[[float], object]) -> None:
        self._app_id = app_id
        self._clock = clock
        self._wait = wait
        self._commits: OrderedDict[str, _Known] = OrderedDict()

    def post(self, client: Client, repository: str, status: CommitStatus) -> None:
        """Bring the commit's check runs to what `status` says; `repository` is its name at GitHub now.

        What begins or ends goes first, so that the pace never holds it up for mere progress.
        """
        try:
            known = self._known(client, repository, status.sha)
            for check in sorted(status.checks, key=lambda check: not _is_urgent(check, known)):
                self._post_check(client, repository, status.sha, check, known)
            self._conclude_replaced(client, repository, status, known)
        except NotYet:
            raise
        except UpstreamError as error:
            self._commits.pop(status.sha, None)
            pause_s = max(error.retry_after_s or 0.0, _LEAST_RETRY_S)
            raise type(error)(error.message, retry_after_s=pause_s) from error
        except WindlassError:
            self._commits.pop(status.sha, None)
            raise

    def _known(self, client: Client, repository: str, sha: str) -> _Known:
        """What stands on the commit of ours; the newest where there are two alike."""
        known = self._commits.get(sha)
        if known is None:
            own = [run for run in self._fetch(client, repository, sha) if self._is_ours(run)]
            oldest_first = sorted(own, key=_id)
            known = {(run["name"], run.get("external_id") or ""): _found(run) for run in oldest_first}
            self._commits[sha] = known
            if len(self._commits) > _MOST_COMMITS:
                self._commits.popitem(last=False)
        self._commits.move_to_end(sha)
        return known

    def _fetch(self, client: Client, repository: str, sha: str) -> list[dict[str, Any]]:
        """All on the commit; none where it is not known. Whether that, or the repository, is amiss tells
        the answer to the making of one."""
        path = f"/repos/{repository}/commits/{sha}/check-runs"
        query = {"filter": "all", "app_id": self._app_id}
        try:
            return list(client.pages(path, query=query, items="check_runs"))
        except NotFound:
            return []

    def _is_ours(self, run: dict[str, Any]) -> bool:
        """GitHub may leave out the App; the `external_id` of a run of ours decides then."""
        app = run.get("app")
        return app is None or app.get("id") == self._app_id

    def _post_check(self, client: Client, repository: str, sha: str, check: Check, known: _Known) -> None:
        body = to_body(check)
        is_urgent = _is_urgent(check, known)
        posted = known.get((check.name, check.external_id))
        if posted is None:
            posted, rest = self._create(client, repository, sha, check, body)
            known[check.name, check.external_id] = posted
        else:
            rest = self._missing_annotations(client, repository, posted, check)
        path = f"/repos/{repository}/check-runs/{posted.id}"
        for batch in batches(rest):
            self._patch(client, path, posted, with_annotations(body, batch), is_urgent=is_urgent)
            posted.annotations.update(map(annotation_key, batch))
        if posted.digest != digest(body):
            self._patch(client, path, posted, body, is_urgent=is_urgent)

    def _conclude_replaced(
        self, client: Client, repository: str, status: CommitStatus, known: _Known
    ) -> None:
        """A check run whose workflow has a newer run on the commit hears no more of its own: it must not
        seem to go on for ever."""
        shown = {check.name: check.external_id for check in status.checks}
        for (name, external_id), posted in known.items():
            if shown.get(name, external_id) != external_id and posted.state[0] != "completed":
                path = f"/repos/{repository}/check-runs/{posted.id}"
                self._patch(client, path, posted, replaced_body(), is_urgent=True)

    def _create(
        self, client: Client, repository: str, sha: str, check: Check, body: Body
    ) -> tuple[_Posted, Sequence[Body]]:
        """Make it complete, with as many annotations as one request takes; gives those that are left."""
        annotations = _distinct(check)
        first = annotations[:MOST_ANNOTATIONS]
        whole = with_annotations({**body, "head_sha": sha}, first)
        found = client.write("POST", f"/repos/{repository}/check-runs", whole)
        posted = _Posted(
            id=_id(found),
            state=github_state(check.state),
            made_at=self._clock(),
            digest=digest(body),
            annotations=set(map(annotation_key, first)),
        )
        return posted, annotations[MOST_ANNOTATIONS:]

    def _patch(self, client: Client, path: str, posted: _Posted, body: Body, *, is_urgent: bool) -> None:
        """Change it; a 404 on one that we made just now is waited out."""
        for pause_s in (*_SETTLING_WAITS_S, None):
            try:
                client.write("PATCH", path, body, is_urgent=is_urgent)
                break
            except NotFound:
                if pause_s is None or self._clock() - posted.made_at > _SETTLING_S:
                    raise
                self._wait(pause_s)
        posted.digest = digest(_without_annotations(body))
        posted.state = (body["status"], body.get("conclusion"))

    def _missing_annotations(
        self, client: Client, repository: str, posted: _Posted, check: Check
    ) -> Sequence[Body]:
        if not check.annotations:
            return ()
        if not posted.are_annotations_known:
            path = f"/repos/{repository}/check-runs/{posted.id}/annotations"
            found = client.pages(path, query={}, items="check_annotations")  # an object on some servers
            posted.annotations = set(map(annotation_key, found))
            posted.are_annotations_known = True
        return [body for body in _distinct(check) if annotation_key(body) not in posted.annotations]


def _is_urgent(check: Check, known: _Known) -> bool:
    """Whether it begins or ends something, or tells how it ended; else it only tells of progress."""
    posted, state = known.get((check.name, check.external_id)), github_state(check.state)
    return posted is None or posted.state != state or state[1] is not None


def _distinct(check: Check) -> list[Body]:
    bodies = map(to_annotation, check.annotations)
    return list({annotation_key(body): body for body in bodies}.values())


def _without_annotations(body: Body) -> Body:
    output = {key: value for key, value in body["output"].items() if key != "annotations"}
    return {**body, "output": output}


def _found(run: dict[str, Any]) -> _Posted:
    has_annotations = bool((run.get("output") or {}).get("annotations_count"))
    return _Posted(
        id=_id(run),
        state=(run.get("status", ""), run.get("conclusion")),
        are_annotations_known=not has_annotations,
    )


def _id(run: Any) -> int:
    number = run.get("id") if isinstance(run, dict) else None
    if not isinstance(number, int):
        raise UpstreamError("GitHub gave a check run without a number")
    return number
