"""A double of GitLab's API (https://docs.gitlab.com/api/commits/ and what stands beside it)."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any, Final
from urllib.parse import unquote

from forge_doubles.gitlab_deployments import Deployed
from forge_doubles.http import Answer, Asked, Double, page_of

TOKEN: Final = "a-gitlab-token"
STATES: Final = {
    "pending": "enqueue",
    "running": "run",
    "success": "success",
    "failed": "drop",
    "canceled": "cancel",
}
"""The states that every version takes, each with the move that leads to it."""
_PROJECT: Final = re.compile(r"/projects/([^/]+)(/.*|)")
_MOST_CHARACTERS: Final = 255


class GitLabDouble(Double):
    """One server with one project, `acme/vision/digits`."""

    prefix = "/api/v4"

    def __init__(self) -> None:
        self.refs: dict[str, list[tuple[str, str]]] = {}
        """Of a commit, the refs that have it: kind and name."""
        self.ref_of_any: tuple[str, str] | None = None
        """One that has every other commit, too."""
        self.requests_of: dict[str, list[int]] = {}
        """Of a commit, the merge requests."""
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        """Of a commit, all records, the newest last."""
        self.users: dict[str, int] = {}
        self.members: dict[int, int] = {}
        """The access level of each."""
        self.merge_requests: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, list[dict[str, Any]]] = {}
        self.deployed = Deployed(self)
        self._ids = itertools.count(1)
        super().__init__()

    def newest(self, sha: str) -> dict[str, dict[str, Any]]:
        """The newest status of each name."""
        with self.lock:
            return {status["name"]: status for status in self.statuses.get(sha, [])}

    def refs_of(self, sha: str) -> list[tuple[str, str]] | None:
        """The refs that have a commit; None where it is not there."""
        return self.refs.get(sha, None if self.ref_of_any is None else [self.ref_of_any])

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(status=401, body={"message": "401 Unauthorized"})
        if (asked.method, asked.path) == ("GET", "/users"):
            self.allow(asked.query, "username")
            login = asked.query["username"].lower()
            found = [{"id": number, "username": name} for name, number in self.users.items()]
            return Answer(body=[user for user in found if user["username"].lower() == login])
        if (asked.method, asked.path) == ("GET", "/user"):
            return Answer(body=self.deployed.me)
        place = _PROJECT.fullmatch(asked.path)
        if place is None:
            self.violations.append(f"{asked.method} {asked.path} is not documented")
            return Answer(status=404)
        if unquote(place[1]) != "acme/vision/digits":
            return Answer(status=404, body={"message": "404 Project Not Found"})
        return self._of_project(asked, place[2])

    def _of_project(self, asked: Asked, path: str) -> Answer:
        match asked.method, *path.split("/")[1:]:
            case ("GET",):
                self.allow(asked.query, "statistics", "license", "with_custom_attributes")
                return Answer(body={"id": 15, "path_with_namespace": "acme/vision/digits"})
            case "GET", "repository", "commits", sha, *_ if self.refs_of(sha) is None:
                return Answer(status=404, body={"message": "404 Commit Not Found"})
            case "POST", "statuses", sha:
                return self._set_status(asked, sha)
            case "GET", "repository", "commits", sha, "statuses":
                return self._statuses(asked, sha)
            case "GET", "repository", "commits", sha, "refs":
                self.allow(asked.query, "type", "page", "per_page")
                found = [{"type": kind, "name": name} for kind, name in self.refs_of(sha) or ()]
                wanted = [ref for ref in found if asked.query.get("type", "all") in ("all", ref["type"])]
                return self._page(asked, wanted)
            case "GET", "repository", "commits", sha, "merge_requests":
                self.allow(asked.query, "state", "page", "per_page")
                return self._page(asked, [{"iid": number} for number in self.requests_of.get(sha, [])])
            case "GET", "members", "all", number:
                self.allow(asked.query)
                level = self.members.get(int(number))
                if level is None:
                    return Answer(status=404, body={"message": "404 Not found"})
                return Answer(body={"id": int(number), "state": "active", "access_level": level})
            case _, "deployments" | "environments", *_:
                return self.deployed.answer(asked, path)
            case "GET", "merge_requests":
                self.allow(asked.query, "state", "source_branch", "target_branch")
                wanted = {key: value for key, value in asked.query.items() if key.endswith("_branch")}
                requests = self.merge_requests.values()
                return Answer(body=[one for one in requests if wanted.items() <= one.items()])
            case "POST", "merge_requests":
                return self._create_request(asked)
            case _, "merge_requests", number, "notes":
                return self._notes(asked, int(number))
            case "GET", "merge_requests", number:
                self.allow(asked.query)
                request = self.merge_requests.get(int(number))
                return (
                    Answer(body=request) if request else Answer(status=404, body={"message": "404 Not found"})
                )
            case _:
                self.violations.append(f"{asked.method} {asked.path} is not documented")
                return Answer(status=404)

    def _notes(self, asked: Asked, number: int) -> Answer:
        said = self.notes.setdefault(number, [])
        if asked.method == "GET":
            self.allow(asked.query, "sort", "order_by", "page", "per_page")
            ordered = said if asked.query.get("sort", "desc") == "asc" else said[::-1]
            return self._page(asked, ordered)
        self.allow(asked.body, "body", "created_at", "internal")
        said.append({"id": next(self._ids), "body": asked.body["body"], "system": False})
        return Answer(status=201, body=said[-1])

    def _create_request(self, asked: Asked) -> Answer:
        self.allow(asked.body, "source_branch", "target_branch", "title", "description")
        number = next(self._ids)
        url = f"https://gitlab.example.org/acme/vision/digits/-/merge_requests/{number}"
        self.merge_requests[number] = {"iid": number, "state": "opened", "web_url": url, **asked.body}
        return Answer(status=201, body=self.merge_requests[number])

    def _page(self, asked: Asked, items: list[Any]) -> Answer:
        return Answer(body=page_of(items, asked.query, size_name="per_page", most=100))

    def _statuses(self, asked: Asked, sha: str) -> Answer:
        self.allow(asked.query, "ref", "stage", "name", "pipeline_id", "all", "page", "per_page")
        newest = list(self.newest(sha).values())
        return self._page(asked, [one for one in newest if asked.query.get("ref", one["ref"]) == one["ref"]])

    def _set_status(self, asked: Asked, sha: str) -> Answer:
        self.allow(
            asked.body,
            "state",
            "ref",
            "name",
            "context",
            "target_url",
            "description",
            "coverage",
            "pipeline_id",
        )
        state, name = asked.body.get("state"), asked.body.get("name", "default")
        if state not in STATES:
            return Answer(status=400, body={"error": "state does not have a valid value"})
        refs = self.refs_of(sha)
        if refs is None:
            return Answer(status=404, body={"message": "404 Commit Not Found"})
        branches = [branch for kind, branch in refs if kind == "branch"]
        ref = asked.body.get("ref") or next(iter(branches), None)
        if ref is None:
            return Answer(status=404, body={"message": "404 References for commit Not Found"})
        long = [
            key
            for key in ("name", "description", "target_url")
            if len(asked.body.get(key) or "") > _MOST_CHARACTERS
        ]
        if long:
            problem = {key: [f"is too long (maximum is {_MOST_CHARACTERS} characters)"] for key in long}
            return Answer(status=400, body={"message": problem})
        return self._move(sha, state, name, ref, asked.body)

    def _move(self, sha: str, state: str, name: str, ref: str, body: dict[str, Any]) -> Answer:
        """A status that is not finished moves on; after a finished one a new one begins."""
        records = self.statuses.setdefault(sha, [])
        open_ones = [one for one in records if (one["name"], one["ref"]) == (name, ref)]
        last = next((one for one in reversed(open_ones) if one["status"] in ("pending", "running")), None)
        if last is not None and (last["status"] == state or state == "pending"):
            move, old = STATES[state], last["status"]
            why = f'Reason(s): Status cannot transition via "{move}"'
            return Answer(
                status=400, body={"message": f"Cannot transition status via :{move} from :{old} ({why})"}
            )
        if last is None:
            last = {"id": next(self._ids), "name": name, "ref": ref, "sha": sha}
            records.append(last)
        last |= {
            "status": state,
            "description": body.get("description"),
            "target_url": body.get("target_url"),
        }
        return Answer(status=201, body=last)


def webhook(kind: str, payload: dict[str, Any], *, delivery: str, token: str) -> tuple[dict[str, str], bytes]:
    """The headers and the body with which GitLab tells of something."""
    headers = {
        "Content-Type": "application/json",
        "X-Gitlab-Event": kind,
        "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e",
        "X-Gitlab-Webhook-UUID": "02affd2d-2cba-4033-917d-ec22d5dc4b38",
        "Idempotency-Key": delivery,
        "X-Gitlab-Token": token,
    }
    return headers, json.dumps(payload).encode()
