"""Whether the files of a release are what is signed of it: its archive, its manifest, its statement.

Called by a registry before it takes a publication, with strangers' bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuf.api.metadata import Targets

from windlass_registry.archive import Entry, read_archive
from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.publication import Publication, Refused
from windlass_registry.refs import LocalRef, parse_uses
from windlass_registry.releases import ReleaseFacts
from windlass_registry.samples.manifest import read_sample
from windlass_registry.sources.packages import manifest_of
from windlass_registry.trust import roles
from windlass_registry.trust.statements import LARGEST_BYTES, Provenance, read_statement, statement_digest


def check_archive(facts: ReleaseFacts, publication: Publication) -> None:
    """Refuse a release whose archive is missing, no package, or not the one that is signed."""
    archive = publication.archives.get(facts.digest)
    if archive is None:
        raise Refused(f"the archive of {facts.path} is missing", why="archive")
    entries = _open_archive(archive, facts)
    if facts.kind == "action":
        _check_manifest(entries, facts)
    else:
        _check_sample(entries, facts)


def _open_archive(archive: bytes, facts: ReleaseFacts) -> dict[str, Entry]:
    """The files of a release, after the check that the bytes are those that were signed. Raises Refused."""
    if len(archive) != facts.size_bytes or statement_digest(archive) != facts.digest:
        raise Refused(f"the archive of {facts.path} is not the one that is signed", why="archive")
    try:
        return {entry.name: entry for entry in read_archive(archive)}
    except AuthorError as error:
        raise Refused(f"{facts.path}: {error}", why="archive") from error


def _check_manifest(entries: Mapping[str, Entry], facts: ReleaseFacts) -> None:
    """Refuse a package whose manifest does not say what is signed of it."""
    try:
        manifest = manifest_of(entries, shown_as=facts.name)
    except AuthorError as error:
        raise Refused(f"the manifest of {facts.path} is broken: {error}", why="manifest") from error
    if manifest is None:
        raise Refused(f"{facts.path} has no action.yml", why="manifest")
    if manifest.version is not None and manifest.version != str(facts.version):
        raise Refused(f"the manifest of {facts.path} says version {manifest.version}", why="manifest")
    if facts.picture:
        raise Refused(f"{facts.path} is an action: it has no picture", why="manifest")
    if set(manifest.uses()) != set(facts.uses):
        raise Refused(f"the manifest of {facts.path} uses other actions than are signed", why="manifest")
    for uses in facts.uses:
        if isinstance(parse_uses(uses), LocalRef):
            raise Refused(
                f"{facts.path} uses '{uses}', a folder that nobody else has",
                why="manifest",
                remedy="publish that too, and use it by its name",
            )


def _check_sample(entries: Mapping[str, Entry], facts: ReleaseFacts) -> None:
    """Refuse a sample whose manifest does not say what is signed of it."""
    try:
        sample = read_sample(list(entries.values()), shown_as=facts.name)
    except AuthorError as error:
        raise Refused(f"the manifest of {facts.path} is broken: {error}", why="manifest") from error
    if sample is None:
        raise Refused(f"{facts.path} is called a sample and has no sample.yml", why="manifest")
    if sample.manifest.version != str(facts.version):
        raise Refused(f"the manifest of {facts.path} says version {sample.manifest.version}", why="manifest")
    if sample.manifest.picture != facts.picture:
        raise Refused(f"the manifest of {facts.path} has another picture than is signed", why="manifest")
    if facts.uses:
        raise Refused(f"{facts.path} is a sample: it uses no actions itself", why="manifest")


def check_statement(facts: ReleaseFacts, owner: Targets, publication: Publication) -> None:
    """Refuse a release whose statement no release key of `owner` signed, or that is of another."""
    content = publication.statements.get(facts.statement)
    if content is None:
        raise Refused(f"the provenance of {facts.path} is missing", why="archive")
    if len(content) > LARGEST_BYTES:
        raise Refused(f"the provenance of {facts.path} has more than {LARGEST_BYTES:,} bytes", why="size")
    if statement_digest(content) != facts.statement:
        raise Refused(f"the provenance of {facts.path} is not the one that is signed", why="archive")
    role = roles.releases_role(facts.namespace)
    keys = tuple(roles.keys_of(owner, role).values())
    try:
        said = read_statement(content, keys, threshold=1, shown=facts.path)
    except OperatorError as error:
        raise Refused(error.message, why="signature") from error
    if not is_about(said, facts):
        raise Refused(f"the provenance of {facts.path} speaks of another release", why="archive")


def is_about(said: Provenance, facts: ReleaseFacts) -> bool:
    """Whether a statement speaks of this very release."""
    return (said.name, said.version, said.digest, said.published) == (
        facts.name,
        str(facts.version),
        facts.digest,
        facts.published,
    )
