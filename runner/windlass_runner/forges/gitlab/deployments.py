"""Tells GitLab what is deployed where: a deployment for each job, made when the job begins. Used by `forge`.

GitLab keeps nothing by which a deployment could be told from others of the same commit to the same
environment. So after a restart those that stand there are shared out by their states: two of which that does
not tell apart are alike to everybody, and it does not matter which is which.

https://docs.gitlab.com/api/deployments/ and https://docs.gitlab.com/api/environments/
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from windlass_registry.errors import UpstreamError, WindlassError
from windlass_runner.forges.base import CommitStatus, Deployment
from windlass_runner.forges.commit_statuses import MOST_CHARACTERS, Recent, web_address
from windlass_runner.forges.json_api import JsonApi, Refused

log = logging.getLogger("windlass_runner.gitlab")
_STATES: Final[Mapping[str, str]] = {
    "running": "running",
    "success": "success",
    "inactive": "success",
    "failure": "failed",
    "timed_out": "failed",
    "neutral": "failed",
    "cancelled": "canceled",
    "skipped": "canceled",
}
"""What is queued or waits is not told: GitLab takes no such state. Which success is the newest, and so
active, it finds by itself."""
_NAME: Final = re.compile(r"[\w$\\{}. -](?:[\w/$\\{}. -]*[\w$\\{}. -])?\Z", re.ASCII)
"""The names that GitLab takes (`Gitlab::Regex.environment_name_regex`); to others it answers 500."""
_PAGE: Final = 100
_MOST_PAGES: Final = 10
_HEADS: Final = "refs/heads/"
_TAGS: Final = "refs/tags/"


@dataclass(slots=True, kw_only=True)
class _Posted:
    """A deployment at GitLab. `url`: the address that its environment got by it."""

    id: int
    state: str
    url: str | None = None


_Known = dict[tuple[str, str], _Posted]
"""The deployments of one commit, by run and job."""


class Deployments:
    """Those of one server. Safe to use from several threads; one `post` per repository at a time."""

    def __init__(self, api: JsonApi) -> None:
        self._api = api
        self._commits: Recent[_Known] = Recent()
        self._own_id: int | None = None

    def post(self, path: str, status: CommitStatus) -> None:
        """Bring the commit's deployments to what `status` says; `path` leads to the project."""
        begun = [one for one in status.deployments if one.state in _STATES]
        told = [one for one in begun if _is_takeable(one, status.repository)]
        if not told:
            return
        try:
            known = self._commits.get(status.repository, status.sha, load=dict)
            self._recognize(path, status.sha, told, known)
            for deployment in told:
                self._post(path, status.sha, deployment, known)
        except WindlassError:
            self._commits.forget(status.repository, status.sha)
            raise

    def _post(self, path: str, sha: str, deployment: Deployment, known: _Known) -> None:
        key, state = (deployment.run, deployment.job), _STATES[deployment.state]
        posted = known.get(key)
        if posted is None:
            if deployment.state == "inactive":  # it was never heard of there, and is over
                return
            made = self._api.create(f"{path}/deployments", _body(deployment, sha))
            posted = known[key] = _Posted(id=_id(made), state=state)
        elif posted.state != state:
            self._api.change(f"{path}/deployments/{posted.id}", {"status": state})
            posted.state = state
        if deployment.state == "success":
            self._tell_address(path, deployment, posted)

    def _tell_address(self, path: str, deployment: Deployment, posted: _Posted) -> None:
        """Where people see what was deployed: at GitLab that is said of the environment."""
        url = web_address(deployment.environment_url)
        if url is None or url == posted.url or len(url) > MOST_CHARACTERS:
            return
        found = self._api.fetch_list(f"{path}/environments", {"name": deployment.environment})
        for environment in found[:1]:
            if environment.get("external_url") != url:
                self._change_address(f"{path}/environments/{_id(environment)}", url)
        posted.url = url

    def _change_address(self, path: str, url: str) -> None:
        try:
            self._api.change(path, {"external_url": url})
        except Refused as error:  # another environment has it, or GitLab does not think it an address
            log.warning("the address of an environment is not told to GitLab: %s", error)

    def _recognize(self, path: str, sha: str, told: Iterable[Deployment], known: _Known) -> None:
        """Find those of which this life has not heard among those that stand there."""
        missing: dict[str, list[Deployment]] = {}
        for one in told:
            if (one.run, one.job) not in known:
                missing.setdefault(one.environment, []).append(one)
        taken = {posted.id for posted in known.values()}
        for environment, ours in missing.items():
            there = [one for one in self._fetch(path, environment, sha) if one.id not in taken]
            for one, posted in _shared_out(ours, there):
                known[one.run, one.job] = posted

    def _fetch(self, path: str, environment: str, sha: str) -> list[_Posted]:
        """What we posted of the commit, oldest first; of very many the newest."""
        query: dict[str, str | int] = {
            "environment": environment,
            "order_by": "id",
            "sort": "desc",
            "per_page": _PAGE,
        }
        found: list[_Posted] = []
        for page in range(1, _MOST_PAGES + 1):
            items = self._api.fetch_list(f"{path}/deployments", {**query, "page": page})
            own = (item for item in items if item.get("sha") == sha and self._is_ours(item))
            found += [_Posted(id=_id(item), state=str(item.get("status"))) for item in own]
            if len(items) < _PAGE:
                break
        return sorted(found, key=lambda posted: posted.id)

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        """Made through the API by the token's owner: a pipeline's has a job."""
        if item.get("deployable") is not None:
            return False
        if self._own_id is None:
            self._own_id = _id(self._api.fetch("/user"))
        user = item.get("user")
        return isinstance(user, dict) and user.get("id") == self._own_id


def _shared_out(ours: Iterable[Deployment], there: Iterable[_Posted]) -> Iterator[tuple[Deployment, _Posted]]:
    """Which of those that stand there is which: of the same state, else of one that was left running."""
    left, free = list(ours), list(there)
    for wanted in (None, "running"):
        for one in tuple(left):
            state = wanted or _STATES[one.state]
            found = next((posted for posted in free if posted.state == state), None)
            if found is not None:
                left.remove(one)
                free.remove(found)
                yield one, found


def _body(deployment: Deployment, sha: str) -> dict[str, Any]:
    ref = deployment.ref or sha
    return {
        "environment": deployment.environment,
        "sha": sha,
        "ref": ref.removeprefix(_HEADS).removeprefix(_TAGS),
        "tag": ref.startswith(_TAGS),
        "status": _STATES[deployment.state],
    }


def _is_takeable(deployment: Deployment, repository: str) -> bool:
    name = deployment.environment
    if len(name) <= MOST_CHARACTERS and _NAME.match(name):
        return True
    log.warning("%s: GitLab takes no environment named %r", repository, name)
    return False


def _id(found: Mapping[str, Any]) -> int:
    number = found.get("id")
    if not isinstance(number, int):
        raise UpstreamError("GitLab gave something without a number")
    return number
