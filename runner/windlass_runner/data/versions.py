"""Datasets and models as numbered versions that never change, with tags that may move.

``<storage>/datasets|models/<namespace>/<name>/versions/<n>/`` holds ``content`` (the folder) and
``version.json``; ``…/tags/<tag>`` holds a number. A version appears by one rename, complete or not
at all; committing the same output of the same attempt again gives the version that it became.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from windlass_registry.errors import AuthorError, Problem
from windlass_runner.data.digests import measure
from windlass_runner.data.trees import link_tree, make_read_only, remove_tree

VersionKind = Literal["dataset", "model"]
_REF: Final = re.compile(
    r"(?:(?P<namespace>[A-Za-z0-9][\w.-]{0,99})/)?(?P<name>[A-Za-z0-9][\w.-]{0,99})"
    r"(?::(?P<label>[A-Za-z0-9][\w.-]{0,99}))?\Z",
    re.ASCII,
)
DEFAULT_NAMESPACE: Final = "default"
LATEST: Final = "latest"
_REMEMBERED: Final = 64
"""A repeated commit is known among so many newest versions: it comes right after a crash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRef:
    """``[namespace/]name[:tag|:number]``, taken apart. No label means the newest."""

    namespace: str
    name: str
    label: str | None = None

    @property
    def number(self) -> int | None:
        """The version's number, where the label is one."""
        return int(self.label) if self.label is not None and self.label.isdigit() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which output of which attempt a version came from. Equal origins are one version."""

    run: str
    job: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a dataset or model. `path` is its folder (or file), not to be written to."""

    kind: VersionKind
    namespace: str
    name: str
    number: int
    digest: str
    size_bytes: int
    origin: Origin
    created: float
    path: Path
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """The text that names exactly this version."""
        prefix = "" if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/"
        return f"{prefix}{self.name}:{self.number}"


def parse_ref(ref: str, *, path: str = "", line: int = 0, column: int = 0) -> VersionRef:
    """Take a reference apart. Raises `AuthorError` at the given place where it is none."""
    match = _REF.match(ref)
    if match is None:
        remedy = "write name, name:tag, name:version or namespace/name"
        raise _error(f"'{ref}' does not name a dataset or model", remedy, path, line, column)
    return VersionRef(
        namespace=match["namespace"] or DEFAULT_NAMESPACE, name=match["name"], label=match["label"]
    )


class VersionStore:
    """The versions below one storage folder. Safe to use from several threads and processes."""

    def __init__(self, storage: Path, *, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock

    def commit(
        self,
        kind: VersionKind,
        ref: str,
        folder: Path,
        *,
        origin: Origin,
        metrics: Mapping[str, float] | None = None,
    ) -> Version:
        """Make the folder (which nobody writes to any more) the next version; a tag in `ref` moves to it.

        The files get a second name and are made read-only: nothing is copied on one file system.

        Raises:
            AuthorError: `ref` is none, or names a number.
        """
        parsed = parse_ref(ref)
        if parsed.number is not None or parsed.label == LATEST:
            remedy = f"write '{parsed.name}', or '{parsed.name}:' and a tag of your own"
            raise _error(f"'{ref}' cannot be written to: numbers and 'latest' are given here", remedy)
        home = self._home(kind, parsed)
        version = self._of_origin(kind, parsed, origin) or self._make(
            kind, parsed, folder, origin, metrics or {}
        )
        if parsed.label is not None:
            _write(home / "tags" / parsed.label, f"{version.number}\n")
        return version

    def resolve(
        self, kind: VersionKind, ref: str, *, path: str = "", line: int = 0, column: int = 0
    ) -> Version:
        """The version that a reference means now.

        Raises:
            AuthorError: there is none; at the given place, with the nearest name there is.
        """
        parsed = parse_ref(ref, path=path, line=line, column=column)
        numbers = self._numbers(kind, parsed)
        if not numbers:
            message = f"there is no {kind} '{ref.partition(':')[0]}'"
            raise _error(message, _nearest(parsed.name, self.names(kind)), path, line, column)
        number = parsed.number
        if parsed.label is None or parsed.label == LATEST:
            number = numbers[-1]
        elif number is None:
            number = self.tags(kind, parsed).get(parsed.label)
        if number is None or number not in numbers:
            known = [*self.tags(kind, parsed), *map(str, numbers[-5:])]
            what = f"the {kind} '{parsed.name}' has no version or tag '{parsed.label}'"
            raise _error(what, _nearest(parsed.label or "", known), path, line, column)
        return self._load(kind, parsed, number)

    def versions(self, kind: VersionKind, ref: str) -> tuple[Version, ...]:
        """All versions of a name, the oldest first."""
        parsed = parse_ref(ref)
        return tuple(self._load(kind, parsed, number) for number in self._numbers(kind, parsed))

    def names(self, kind: VersionKind) -> tuple[str, ...]:
        """All names, with their namespace where it is not the default one."""
        found = []
        for home in sorted((self._storage / f"{kind}s").glob("*/*/versions")):
            namespace, name = home.parts[-3:-1]
            found.append(name if namespace == DEFAULT_NAMESPACE else f"{namespace}/{name}")
        return tuple(found)

    def tags(self, kind: VersionKind, ref: VersionRef) -> dict[str, int]:
        """The tags of a name with the versions they stand at."""
        found = {}
        folder = self._home(kind, ref) / "tags"
        for file in sorted(folder.iterdir()) if folder.exists() else ():
            with contextlib.suppress(ValueError, FileNotFoundError):
                if not file.name.startswith("."):
                    found[file.name] = int(file.read_text())
        return found

    def _make(
        self, kind: VersionKind, ref: VersionRef, folder: Path, origin: Origin, metrics: Mapping[str, float]
    ) -> Version:
        home = self._home(kind, ref) / "versions"
        home.mkdir(parents=True, exist_ok=True)
        key = hashlib.sha256(repr((origin.run, origin.job, origin.output)).encode()).hexdigest()[:16]
        staging = home / f".{key}.new"
        remove_tree(staging)
        staging.mkdir()
        make_read_only(folder)
        link_tree(folder, staging / "content")
        make_read_only(staging / "content")
        facts = measure(folder)
        record = {
            "digest": facts.digest,
            "size_bytes": facts.size_bytes,
            "created": self._clock(),
            "run": origin.run,
            "job": origin.job,
            "output": origin.output,
            "metrics": dict(metrics),
        }
        _write(staging / "version.json", json.dumps(record, sort_keys=True))
        number = max(self._numbers(kind, ref), default=0) + 1
        while True:
            try:
                staging.rename(home / str(number))
            except OSError:
                if not (home / str(number)).exists():
                    raise
                number += 1  # somebody else took it meanwhile
            else:
                return self._load(kind, ref, number)

    def _of_origin(self, kind: VersionKind, ref: VersionRef, origin: Origin) -> Version | None:
        for number in self._numbers(kind, ref)[: -_REMEMBERED - 1 : -1]:
            version = self._load(kind, ref, number)
            if version.origin == origin:
                return version
        return None

    def _numbers(self, kind: VersionKind, ref: VersionRef) -> list[int]:
        home = self._home(kind, ref) / "versions"
        return sorted(int(p.name) for p in home.iterdir() if p.name.isdigit()) if home.exists() else []

    def _load(self, kind: VersionKind, ref: VersionRef, number: int) -> Version:
        folder = self._home(kind, ref) / "versions" / str(number)
        record = json.loads((folder / "version.json").read_text())
        return Version(
            kind=kind,
            namespace=ref.namespace,
            name=ref.name,
            number=number,
            digest=record["digest"],
            size_bytes=record["size_bytes"],
            origin=Origin(run=record["run"], job=record["job"], output=record["output"]),
            created=record["created"],
            path=folder / "content",
            metrics=record["metrics"],
        )

    def _home(self, kind: VersionKind, ref: VersionRef) -> Path:
        return self._storage / f"{kind}s" / ref.namespace / ref.name


def _error(message: str, remedy: str | None, path: str = "", line: int = 0, column: int = 0) -> AuthorError:
    return AuthorError(Problem(path=path, line=line, column=column, message=message, remedy=remedy))


def _nearest(word: str, known: tuple[str, ...] | list[str]) -> str | None:
    from windlass_registry.documents import did_you_mean  # brings yaml, needed only here

    return did_you_mean(word, known)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)
