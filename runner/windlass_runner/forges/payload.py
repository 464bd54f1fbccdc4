"""Reading what a forge sends: what is needed must be there, all the rest may be as it likes.

Bodies of several years and servers differ: fields come and go, and may be null. Used by the `deliveries` of
each forge. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

from windlass_runner.forges.base import BadDelivery
from windlass_runner.workflow.events import NO_COMMIT

_MOST_LEVELS: Final = 100
"""Deeper than any forge's own JSON goes."""
_FORM: Final = "application/x-www-form-urlencoded"
_HEADER_WORD: Final = re.compile(r"[\x21-\x7e]{1,128}\Z")
_COMMIT: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
"""NUL and halves of pairs: no database takes them."""


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decode: Final = json.JSONDecoder(parse_constant=_refuse_constant).decode


class Payload:
    """One object of a body; `path` says where in the body it stands, with a dot at its end."""

    def __init__(self, data: Mapping[str, Any], path: str = "") -> None:
        self.data = data
        self._path = path

    def object(self, key: str) -> Payload:
        """An object that must be there."""
        found = self.object_or_none(key)
        if found is None:
            raise self._refusal(key, "an object")
        return found

    def object_or_none(self, key: str) -> Payload | None:
        """An object, or None where there is none."""
        value = self.data.get(key)
        return Payload(value, f"{self._path}{key}.") if isinstance(value, dict) else None

    def word(self, key: str) -> str:
        """A text that must be there, not empty, and printable: it may stand in arguments and logs."""
        found = self.word_or_none(key)
        if found is None:
            raise self._refusal(key, "printable text")
        return found

    def word_or_none(self, key: str) -> str | None:
        """The same, or None where there is none."""
        value = self.data.get(key)
        return value if isinstance(value, str) and value and value.isprintable() else None

    def prose(self, key: str) -> str:
        """What a person wrote, with what is no character replaced; empty where there is nothing."""
        value = self.data.get(key)
        return _NO_TEXT.sub("\ufffd", value) if isinstance(value, str) else ""

    def commit(self, key: str) -> str:
        """A commit's full name, which must be there; `NO_COMMIT` for zeros."""
        found = self.commit_or_none(key)
        if found is None:
            raise self._refusal(key, "a commit's full name")
        return found

    def commit_or_none(self, key: str) -> str | None:
        """The same, or None where there is none."""
        value = self.data.get(key)
        if not isinstance(value, str) or not _COMMIT.match(value):
            return None
        return value if value.strip("0") else NO_COMMIT

    def number(self, key: str) -> int:
        """A number above 0, as issues and pull requests have, which must be there."""
        found = self.number_or_none(key)
        if found is None:
            raise self._refusal(key, "a number")
        return found

    def number_or_none(self, key: str) -> int | None:
        """The same, or None where there is none."""
        value = self.data.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

    def moment_or_none(self, key: str) -> float | None:
        """A time in seconds since 1970, as ISO 8601 has it or as `2026-03-01 09:12:44 UTC`; None where there
        is none."""
        value = self.data.get(key)
        if not isinstance(value, str):
            return None
        try:
            found = datetime.fromisoformat(value.replace(" UTC", "+00:00"))
        except ValueError:
            return None
        return found.replace(tzinfo=found.tzinfo or UTC).timestamp()

    def _refusal(self, key: str, what: str) -> BadDelivery:
        return BadDelivery(f"'{self._path}{key}' is missing or not {what}")


def parse_payload(text: bytes) -> Payload:
    """A body's JSON. Raises BadDelivery where it is not whole JSON, no object, or nested without end."""
    try:
        data = _decode(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadDelivery("the body is not whole JSON") from error
    if not isinstance(data, dict):
        raise BadDelivery("the body must be a JSON object")
    pieces = [text.split(bracket, _MOST_LEVELS + 1) for bracket in (b"{", b"[")]  # faster than to count
    if sum(map(len, pieces)) - len(pieces) > _MOST_LEVELS and _is_too_deep(data):
        raise BadDelivery(f"the body is nested more than {_MOST_LEVELS} levels deep")
    return Payload(data)


def header_word(headers: Mapping[str, str], name: str) -> str:
    """A header that must be there and be one short word. Raises BadDelivery."""
    value = headers.get(name, "")
    if not _HEADER_WORD.match(value):
        raise BadDelivery(f"the header '{name}' is missing or not a word")
    return value


def json_text(headers: Mapping[str, str], body: bytes) -> bytes:
    """The JSON text of a body; a webhook of content type 'form' carries it in a field. Raises BadDelivery."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return body
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=8)
    except ValueError as error:
        raise BadDelivery("the body is not a whole form") from error
    if len(fields.get("payload", ())) != 1:
        raise BadDelivery("the form has no field 'payload', or several")
    return fields["payload"][0].encode()


def _is_too_deep(data: Mapping[str, Any]) -> bool:
    level: list[Any] = [data]
    for _ in range(_MOST_LEVELS):
        children = (item.values() if isinstance(item, dict) else item for item in level)
        level = [child for items in children for child in items if isinstance(child, (dict, list))]
        if not level:
            return False
    return True
