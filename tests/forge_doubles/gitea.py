"""A double of Gitea's API (https://docs.gitea.com/api, /swagger.v1.json), at an address below a folder."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Container
from typing import Any, Final
from urllib.parse import unquote

from forge_doubles.http import Answer, Asked, Double, page_of

TOKEN: Final = "a-gitea-token"
STATES: Final = frozenset(["pending", "success", "error", "failure", "warning"])
_REPOSITORY: Final = re.compile(r"/repos/([^/]+)/([^/]+)(/.*|)")


class GiteaDouble(Double):
    """One server with one repository, `acme/digits`."""

    prefix = "/git/api/v1"

    def __init__(self) -> None:
        self.commits: Container[str] = set()
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        """Of a commit, all that were ever posted, the newest last."""
        self.permissions: dict[str, str] = {}
        self.is_admin = True
        self.pulls: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.page_items = 50
        """As many the server gives at most (`MAX_RESPONSE_ITEMS`)."""
        self._ids = itertools.count(1)
        super().__init__()

    def newest(self, sha: str) -> dict[str, dict[str, Any]]:
        """The newest status of each context."""
        with self.lock:
            return {status["context"]: status for status in self.statuses.get(sha, [])}

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"token {TOKEN}":
            return Answer(status=401, body={"message": "user does not exist [uid: 0, name: ]"})
        place = _REPOSITORY.fullmatch(asked.path)
        if place is None:
            self.violations.append(f"{asked.method} {asked.path} is not documented")
            return Answer(status=404)
        if (unquote(place[1]), unquote(place[2])) != ("acme", "digits"):
            return Answer(status=404, body={"errors": None, "message": "The target couldn't be found."})
        return self._of_repository(asked, place[3])

    def _of_repository(self, asked: Asked, path: str) -> Answer:
        match asked.method, *path.split("/")[1:]:
            case ("GET",):
                self.allow(asked.query)
                return Answer(body={"full_name": "acme/digits"})
            case "POST", "statuses", sha:
                return self._create_status(asked, sha)
            case "GET", "commits", sha, "status":
                return self._combined_status(asked, sha)
            case "GET", "collaborators", login, "permission":
                self.allow(asked.query)
                return self._permission(unquote(login))
            case _, "issues", number, "comments":
                return self._comments(asked, int(number))
            case "POST", "pulls":
                return self._create_pull(asked)
            case "GET", "pulls", base, *head if head:
                self.allow(asked.query)
                found = self._open_pull(unquote(base), unquote("/".join(head)))
                return Answer(body=found) if found else Answer(status=404, body={"message": "not found"})
            case "GET", "pulls", number:
                self.allow(asked.query)
                found = self.pulls.get(int(number))
                return Answer(body=found) if found else Answer(status=404, body={"message": "not found"})
            case _:
                self.violations.append(f"{asked.method} {asked.path} is not documented")
                return Answer(status=404)

    def _open_pull(self, base: str, head: str) -> dict[str, Any] | None:
        for pull in self.pulls.values():
            if (pull["base"]["ref"], pull["head"]["ref"]) == (base, head):
                return pull
        return None

    def _comments(self, asked: Asked, number: int) -> Answer:
        said = self.comments.setdefault(number, [])
        if asked.method == "GET":
            self.allow(asked.query, "since", "before")
            return Answer(body=said)
        self.allow(asked.body, "body")
        said.append({"id": next(self._ids), "body": asked.body["body"], "user": {"login": "windlass"}})
        return Answer(status=201, body=said[-1])

    def _create_pull(self, asked: Asked) -> Answer:
        self.allow(asked.body, "title", "head", "base", "body")
        base, head = asked.body["base"], asked.body["head"]
        if self._open_pull(base, head) is not None:
            return Answer(status=409, body={"message": "pull request already exists for these targets"})
        number = next(self._ids)
        made = {
            "number": number,
            "title": asked.body["title"],
            "html_url": f"https://gitea.example.org/acme/digits/pulls/{number}",
            "base": {"ref": base},
            "head": {"ref": head},
        }
        self.pulls[number] = made
        return Answer(status=201, body=made)

    def _create_status(self, asked: Asked, sha: str) -> Answer:
        self.allow(asked.body, "context", "description", "state", "target_url")
        self.violations += [
            f"{key}: {value!r}" for key, value in asked.body.items() if not isinstance(value, str)
        ]
        if asked.body.get("state") not in STATES:
            self.violations.append(f"'{asked.body.get('state')}' is not a state of every server")
        if sha not in self.commits:
            return Answer(status=404, body={"message": f"object does not exist [id: {sha}, rel_path: ]"})
        status = {
            "id": next(self._ids),
            "status": asked.body["state"],
            "context": asked.body.get("context", "default"),
            "description": asked.body.get("description", ""),
            "target_url": asked.body.get("target_url", ""),
            "creator": {"login": "windlass"},
        }
        self.statuses.setdefault(sha, []).append(status)
        return Answer(status=201, body=status)

    def _combined_status(self, asked: Asked, sha: str) -> Answer:
        self.allow(asked.query, "page", "limit")
        newest = list(self.newest(sha).values())
        if not newest:  # nothing at all, as servers have long answered
            return Answer()
        page = page_of(newest, asked.query, size_name="limit", most=self.page_items)
        return Answer(
            body={"sha": sha, "state": "pending", "statuses": page or None, "total_count": len(page)}
        )

    def _permission(self, login: str) -> Answer:
        if not self.is_admin:
            message = "Only admins can query all permissions, repo admins can query all repo permissions"
            return Answer(status=403, body={"message": message})
        if login not in self.permissions:
            return Answer(status=404, body={"message": f"user does not exist [uid: 0, name: {login}]"})
        permission = self.permissions[login]
        return Answer(body={"permission": permission, "role_name": permission, "user": {"login": login}})


def webhook(
    event: str, payload: dict[str, Any], *, delivery: str, secret: str
) -> tuple[dict[str, str], bytes]:
    """The headers and the body with which Gitea tells of something."""
    body = json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Gitea-Delivery": delivery,
        "X-Gitea-Event": event,
        "X-Gitea-Event-Type": event,
        "X-Gitea-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    return headers, body
