"""Deployments and their statuses, on the double."""

from __future__ import annotations

from typing import Final

from github_double.calls import Answer, Call, Json, invalid, page, problem, route
from github_double.world import Deployment, stamp

_LONGEST_DESCRIPTION: Final = 140
_PRODUCTION: Final = "production"


@route("post", "/repos/{owner}/{repo}/deployments")
def create_deployment(call: Call) -> Answer:
    """https://docs.github.com/en/rest/deployments/deployments#create-a-deployment"""
    refusal = _refuse(call)
    if refusal is not None:
        return refusal
    ref = call.body["ref"]
    sha = call.repository.refs.get(f"refs/heads/{ref}", ref)
    if sha not in call.repository.commits:
        return problem(422, f"No ref found for: {ref}")
    if call.body.get("auto_merge", True) or call.body.get("required_contexts") != []:
        return problem(409, "Conflict: Commit status checks failed for " + ref)
    environment = call.body.get("environment", _PRODUCTION)
    made = Deployment(
        id=next(call.world.ids),
        sha=sha,
        environment=environment,
        is_production=call.body.get("production_environment", environment == _PRODUCTION),
        created_at=call.world.clock(),
        fields=dict(call.body),
    )
    call.repository.deployments[made.id] = made
    return Answer(status=201, body=_deployment(call, made))


@route("get", "/repos/{owner}/{repo}/deployments")
def list_deployments(call: Call) -> Answer:
    wanted = {name: call.query[name] for name in ("sha", "environment") if name in call.query}
    found = [
        one
        for one in reversed(call.repository.deployments.values())
        if all(getattr(one, name) == value for name, value in wanted.items())
    ]
    items, link = page(call, [_deployment(call, one) for one in found])
    return Answer(status=200, body=items, headers=link)


@route("post", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses")
def create_deployment_status(call: Call) -> Answer:
    refusal = _refuse(call)
    if refusal is not None:
        return refusal
    found = call.repository.deployments.get(int(call.path["deployment_id"]))
    if found is None:
        return problem(404, "Not Found")
    status = {"id": next(call.world.ids), "created_at": call.world.clock(), **call.body}
    found.statuses.append(status)
    if status["state"] == "success" and status.get("auto_inactive", True):
        _replace(call, found)
    return Answer(status=201, body=_status(call, found, status))


@route("get", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses")
def list_deployment_statuses(call: Call) -> Answer:
    found = call.repository.deployments.get(int(call.path["deployment_id"]))
    if found is None:
        return problem(404, "Not Found")
    items, link = page(call, [_status(call, found, one) for one in reversed(found.statuses)])
    return Answer(status=200, body=items, headers=link)


def _refuse(call: Call) -> Answer | None:
    installation = call.caller.installation
    if installation is not None and installation.permissions.get("deployments") != "write":
        return problem(403, "Resource not accessible by integration")
    if len(call.body.get("description") or "") > _LONGEST_DESCRIPTION:
        return invalid("Deployment", "description", "description is too long (maximum is 140 characters)")
    return None


def _replace(call: Call, newest: Deployment) -> None:
    """What `auto_inactive` does: to no production environment, and to none but what had succeeded."""
    for one in call.repository.deployments.values():
        is_older = one.id < newest.id and one.environment == newest.environment
        if is_older and not one.is_production and one.state == "success":
            one.statuses.append(
                {"id": next(call.world.ids), "created_at": call.world.clock(), "state": "inactive"}
            )


def _deployment(call: Call, found: Deployment) -> Json:
    url = f"{call.repository_url}/deployments/{found.id}"
    return call.whole(
        "deployment",
        id=found.id,
        url=url,
        statuses_url=f"{url}/statuses",
        repository_url=call.repository_url,
        sha=found.sha,
        ref=found.fields["ref"],
        task=found.fields.get("task", "deploy"),
        environment=found.environment,
        payload=found.fields.get("payload", ""),
        description=found.fields.get("description"),
        creator=call.user(call.caller.login or "windlass[bot]"),
        created_at=stamp(found.created_at),
        updated_at=stamp(found.created_at),
    )


def _status(call: Call, found: Deployment, status: Json) -> Json:
    url = f"{call.repository_url}/deployments/{found.id}"
    told = {name: status.get(name, "") for name in ("description", "environment_url", "log_url")}
    return call.whole(
        "deployment-status",
        id=status["id"],
        url=f"{url}/statuses/{status['id']}",
        deployment_url=url,
        repository_url=call.repository_url,
        state=status["state"],
        target_url=told["log_url"],
        environment=found.environment,
        creator=call.user(call.caller.login or "windlass[bot]"),
        created_at=stamp(status["created_at"]),
        updated_at=stamp(status["created_at"]),
        **told,
    )
