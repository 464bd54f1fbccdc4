"""What the double answers to each operation. A route takes a `Call` and gives an `Answer`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from github_double.description import Description
from github_double.world import (
    CheckRun,
    Delivery,
    Installation,
    Repository,
    Token,
    World,
    private_key,
    stamp,
)

Json = Any
_TOKEN_LIFE_S: Final = 3600.0
_DOCUMENTATION: Final = "https://docs.github.com/rest"
_LONGEST_TEXT_BYTES: Final = 65_535
MOST_ANNOTATIONS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the App itself (`is_app`), an installation, or a person, whose token may have `scopes`."""

    is_app: bool = False
    installation: Installation | None = None
    login: str | None = None
    scopes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, understood. `repository` is there where the path names one."""

    world: World
    description: Description
    url: str
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    send: Callable[[Delivery], None]
    found: Repository | None = None

    @property
    def repository(self) -> Repository:
        assert self.found is not None
        return self.found

    @property
    def repository_url(self) -> str:
        return f"{self.url}/repos/{self.repository.name}"

    def whole(self, schema: str, **given: Json) -> Json:
        return self.description.whole(schema, given, url=self.url)

    def user(self, login: str) -> Json:
        return self.whole(
            "simple-user", login=login, id=sum(login.encode()), type="User", url=f"{self.url}/users/{login}"
        )


Route = Callable[[Call], Answer]
ROUTES: dict[tuple[str, str], Route] = {}


def route(method: str, path: str) -> Callable[[Route], Route]:
    def register(function: Route) -> Route:
        ROUTES[method, path] = function
        return function

    return register


def problem(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> Answer:
    body = {"message": message, "documentation_url": _DOCUMENTATION, "status": str(status)}
    return Answer(status=status, body=body, headers=headers or {})


def invalid(resource: str, field_name: str, message: str) -> Answer:
    error = {"resource": resource, "code": "custom", "field": field_name, "message": message}
    body = {"message": "Validation Failed", "errors": [error], "documentation_url": _DOCUMENTATION}
    return Answer(status=422, body=body)


def page(call: Call, items: Sequence[Json]) -> tuple[list[Json], dict[str, str]]:
    """One page of a list, and the header that leads to the next."""
    size = min(int(call.query.get("per_page", "30")), call.world.longest_page)
    number = int(call.query.get("page", "1"))
    rest = len(items) > size * number
    link = {"Link": f'<{call.url}/none?page={number + 1}>; rel="next"'} if rest else {}
    return list(items[size * (number - 1) : size * number]), link


# -- the App ----------------------------------------------------------------------------------------


@route("post", "/app-manifests/{code}/conversions")
def convert_manifest(call: Call) -> Answer:
    """Once, within the hour: https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest"""
    app, ends_at = call.world.agreed.pop(call.path["code"], (None, 0.0))
    if app is None or ends_at <= call.world.clock():
        return problem(404, "Not Found")
    call.world.app = app
    secret = {"client_id": "Iv1.8a61f9b3a7aba766", "client_secret": "not needed", "pem": private_key()}
    return Answer(status=201, body={**_app(call), **secret, "webhook_secret": app.hook_secret})


@route("get", "/app")
def get_app(call: Call) -> Answer:
    return Answer(status=200, body=_app(call))


@route("get", "/app/installations")
def list_installations(call: Call) -> Answer:
    """The description asks of every account here what only an enterprise has."""
    items, link = page(call, [_installation(call, found) for found in call.world.installations.values()])
    more = {"slug": "", "name": "", "created_at": None, "updated_at": None}
    accounts = [{**item, "account": {**more, **item["account"]}} for item in items]
    return Answer(status=200, body=accounts, headers=link)


@route("get", "/app/installations/{installation_id}")
def get_installation(call: Call) -> Answer:
    found = call.world.installations.get(int(call.path["installation_id"]))
    if found is None:
        return problem(404, "Not Found")
    return Answer(status=200, body=_installation(call, found))


@route("get", "/repos/{owner}/{repo}/installation")
def get_repository_installation(call: Call) -> Answer:
    installations = call.world.installations.values()
    for found in installations:
        if call.repository.id in found.repositories:
            return Answer(status=200, body=_installation(call, found))
    return problem(404, "Not Found")


@route("post", "/app/installations/{installation_id}/access_tokens")
def create_token(call: Call) -> Answer:
    found = call.world.installations.get(int(call.path["installation_id"]))
    if found is None:
        return problem(404, "Not Found")
    if found.is_suspended:
        return problem(403, "This installation has been suspended")
    expires_at = call.world.clock() + _TOKEN_LIFE_S
    token = Token(text=f"ghs_{secrets.token_hex(18)}", expires_at=expires_at, installation=found.id)
    call.world.tokens[token.text] = token
    body = {"token": token.text, "expires_at": stamp(expires_at), "permissions": found.permissions}
    return Answer(status=201, body=call.whole("installation-token", repository_selection="selected", **body))


@route("get", "/app/hook/config")
def get_hook(call: Call) -> Answer:
    if call.world.app.hook_url is None:
        return problem(404, "Not Found")
    hidden = None if call.world.app.hook_secret is None else {"secret": "********"}
    given = {"content_type": "json", "insecure_ssl": "0", "url": call.world.app.hook_url}
    return Answer(status=200, body={**given, **(hidden or {})})


@route("get", "/app/hook/deliveries")
def list_deliveries(call: Call) -> Answer:
    wanted = call.query.get("status") if call.world.lists_failures_alone else None
    newest_first = sorted(call.world.deliveries.values(), key=lambda found: -found.id)
    chosen = [
        found
        for found in newest_first
        if wanted is None or (wanted == "success") == (200 <= found.status_code < 300)
    ]
    start = int(call.query.get("cursor", "0"))
    size = int(call.query.get("per_page", "30"))
    rest = len(chosen) > start + size
    link = f'<{call.url}/app/hook/deliveries?per_page={size}&cursor={start + size}>; rel="next"'
    items = [_delivery(call, found) for found in chosen[start : start + size]]
    return Answer(status=200, body=items, headers={"Link": link} if rest else {})


@route("get", "/app/hook/deliveries/{delivery_id}")
def get_delivery(call: Call) -> Answer:
    found = call.world.deliveries.get(int(call.path["delivery_id"]))
    if found is None:
        return problem(404, "Not Found")
    headers = {"X-GitHub-Event": found.event, "X-GitHub-Delivery": found.guid}
    request = {"headers": headers, "payload": found.payload}
    response = {"headers": {}, "payload": ""}
    return Answer(status=200, body={**_delivery(call, found), "request": request, "response": response})


@route("post", "/app/hook/deliveries/{delivery_id}/attempts")
def redeliver(call: Call) -> Answer:
    found = call.world.deliveries.get(int(call.path["delivery_id"]))
    if found is None:
        return problem(404, "Not Found")
    again = Delivery(
        id=next(call.world.ids),
        guid=found.guid,
        event=found.event,
        payload=found.payload,
        delivered_at=call.world.clock(),
        is_redelivery=True,
    )
    call.world.deliveries[again.id] = again
    call.send(again)
    return Answer(status=202, body={})


@route("get", "/installation/repositories")
def list_installation_repositories(call: Call) -> Answer:
    if call.caller.installation is None:
        return problem(403, "You must authenticate with an installation access token")
    repositories = [call.world.repositories[number] for number in call.caller.installation.repositories]
    items, link = page(call, [_repository(call, found, "repository") for found in repositories])
    return Answer(status=200, body={"total_count": len(repositories), "repositories": items}, headers=link)


@route("get", "/user")
def get_user(call: Call) -> Answer:
    if call.caller.login is None:
        return problem(403, "Resource not accessible by integration")
    return Answer(status=200, body=call.whole("public-user", login=call.caller.login))


@route("get", "/rate_limit")
def get_rate_limit(call: Call) -> Answer:
    limit = call.world.hourly_limit
    rate = {
        "limit": limit,
        "remaining": max(0, limit - call.world.calls),
        "used": call.world.calls,
        "reset": int(call.world.clock()) + 3600,
    }
    resources = {"core": rate, "search": rate}
    return Answer(status=200, body=call.whole("rate-limit-overview", resources=resources, rate=rate))


# -- a repository -----------------------------------------------------------------------------------


@route("get", "/repos/{owner}/{repo}")
def get_repository(call: Call) -> Answer:
    found = _repository(call, call.repository, "full-repository")
    if call.caller.login is not None:
        word = call.repository.permissions.get(call.caller.login, "none")
        found["permissions"] = {"admin": word == "admin", "push": word in ("admin", "write"), "pull": True}
    return Answer(status=200, body=found)


@route("get", "/repos/{owner}/{repo}/collaborators/{username}/permission")
def get_permission(call: Call) -> Answer:
    login = call.path["username"]
    word = call.repository.permissions.get(login, "none")
    return Answer(status=200, body={"permission": word, "role_name": word, "user": call.user(login)})


@route("get", "/repos/{owner}/{repo}/pulls")
def list_pulls(call: Call) -> Answer:
    state = call.query.get("state", "open")
    chosen = [pull for pull in call.repository.pulls.values() if state in ("all", pull["state"])]
    items, link = page(call, [call.whole("pull-request-simple", **pull) for pull in chosen])
    return Answer(status=200, body=items, headers=link)


@route("get", "/repos/{owner}/{repo}/pulls/{pull_number}")
def get_pull(call: Call) -> Answer:
    found = call.repository.pulls.get(int(call.path["pull_number"]))
    return problem(404, "Not Found") if found is None else Answer(status=200, body=_pull(call, found))


@route("get", "/repos/{owner}/{repo}/issues/{issue_number}/comments")
def list_comments(call: Call) -> Answer:
    number = int(call.path["issue_number"])
    chosen = [found for found in call.repository.comments.values() if found["number"] == number]
    items, link = page(call, [_comment(call, found) for found in chosen])
    return Answer(status=200, body=items, headers=link)


@route("post", "/repos/{owner}/{repo}/issues/{issue_number}/comments")
def create_comment(call: Call) -> Answer:
    found = {
        "id": next(call.world.ids),
        "number": int(call.path["issue_number"]),
        "body": call.body["body"],
        "login": call.caller.login or "windlass[bot]",
        "created_at": call.world.clock(),
    }
    call.repository.comments[found["id"]] = found
    return Answer(status=201, body=_comment(call, found))


@route("patch", "/repos/{owner}/{repo}/issues/comments/{comment_id}")
def update_comment(call: Call) -> Answer:
    found = call.repository.comments.get(int(call.path["comment_id"]))
    if found is None:
        return problem(404, "Not Found")
    found["body"] = call.body["body"]
    return Answer(status=200, body=_comment(call, found))


@route("get", "/repos/{owner}/{repo}/git/ref/{ref}")
def get_ref(call: Call) -> Answer:
    ref = f"refs/{call.path['ref']}"
    sha = call.repository.refs.get(ref)
    if sha is None:
        return problem(404, "Not Found")
    target = {"type": "commit", "sha": sha, "url": f"{call.repository_url}/git/commits/{sha}"}
    return Answer(status=200, body=call.whole("git-ref", ref=ref, object=target))


@route("get", "/repos/{owner}/{repo}/git/commits/{commit_sha}")
def get_commit(call: Call) -> Answer:
    sha = call.path["commit_sha"]
    if sha not in call.repository.commits:
        return problem(404, "Not Found")
    return Answer(status=200, body=call.whole("git-commit", sha=sha))


# -- check runs -------------------------------------------------------------------------------------


@route("post", "/repos/{owner}/{repo}/check-runs")
def create_check_run(call: Call) -> Answer:
    refusal = _refuse_check_run(call)
    if refusal is not None:
        return refusal
    sha = call.body["head_sha"]
    if sha not in call.repository.commits:
        return invalid("CheckRun", "head_sha", f"No commit found for SHA: {sha}")
    suite = next((run.suite_id for run in call.repository.runs_of(sha)), None) or next(call.world.ids)
    run = CheckRun(
        id=next(call.world.ids),
        created_at=call.world.clock(),
        app_id=call.world.app_id,
        suite_id=suite,
        fields={"status": "queued"},
    )
    _change(call, run)
    call.repository.check_runs[run.id] = run
    return Answer(status=201, body=_check_run(call, run))


@route("patch", "/repos/{owner}/{repo}/check-runs/{check_run_id}")
def update_check_run(call: Call) -> Answer:
    refusal = _refuse_check_run(call)
    if refusal is not None:
        return refusal
    run = call.repository.check_runs.get(int(call.path["check_run_id"]))
    if run is None or call.world.clock() < run.created_at + call.world.settles_after_s:
        return problem(404, "Not Found")
    _change(call, run)
    return Answer(status=200, body=_check_run(call, run))


@route("get", "/repos/{owner}/{repo}/check-runs/{check_run_id}")
def get_check_run(call: Call) -> Answer:
    run = call.repository.check_runs.get(int(call.path["check_run_id"]))
    return problem(404, "Not Found") if run is None else Answer(status=200, body=_check_run(call, run))


@route("get", "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations")
def list_annotations(call: Call) -> Answer:
    run = call.repository.check_runs.get(int(call.path["check_run_id"]))
    if run is None:
        return problem(404, "Not Found")
    nothing = {"title": None, "raw_details": None, "start_column": None, "end_column": None}
    whole = [call.whole("check-annotation", **{**nothing, **found}) for found in run.annotations]
    items, link = page(call, whole)
    wrapped = {"total_count": len(whole), "check_annotations": items}
    return Answer(status=200, body=wrapped if call.world.wraps_annotations else items, headers=link)


@route("get", "/repos/{owner}/{repo}/commits/{ref}/check-runs")
def list_check_runs(call: Call) -> Answer:
    sha = call.repository.refs.get(f"refs/heads/{call.path['ref']}", call.path["ref"])
    runs = call.repository.runs_of(sha, name=call.query.get("check_name"))
    if "app_id" in call.query:
        runs = [run for run in runs if str(run.app_id) == call.query["app_id"]]
    if "status" in call.query:
        runs = [run for run in runs if run.state[0] == call.query["status"]]
    if call.query.get("filter", "latest") == "latest":
        runs = list({run.fields["name"]: run for run in runs}.values())
    items, link = page(call, [_check_run(call, run) for run in reversed(runs)])
    return Answer(status=200, body={"total_count": len(runs), "check_runs": items}, headers=link)


def _refuse_check_run(call: Call) -> Answer | None:
    """https://docs.github.com/en/rest/checks/runs: who may, and how much."""
    if call.caller.installation is None:
        return problem(403, "You must authenticate via a GitHub App.")
    if call.caller.installation.permissions.get("checks") != "write":
        return problem(403, "Resource not accessible by integration")
    output = call.body.get("output", {})
    for name in ("summary", "text"):
        if len(output.get(name, "").encode()) > _LONGEST_TEXT_BYTES:
            return invalid("CheckRun", name, f"{name} exceeds a maximum bytesize of {_LONGEST_TEXT_BYTES}")
    count = len(output.get("annotations", ()))
    if count > MOST_ANNOTATIONS:
        return problem(422, f"Invalid request.\n\nNo more than 50 items are allowed; {count} were supplied.")
    return None


def _change(call: Call, run: CheckRun) -> None:
    sent = dict(call.body)
    output = dict(sent.pop("output", {}))
    run.annotations += output.pop("annotations", [])
    if output:
        run.fields["output"] = {**run.output, **output}
    run.fields.update(sent)
    if "conclusion" in sent:
        run.fields["status"] = "completed"
        run.fields.setdefault("completed_at", stamp(call.world.clock()))
    elif "status" in sent:
        run.fields.pop("conclusion", None)
        run.fields.pop("completed_at", None)
    if not run.states or run.states[-1] != run.state:
        run.states.append(run.state)


# -- commit statuses --------------------------------------------------------------------------------


@route("post", "/repos/{owner}/{repo}/statuses/{sha}")
def create_status(call: Call) -> Answer:
    sha = call.path["sha"]
    if sha not in call.repository.commits:
        return problem(422, f"No commit found for SHA: {sha}")
    if len(call.body.get("description") or "") > 140:
        return invalid("Status", "description", "description is too long (maximum is 140 characters)")
    stored = {
        "id": next(call.world.ids),
        "sha": sha,
        "created_at": call.world.clock(),
        "context": "default",
        **call.body,
    }
    call.repository.statuses.append(stored)
    return Answer(status=201, body=_status(call, stored))


@route("get", "/repos/{owner}/{repo}/commits/{ref}/statuses")
def list_statuses(call: Call) -> Answer:
    chosen = [found for found in call.repository.statuses if found["sha"] == call.path["ref"]]
    items, link = page(call, [_status(call, found) for found in reversed(chosen)])
    return Answer(status=200, body=items, headers=link)


# -- answers ----------------------------------------------------------------------------------------


def _app(call: Call) -> Json:
    app = call.world.app
    told = call.whole(
        "integration",
        id=call.world.app_id,
        slug=app.slug,
        name=app.name,
        html_url=f"https://github.com/apps/{app.slug}",
        permissions=app.permissions,
        events=app.events,
    )
    is_person = app.owner_kind == "simple-user"
    owner = call.user(app.owner) if is_person else call.whole("enterprise", slug=app.owner)
    return {**told, "owner": owner}


def _installation(call: Call, found: Installation) -> Json:
    return call.whole(
        "installation",
        id=found.id,
        app_id=call.world.app_id,
        app_slug="windlass",
        account=call.user(found.account),
        target_type="Organization",
        permissions=found.permissions,
        events=call.world.app.events,
        html_url=f"https://github.com/organizations/{found.account}/settings/installations/{found.id}",
        access_tokens_url=f"{call.url}/app/installations/{found.id}/access_tokens",
        suspended_at=stamp(call.world.clock()) if found.is_suspended else None,
    )


def _repository(call: Call, found: Repository, schema: str) -> Json:
    owner, _, name = found.name.partition("/")
    return call.whole(
        schema,
        id=found.id,
        name=name,
        full_name=found.name,
        owner=call.user(owner),
        url=f"{call.url}/repos/{found.name}",
        default_branch="main",
    )


def _pull(call: Call, found: Mapping[str, Json]) -> Json:
    return call.whole("pull-request", url=f"{call.repository_url}/pulls/{found['number']}", **found)


def _comment(call: Call, found: Mapping[str, Json]) -> Json:
    return call.whole(
        "issue-comment",
        id=found["id"],
        body=found["body"],
        user=call.user(found["login"]),
        url=f"{call.repository_url}/issues/comments/{found['id']}",
        issue_url=f"{call.repository_url}/issues/{found['number']}",
        created_at=stamp(found["created_at"]),
    )


def _status(call: Call, found: Mapping[str, Json]) -> Json:
    sent = {name: found.get(name) for name in ("id", "state", "context", "description", "target_url")}
    url = f"{call.repository_url}/statuses/{found['sha']}"
    return call.whole("status", url=url, created_at=stamp(found["created_at"]), **sent)


def _check_run(call: Call, run: CheckRun) -> Json:
    url = f"{call.repository_url}/check-runs/{run.id}"
    sent = {name: run.fields.get(name) for name in ("title", "summary", "text")} | run.output
    output = {**sent, "annotations_count": len(run.annotations), "annotations_url": f"{url}/annotations"}
    names = ("name", "head_sha", "status", "conclusion", "external_id", "details_url")
    return call.whole(
        "check-run",
        id=run.id,
        url=url,
        app=_app(call) if call.world.tells_app else None,
        check_suite={"id": run.suite_id},
        started_at=run.fields.get("started_at"),
        completed_at=run.fields.get("completed_at"),
        output=output,
        **{name: run.fields.get(name) for name in names},
    )


def _delivery(call: Call, found: Delivery) -> Json:
    return call.whole(
        "hook-delivery-item",
        id=found.id,
        guid=found.guid,
        event=found.event,
        action=found.payload.get("action"),
        status="OK" if 200 <= found.status_code < 300 else "failed to connect to host",
        status_code=found.status_code,
        redelivery=found.is_redelivery,
        delivered_at=stamp(found.delivered_at),
        repository_id=found.payload.get("repository", {}).get("id"),
    )
