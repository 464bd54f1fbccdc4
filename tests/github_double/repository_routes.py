"""A repository with its people, pull requests, comments and commits, on the double."""

from __future__ import annotations

from collections.abc import Mapping

from github_double.calls import Answer, Call, Json, page, problem, route
from github_double.world import Repository, stamp


@route("get", "/repos/{owner}/{repo}")
def get_repository(call: Call) -> Answer:
    found = repository(call, call.repository, "full-repository")
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
    head, base = call.query.get("head"), call.query.get("base")
    owner = call.repository.name.partition("/")[0]
    chosen = [
        pull
        for pull in call.repository.pulls.values()
        if state in ("all", pull["state"])
        and head in (None, f"{owner}:{pull['head']['ref']}")
        and base in (None, pull["base"]["ref"])
    ]
    items, link = page(call, [call.whole("pull-request-simple", **pull) for pull in chosen])
    return Answer(status=200, body=items, headers=link)


@route("post", "/repos/{owner}/{repo}/pulls")
def create_pull(call: Call) -> Answer:
    """https://docs.github.com/en/rest/pulls/pulls#create-a-pull-request"""
    wanted = call.body
    for one in call.repository.pulls.values():
        if one["state"] == "open" and one["head"]["ref"] == wanted["head"]:
            owner = call.repository.name.partition("/")[0]
            return problem(422, f"A pull request already exists for {owner}:{wanted['head']}.")
    number = next(call.world.ids)
    made = {
        "number": number,
        "state": "open",
        "title": wanted["title"],
        "body": wanted.get("body"),
        "html_url": f"https://github.com/{call.repository.name}/pull/{number}",
        "head": {"ref": wanted["head"]},
        "base": {"ref": wanted["base"]},
    }
    call.repository.pulls[number] = made
    return Answer(status=201, body=_pull(call, made))


@route("get", "/repos/{owner}/{repo}/pulls/{pull_number}")
def get_pull(call: Call) -> Answer:
    found = call.repository.pulls.get(int(call.path["pull_number"]))
    return problem(404, "Not Found") if found is None else Answer(status=200, body=_pull(call, found))


@route("get", "/repos/{owner}/{repo}/issues/{issue_number}/comments")
def list_comments(call: Call) -> Answer:
    number = int(call.path["issue_number"])
    since = call.query.get("since") or ""
    chosen = [
        found
        for found in call.repository.comments.values()
        if found["number"] == number and str(stamp(found["created_at"])) >= since
    ]
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


def repository(call: Call, found: Repository, schema: str) -> Json:
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
