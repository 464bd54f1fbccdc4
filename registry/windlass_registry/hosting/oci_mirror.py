"""Copies a registry's folder (or a mirror of one) into an OCI registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_registry.layout import INDEX, archive_path, statement_path
from windlass_registry.releases import ReleaseFacts, format_time
from windlass_registry.sources.oci import (
    ARCHIVE_TYPE,
    JSON_TYPE,
    METADATA_TAG,
    METADATA_TYPE,
    PACKAGE_TYPE,
    STATEMENT_TYPE,
    Layer,
    OciRepository,
    release_tag,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a copy came to."""

    packages: int
    pushed: int
    """Of which were not there yet."""


def push_folder(
    folder: Path,
    repository: OciRepository,
    releases: Iterable[ReleaseFacts],
    *,
    told: Callable[[str, int, int], None],
) -> Pushed:
    """Push these releases, then all signed roles: who reads meanwhile sees the old state.

    Raises:
        OperatorError, UpstreamError: as `OciRepository.push`, or the folder lacks a file.
    """
    wanted = list(releases)
    pushed = 0
    for done, facts in enumerate(wanted, start=1):
        tag = release_tag(facts.name, str(facts.version))
        if repository.find(tag) is None:
            layers = (
                _layer(
                    folder, archive_path(facts.digest), f"{facts.name.rpartition('/')[2]}.tar", ARCHIVE_TYPE
                ),
                _layer(folder, statement_path(facts.statement), "statement.json", STATEMENT_TYPE),
            )
            repository.push(tag, layers, artifact_type=PACKAGE_TYPE, annotations=_annotations(facts))
            pushed += 1
        told(facts.path, done, len(wanted))
    roles = sorted(place.relative_to(folder).as_posix() for place in (folder / "metadata").glob("*.json"))
    listed = [_layer(folder, path, path, JSON_TYPE) for path in (*roles, INDEX)]
    repository.push(METADATA_TAG, listed, artifact_type=METADATA_TYPE, annotations={})
    return Pushed(packages=len(wanted), pushed=pushed)


def _annotations(facts: ReleaseFacts) -> dict[str, str]:
    """The keys that OCI has for what a release says (Image Specification, annotations)."""
    return {
        "org.opencontainers.image.title": facts.name,
        "org.opencontainers.image.version": str(facts.version),
        "org.opencontainers.image.description": facts.summary,
        "org.opencontainers.image.created": format_time(facts.published),
    }


def _layer(folder: Path, path: str, title: str, media_type: str) -> Layer:
    try:
        return Layer(title=title, content=(folder / path).read_bytes(), media_type=media_type)
    except OSError as error:
        remedy = "bring the copy up to date with 'windlass registry mirror'"
        raise OperatorError(f"{folder} lacks {path}", remedy=remedy) from error
