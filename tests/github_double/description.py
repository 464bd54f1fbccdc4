"""GitHub's OpenAPI description: judges single requests and answers, and completes answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from openapi_schema_validator import OAS30Validator, oas30_strict_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT4

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
DOCUMENT = SHARED / "conformance" / "github" / "openapi-ci.json"
_NAME = "urn:github"
_COLLABORATOR = "/repos/{owner}/{repo}/collaborators/{username}/permission"
Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. `place` is where it stands in the document, `path` what was asked for."""

    place: tuple[str, ...]
    path: Mapping[str, str]
    entry: Mapping[str, Any]


class Description:
    """Judges by the document. Every method gives texts that say what is wrong; none: nothing is."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        document["paths"].setdefault(_COLLABORATOR, {"get": _collaborator_permission()})
        for _, body in _bodies(document):
            _forbid_unknown_keys(body)
        self._registry: Registry[Any] = Registry().with_resource(_NAME, DRAFT4.create_resource(document))
        self._templates = sorted(
            ((self._pattern(path), path) for path in document["paths"]), key=lambda found: _rank(found[1])
        )
        self._judge = cache(self._make_judge)

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that a request means; the path as it came, still percent-encoded."""
        for pattern, template in self._templates:
            found = pattern.fullmatch(path)
            if found and method.lower() in self._document["paths"][template]:
                place = ("paths", template, method.lower())
                values = {name: unquote(value) for name, value in found.groupdict().items()}
                return Operation(place=place, path=values, entry=self._at(place))
        return None

    def wrong_in_request(
        self, operation: Operation, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Iterator[str]:
        """`headers` have lower-case names."""
        parameters = [(self._resolved(item), item) for item in operation.entry.get("parameters", ())]
        known = {parameter["name"] for parameter, _ in parameters if parameter["in"] == "query"}
        yield from (f"the query has '{name}', which nothing tells of" for name in query.keys() - known)
        for parameter, _ in parameters:
            name, values = parameter["name"], operation.path if parameter["in"] == "path" else query
            if name in values:
                found = _typed(values[name], parameter["schema"])
                yield from self._wrong(f"the parameter '{name}'", found, parameter["schema"])
            elif parameter.get("required"):
                yield f"the parameter '{name}' is missing"
        if not headers.get("user-agent"):
            yield "there is no User-Agent"
        yield from self._wrong_in_body(operation, headers, body)

    def _wrong_in_body(self, operation: Operation, headers: Mapping[str, str], body: bytes) -> Iterator[str]:
        expected = operation.entry.get("requestBody")
        if not body:
            if expected and expected.get("required"):
                yield "the body is missing"
            return
        if expected is None:
            yield "there is a body where none belongs"
            return
        if headers.get("content-type", "").partition(";")[0] != "application/json":
            yield f"the body is called {headers.get('content-type')}"
        place = (*operation.place, "requestBody", "content", "application/json", "schema")
        yield from self._wrong("the body", json.loads(body), {"$ref": _reference(place)})

    def wrong_in_answer(self, operation: Operation, status: int, body: Json) -> Iterator[str]:
        """Answers that say what went wrong need not be described (GitHub has more of them than it tells)."""
        answers = operation.entry["responses"]
        if str(status) not in answers:
            if status < 400:
                yield f"the status {status} is not described"
            return
        content = self._resolved(answers[str(status)]).get("content", {})
        if "application/json" in content:
            yield from self._wrong(f"the answer {status}", body, content["application/json"]["schema"])

    def wrong_as(self, schema: str, value: Json) -> Iterator[str]:
        """What keeps a value from being one of the named schema; unknown keys do."""
        known = self._document["components"]["schemas"][schema]
        yield from self._wrong(schema, value, {**known, "additionalProperties": False})

    def whole(self, schema: str, given: Mapping[str, Json], *, url: str) -> Json:
        """A value of the named schema: what is given, and the rest of what it requires as empty as may be."""
        return self._whole({"$ref": f"#/components/schemas/{schema}"}, dict(given), url)

    def _whole(self, schema: Mapping[str, Any], given: Json, url: str) -> Json:
        schema = self._merged(schema)
        if isinstance(given, dict) and schema.get("type") == "object":
            properties = schema.get("properties", {})
            absent = [name for name in schema.get("required", ()) if name not in given]
            filled = {name: self._whole(properties[name], None, url) for name in absent}
            known = {name: self._whole(properties.get(name, {}), value, url) for name, value in given.items()}
            return {**filled, **known}
        if given is not None or schema.get("nullable"):
            return given
        return self._least(schema, url)

    def _least(self, schema: Mapping[str, Any], url: str) -> Json:
        match schema:
            case {"enum": [first, *_]}:
                return first
            case {"format": "uri"}:
                return f"{url}/none"
            case {"format": "date-time"}:
                return "2026-01-01T00:00:00Z"
            case {"type": "object"}:
                return self._whole(schema, {}, url)
        return {"integer": 0, "number": 0, "boolean": False, "array": []}.get(schema.get("type", ""), "")

    def _merged(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        schema = self._resolved(schema)
        for word in ("oneOf", "anyOf"):
            if word in schema and "type" not in schema:
                return self._merged(schema[word][0])
        return schema

    def _wrong(self, what: str, value: Json, schema: Mapping[str, Any]) -> Iterator[str]:
        for error in self._judge(json.dumps(schema)).iter_errors(value):
            place = "".join(f"[{part!r}]" for part in error.absolute_path)
            yield f"{what}{place}: {error.message[:80]} … {error.message[-80:]}"

    def _make_judge(self, schema: str) -> OAS30Validator:
        absolute = json.loads(schema.replace('"#/', f'"{_NAME}#/'))
        return OAS30Validator(absolute, registry=self._registry, format_checker=oas30_strict_format_checker)

    def _pattern(self, template: str) -> re.Pattern[str]:
        entry = self._document["paths"][template]
        several = {
            parameter["name"]
            for method in entry.values()
            for parameter in map(self._resolved, method.get("parameters", ()))
            if parameter.get("x-multi-segment")
        }
        parts = re.split(r"\{(\w+)\}", template)
        return re.compile(
            "".join(
                re.escape(part) if at % 2 == 0 else f"(?P<{part}>{'.+' if part in several else '[^/]+'})"
                for at, part in enumerate(parts)
            )
        )

    def _resolved(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in entry:
            entry = self._at(tuple(entry["$ref"].removeprefix("#/").split("/")))
        return entry

    def _at(self, place: tuple[str, ...]) -> Any:
        found: Any = self._document
        for part in place:
            found = found[part]
        return found


@cache
def load_description() -> Description:
    """The description, read once for all tests of a process."""
    if not SHARED.exists():
        pytest.skip("there is no ../shared beside this repository")
    return Description(json.loads(DOCUMENT.read_text(encoding="utf-8")))


def _rank(template: str) -> tuple[int, int]:
    """Paths with more words of their own go before those that would take them for a value."""
    return -len(re.sub(r"\{\w+\}", "", template)), len(template)


def _reference(place: tuple[str, ...]) -> str:
    return "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in place)


def _typed(text: str, schema: Mapping[str, Any]) -> Json:
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text) if schema.get("type") == "boolean" else text


def _bodies(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in methods.values():
            content = method.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                yield path, content["application/json"]["schema"]


def _forbid_unknown_keys(schema: dict[str, Any]) -> None:
    """GitHub drops what it does not know: a misspelt key would go unseen."""
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
        for entry in schema["properties"].values():
            _forbid_unknown_keys(entry)
    if "items" in schema:
        _forbid_unknown_keys(schema["items"])


def _collaborator_permission() -> dict[str, Any]:
    """https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user,
    which the cut description lacks."""
    words = {"type": "string"}
    user = {"$ref": "#/components/schemas/nullable-simple-user"}
    schema = {
        "type": "object",
        "required": ["permission", "role_name", "user"],
        "properties": {"permission": words, "role_name": words, "user": user},
    }
    owner_and_repo = [{"$ref": "#/components/parameters/owner"}, {"$ref": "#/components/parameters/repo"}]
    username = {"name": "username", "in": "path", "required": True, "schema": words}
    return {
        "parameters": [*owner_and_repo, username],
        "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
    }
