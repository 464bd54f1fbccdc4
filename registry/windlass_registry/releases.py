"""What a publisher signs of a release beside its bytes: TUF's `custom` of one target, as a value.

`custom` is an opaque object of the TUF specification (section 4.5, TARGETS); ours stands in it under
`windlass`, so that others may add to it. What is read here was signed, but by a stranger: every field
is checked, and a field that this version does not know is refused, for it could change what the others mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from windlass_registry.advisories import (
    NOTICES_AT_MOST,
    TEXT_CHARS,
    TITLE_CHARS,
    VERSIONS_CHARS,
    Advisory,
    advisory_to_json,
    is_id,
    severity_of,
)
from windlass_registry.errors import WindlassError
from windlass_registry.measurements import Measured, measured_to_json, read_measured
from windlass_registry.refs import RefError, parse_uses
from windlass_registry.versions import Digest, Version, VersionError

Kind = Literal["action", "sample"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

SUMMARY_CHARS: Final = 300
PICTURE_CHARS: Final = 200
NOTES_CHARS: Final = 16_000
REASON_CHARS: Final = 500
USES_AT_MOST: Final = 200

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_KEYS: Final = frozenset(
    {
        *("kind", "summary", "picture", "uses", "published", "notes", "statement", "measured"),
        *("yanked", "deprecated", "advisories"),
    }
)


class ReleaseError(WindlassError):
    """What is signed of a release cannot be understood. The release is then not there for anybody."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Yank:
    """Why and when a release was withdrawn from new use."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """What to use instead, or why not to go on with this one; at least one of the two is said."""

    successor: str | None = None
    """A `uses` text, as `acme/train@v2`."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """One release as its publisher signed it. Only `yanked`, `deprecated` and `advisories` may ever
    change."""

    name: str
    """With its namespace: `acme/train`."""
    version: Version
    digest: str
    size_bytes: int
    """Of the canonical archive."""
    kind: Kind = "action"
    summary: str = ""
    picture: str = ""
    """Of a sample: its path in the package. Empty where it has none."""
    uses: tuple[str, ...] = ()
    published: datetime
    notes: str = ""
    statement: str
    """The digest of its provenance statement."""
    measured: Measured | None = None
    """What its examples took where it was made."""
    yanked: Yank | None = None
    deprecated: Deprecation | None = None
    advisories: tuple[Advisory, ...] = ()
    """Why it is dangerous, as far as its publisher knows."""

    @property
    def path(self) -> str:
        """Its name as a TUF target."""
        return f"{self.name}/{self.version}"

    @property
    def namespace(self) -> str:
        """Whose it is."""
        return self.name.partition("/")[0]

    def unmarked(self) -> ReleaseFacts:
        """The part that never changes."""
        return replace(self, yanked=None, deprecated=None, advisories=())


def newest_of(releases: Sequence[ReleaseFacts]) -> ReleaseFacts:
    """What a package is shown by: the first of its releases (newest first) that is neither yanked nor a
    pre-release, if there is one."""
    usable = [facts for facts in releases if facts.yanked is None]
    stable = [facts for facts in usable if not facts.version.pre]
    return (stable or usable or releases)[0]


def custom_of(facts: ReleaseFacts) -> dict[str, Any]:
    """The `custom` object of the release's target."""
    found: dict[str, Any] = {
        "kind": facts.kind,
        "summary": facts.summary,
        "uses": list(facts.uses),
        "published": format_time(facts.published),
        "notes": facts.notes,
        "statement": facts.statement,
    }
    if facts.picture:
        found["picture"] = facts.picture
    if facts.measured is not None:
        found["measured"] = measured_to_json(facts.measured)
    if facts.yanked is not None:
        found["yanked"] = {"reason": facts.yanked.reason, "at": format_time(facts.yanked.at)}
    if facts.deprecated is not None:
        found["deprecated"] = {"successor": facts.deprecated.successor, "reason": facts.deprecated.reason}
    if facts.advisories:
        found["advisories"] = [advisory_to_json(each, format_time(each.at)) for each in facts.advisories]
    return {"windlass": found}


def parse_release(path: str, *, digest: str, size_bytes: int, custom: object) -> ReleaseFacts:
    """Read a target's name and `custom`.

    Raises:
        ReleaseError: says which release and which field.
    """
    reader = _Fields(path, custom.get("windlass") if isinstance(custom, Mapping) else None)
    namespace, name, version = reader.path_parts()
    return ReleaseFacts(
        name=f"{namespace}/{name}",
        version=version,
        digest=reader.digest("digest", digest),
        size_bytes=size_bytes,
        kind=reader.kind(),
        summary=reader.text("summary", SUMMARY_CHARS),
        picture=reader.text("picture", PICTURE_CHARS) if "picture" in reader.fields else "",
        uses=reader.uses(),
        published=reader.time("published", reader.fields.get("published")),
        notes=reader.text("notes", NOTES_CHARS, has_lines=True),
        statement=reader.digest("statement", reader.fields.get("statement")),
        measured=reader.measured(),
        yanked=reader.yank(),
        deprecated=reader.deprecation(),
        advisories=reader.advisories(),
    )


def format_time(moment: datetime) -> str:
    """Whole seconds of UTC, as `2026-03-01T12:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: object) -> datetime:
    """The reverse of `format_time`. Raises ValueError for anything else."""
    if not isinstance(text, str) or not _TIME.match(text):
        raise ValueError("not a time such as 2026-03-01T12:00:00Z")
    return datetime.fromisoformat(text)


def whole_seconds(moment: datetime) -> datetime:
    """The moment as it can be written down."""
    return moment.astimezone(UTC).replace(microsecond=0)


def plain_text(text: str, *, has_lines: bool = False) -> bool:
    """Whether a text holds nothing that steers a terminal or hides itself from a reader."""
    return (text.replace("\n", "").replace("\t", "") if has_lines else text).isprintable()


class _Fields:
    """The fields of one release, read strictly."""

    def __init__(self, path: str, fields: object) -> None:
        self.path = path
        if not isinstance(fields, Mapping):
            raise self.error("what its publisher says of it is missing")
        self.fields: Mapping[str, Any] = fields
        unknown = sorted(str(key) for key in fields if key not in _KEYS)
        if unknown:
            raise self.error(f"'{unknown[0]}' is not known to this version of Windlass: upgrade it")

    def error(self, message: str) -> ReleaseError:
        text = f"the release {self.path} cannot be read: {message}"
        return ReleaseError(text if text.isprintable() else ascii(text)[1:-1])

    def path_parts(self) -> tuple[str, str, Version]:
        parts = self.path.split("/")
        try:
            namespace, name, text = parts
            version = Version.parse(text)
        except (ValueError, VersionError) as error:
            raise self.error("it is not named NAMESPACE/NAME/VERSION") from error
        if str(version) != text:
            raise self.error(f"its version is written {version}")
        return namespace, name, version

    def digest(self, key: str, value: object) -> str:
        try:
            return Digest.parse(str(value)).text
        except VersionError as error:
            raise self.error(f"'{key}': {error}") from error

    def kind(self) -> Kind:
        found = self.fields.get("kind")
        for kind in KINDS:
            if found == kind:
                return kind
        raise self.error(f"'kind' is neither of {', '.join(KINDS)}")

    def text(
        self, key: str, at_most: int, *, has_lines: bool = False, fields: Mapping[str, Any] | None = None
    ) -> str:
        found = (self.fields if fields is None else fields).get(key)
        if not isinstance(found, str) or len(found) > at_most:
            raise self.error(f"'{key}' is not a text of at most {at_most:,} letters")
        if not plain_text(found, has_lines=has_lines):
            raise self.error(f"'{key}' holds control characters")
        return found

    def time(self, key: str, value: object) -> datetime:
        try:
            return parse_time(value)
        except ValueError as error:
            raise self.error(f"'{key}': {error}") from error

    def uses(self) -> tuple[str, ...]:
        found = self.fields.get("uses")
        if not isinstance(found, list) or len(found) > USES_AT_MOST:
            raise self.error(f"'uses' is not a list of at most {USES_AT_MOST}")
        try:
            for each in found:
                parse_uses(each if isinstance(each, str) else "")
        except RefError as error:
            raise self.error(f"'uses': {error}") from error
        return tuple(found)

    def measured(self) -> Measured | None:
        found = self.fields.get("measured")
        try:
            return None if found is None else read_measured(found)
        except ValueError as error:
            raise self.error(f"'measured': {error}") from error

    def advisories(self) -> tuple[Advisory, ...]:
        found = self.fields.get("advisories", [])
        if not isinstance(found, list) or len(found) > NOTICES_AT_MOST:
            raise self.error(f"'advisories' is not a list of at most {NOTICES_AT_MOST}")
        return tuple(self._advisory(each) for each in found)

    def _advisory(self, found: object) -> Advisory:
        keys = {"id", "severity", "title", "text", "versions", "at"}
        if not isinstance(found, Mapping) or set(found) != keys:
            raise self.error(f"'advisories': one does not have exactly {', '.join(sorted(keys))}")
        severity = severity_of(found["severity"])
        id = found["id"]
        if severity is None or not isinstance(id, str) or not is_id(id):
            raise self.error("'advisories': an id or a severity that is none")
        return Advisory(
            id=id,
            severity=severity,
            title=self.text("title", TITLE_CHARS, fields=found),
            text=self.text("text", TEXT_CHARS, has_lines=True, fields=found),
            versions=self.text("versions", VERSIONS_CHARS, fields=found),
            at=self.time("at", found["at"]),
        )

    def yank(self) -> Yank | None:
        fields = self._part("yanked", {"reason", "at"})
        if fields is None:
            return None
        reason = self.text("reason", REASON_CHARS, fields=fields)
        return Yank(reason=reason, at=self.time("at", fields.get("at")))

    def deprecation(self) -> Deprecation | None:
        fields = self._part("deprecated", {"successor", "reason"})
        if fields is None:
            return None
        successor = fields.get("successor")
        try:
            if successor is not None:
                parse_uses(successor if isinstance(successor, str) else "")
        except RefError as error:
            raise self.error(f"'successor': {error}") from error
        return Deprecation(successor=successor, reason=self.text("reason", REASON_CHARS, fields=fields))

    def _part(self, key: str, keys: set[str]) -> Mapping[str, Any] | None:
        found = self.fields.get(key)
        if found is None:
            return None
        if not isinstance(found, Mapping) or set(found) != keys:
            raise self.error(f"'{key}' does not have exactly {', '.join(sorted(keys))}")
        return found
