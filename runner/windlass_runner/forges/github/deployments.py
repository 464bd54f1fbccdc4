"""Tells GitHub what is deployed where: a deployment for each job, and a status for each turn that it takes.

A deployment is found again by what it carries (`payload`): run and job. What was posted is remembered; after
a restart, and after a write of which nobody knows what became, it is looked up. Used by `forge`.

https://docs.github.com/en/rest/deployments/deployments
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from windlass_registry.errors import UpstreamError, WindlassError
from windlass_runner.forges.base import CommitStatus, Deployment, NotYet
from windlass_runner.forges.commit_statuses import web_address
from windlass_runner.forges.github.checks import Body, cut_line
from windlass_runner.forges.github.client import Client

_MOST_COMMITS: Final = 500
_LONGEST_DESCRIPTION: Final = 140
_LEAST_RETRY_S: Final = 2.0
"""After a write of which we do not know what became: GitHub's lists lag a little behind."""
_PAYLOAD_KEY: Final = "windlass"
_STATES: Final[Mapping[str, str]] = {
    "queued": "queued",
    "waiting": "queued",
    "running": "in_progress",
    "success": "success",
    "failure": "failure",
    "timed_out": "failure",
    "neutral": "failure",
    "cancelled": "error",
    "skipped": "error",
    "inactive": "inactive",
}


@dataclass(slots=True)
class _Posted:
    """A deployment at GitHub. `told`: its newest status, as far as it tells ours apart."""

    id: int
    told: tuple[str, str]


_Known = dict[tuple[str, str], _Posted]
"""The deployments of one commit, by run and job."""


class Deployments:
    """Those of one repository. One `post` at a time."""

    def __init__(self) -> None:
        self._commits: OrderedDict[str, _Known] = OrderedDict()

    def post(self, client: Client, repository: str, status: CommitStatus) -> None:
        """Bring the commit's deployments to what `status` says; `repository` is its name at GitHub now."""
        try:
            known = self._known(client, repository, status.sha)
            for deployment in status.deployments:
                self._post(client, repository, status.sha, deployment, known)
        except NotYet:
            raise
        except UpstreamError as error:
            self._commits.pop(status.sha, None)
            pause_s = max(error.retry_after_s or 0.0, _LEAST_RETRY_S)
            raise type(error)(error.message, retry_after_s=pause_s) from error
        except WindlassError:
            self._commits.pop(status.sha, None)
            raise

    def _post(self, client: Client, repository: str, sha: str, deployment: Deployment, known: _Known) -> None:
        body = status_body(deployment)
        posted = known.get((deployment.run, deployment.job))
        if posted is None:
            if deployment.state == "inactive":  # it was never heard of there, and is over
                return
            made = client.write("POST", f"/repos/{repository}/deployments", deployment_body(deployment, sha))
            posted = known[deployment.run, deployment.job] = _Posted(_id(made), ("", ""))
        if posted.told in (_told(body), ("inactive", "")):
            return
        client.write("POST", f"/repos/{repository}/deployments/{posted.id}/statuses", body)
        posted.told = _told(body)

    def _known(self, client: Client, repository: str, sha: str) -> _Known:
        """What stands on the commit of ours; the oldest where there are two alike."""
        known = self._commits.get(sha)
        if known is None:
            known = self._commits[sha] = self._fetch(client, repository, sha)
            if len(self._commits) > _MOST_COMMITS:
                self._commits.popitem(last=False)
        self._commits.move_to_end(sha)
        return known

    def _fetch(self, client: Client, repository: str, sha: str) -> _Known:
        path = f"/repos/{repository}/deployments"
        found: _Known = {}
        for one in client.pages(path, query={"sha": sha}):  # newest first: the oldest is written last
            whose = _whose(one)
            if whose is not None:
                statuses = client.request("GET", f"{path}/{_id(one)}/statuses", query={"per_page": 1})
                newest = statuses[0] if isinstance(statuses, list) and statuses else {}
                found[whose] = _Posted(_id(one), _told(newest))
        return found


def deployment_body(deployment: Deployment, sha: str) -> Body:
    """What makes a deployment. Nothing is merged into the commit, and no check is waited for: whether it may
    be deployed was decided here."""
    return {
        "ref": sha,
        "task": "deploy",
        "auto_merge": False,
        "required_contexts": [],
        "environment": deployment.environment,
        "payload": {_PAYLOAD_KEY: {"run": deployment.run, "job": deployment.job}},
        "description": cut_line(f"{deployment.job} of run {deployment.run}", _LONGEST_DESCRIPTION),
    }


def status_body(deployment: Deployment) -> Body:
    """How it stands now. A success makes those before it inactive, where GitHub does that."""
    optional = {
        "log_url": web_address(deployment.log_url),
        "environment_url": web_address(deployment.environment_url),
    }
    return {
        "state": _STATES[deployment.state],
        "description": cut_line(deployment.description, _LONGEST_DESCRIPTION),
        "auto_inactive": True,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _told(status: Mapping[str, Any]) -> tuple[str, str]:
    state = str(status.get("state") or "")
    return state, "" if state == "inactive" else str(status.get("description") or "")


def _whose(deployment: Any) -> tuple[str, str] | None:
    """The run and the job that it is of; None: it is not ours."""
    payload = deployment.get("payload") if isinstance(deployment, dict) else None
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            return None
    match payload:
        case {"windlass": {"run": str(run), "job": str(job)}}:
            return run, job
    return None


def _id(found: Any) -> int:
    number = found.get("id") if isinstance(found, dict) else None
    if not isinstance(number, int):
        raise UpstreamError("GitHub gave a deployment without a number")
    return number
