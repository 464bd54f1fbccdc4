"""Deployments and environments of the double of GitLab, with the moves that `Deployment` allows there.

https://docs.gitlab.com/api/deployments/, https://docs.gitlab.com/api/environments/
"""

from __future__ import annotations

import itertools
import re
from typing import Any, Final

from forge_doubles.http import Answer, Asked, Double, page_of

_STATES: Final = ("running", "success", "failed", "canceled")
_NAME: Final = re.compile(r"[a-zA-Z0-9_\\$\{\}. -]([a-zA-Z0-9_/\\$\{\}. -]*[a-zA-Z0-9_\\$\{\}. -])?")


class Deployed:
    """What the one project of a double has deployed."""

    def __init__(self, double: Double) -> None:
        self.me: dict[str, Any] = {"id": 42, "username": "windlass"}
        self.deployments: dict[int, dict[str, Any]] = {}
        self.environments: dict[str, dict[str, Any]] = {}
        self._double = double
        self._ids = itertools.count(100)

    def add(self, environment: str, sha: str, status: str, **more: Any) -> int:
        """One that stands there, made by the token's owner unless `more` says otherwise; its number."""
        known = self.environments.setdefault(
            environment, {"id": next(self._ids), "name": environment, "external_url": None}
        )
        number = next(self._ids)
        usual = {"user": self.me, "deployable": None, "ref": "main", "environment": known}
        self.deployments[number] = {**usual, "id": number, "sha": sha, "status": status, **more}
        return number

    def told(self, environment: str) -> list[tuple[str, str]]:
        """The refs and states of an environment's deployments, oldest first."""
        found = [one for one in self.deployments.values() if one["environment"]["name"] == environment]
        return [(one["ref"], one["status"]) for one in found]

    def answer(self, asked: Asked, path: str) -> Answer:
        match asked.method, *path.split("/")[1:]:
            case "GET", "deployments":
                return self._list(asked)
            case "POST", "deployments":
                return self._create(asked)
            case "PUT", "deployments", number:
                return self._update(asked, int(number))
            case "GET", "environments":
                self._double.allow(asked.query, "name", "search", "states", "page", "per_page")
                names = [asked.query["name"]] if "name" in asked.query else list(self.environments)
                return Answer(body=[self.environments[name] for name in names if name in self.environments])
            case "PUT", "environments", number:
                return self._change(asked, int(number))
        self._double.violations.append(f"{asked.method} {path} is not documented")
        return Answer(status=404)

    def _list(self, asked: Asked) -> Answer:
        known = ("order_by", "sort", "environment", "status", "updated_after", "updated_before")
        self._double.allow(asked.query, *known, "page", "per_page")
        wanted = asked.query.get("environment")
        found = [one for one in self.deployments.values() if wanted in (None, one["environment"]["name"])]
        newest_first = sorted(found, key=lambda one: -int(one["id"]))
        ordered = newest_first if asked.query.get("sort", "asc") == "desc" else newest_first[::-1]
        return Answer(body=page_of(ordered, asked.query, size_name="per_page", most=100))

    def _create(self, asked: Asked) -> Answer:
        needed = {"environment", "sha", "ref", "tag", "status"}
        self._double.allow(asked.body, *needed)
        missing = sorted(needed - set(asked.body))
        if missing or not isinstance(asked.body["tag"], bool):
            return Answer(status=400, body={"error": f"{', '.join(missing) or 'tag'} is missing or invalid"})
        if asked.body["status"] not in _STATES:
            return Answer(status=400, body={"error": "status does not have a valid value"})
        if not _NAME.fullmatch(asked.body["environment"]) or len(asked.body["environment"]) > 255:
            return Answer(status=500, body={"message": "500 Internal Server Error"})
        body = asked.body
        number = self.add(body["environment"], body["sha"], body["status"], ref=body["ref"], tag=body["tag"])
        return Answer(status=201, body=self.deployments[number])

    def _update(self, asked: Asked, number: int) -> Answer:
        self._double.allow(asked.body, "status")
        found = self.deployments.get(number)
        if found is None:
            return Answer(status=404, body={"message": "404 Not found"})
        if found["deployable"] is not None:
            return Answer(status=403, body={"message": "403 Forbidden"})
        state = asked.body["status"]
        if state not in _STATES or state in (found["status"], "running"):
            return Answer(status=400, body={"message": {"status": ["cannot transition"]}})
        found["status"] = state
        return Answer(body=found)

    def _change(self, asked: Asked, number: int) -> Answer:
        self._double.allow(asked.body, "external_url", "tier")
        found = next(one for one in self.environments.values() if one["id"] == number)
        url = asked.body.get("external_url")
        if any(one["external_url"] == url for one in self.environments.values()):
            return Answer(status=400, body={"message": {"external_url": ["has already been taken"]}})
        found |= asked.body
        return Answer(body=found)
