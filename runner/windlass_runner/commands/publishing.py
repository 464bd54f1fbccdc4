"""Makes a release of a folder, signs it and hands it to a registry, telling each step."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version as version_of
from pathlib import Path

from windlass_registry.archive import Entry, pack, read_archive
from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.measurements import Measured, tell_measured
from windlass_registry.names import check_name
from windlass_registry.publication import Publication, Refused
from windlass_registry.refs import LocalRef, RefError, parse_uses
from windlass_registry.releases import NOTES_CHARS, SUMMARY_CHARS, Kind, ReleaseFacts, whole_seconds
from windlass_registry.samples.manifest import read_sample
from windlass_registry.sources.packages import manifest_of
from windlass_registry.trust.client import Namespace as SignedNamespace
from windlass_registry.trust.publishing import ReleaseKeys, Signers, next_publication
from windlass_registry.trust.statements import Provenance, make_statement, statement_digest
from windlass_registry.versions import Version, VersionError
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.measures import find_measured
from windlass_runner.commands.passphrases import read_passphrase
from windlass_runner.commands.publishing_place import PublishingPlace, choose_place
from windlass_runner.commands.registries import key_ring, utc_now
from windlass_runner.commands.wrong_words import WrongWords
from windlass_runner.forges.git_source import GitSource, find_source
from windlass_runner.workflow.graphs import problems_of

ATTEMPTS = 5
"""How often somebody else may publish in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A package that is ready to be published."""

    name: str
    version: Version
    kind: Kind
    summary: str
    uses: tuple[str, ...]
    archive: bytes
    source: GitSource | None
    measured: Measured | None = None
    picture: str = ""
    """Of a sample: its path in the package."""

    @property
    def digest(self) -> str:
        """Its identity."""
        return f"sha256:{sha256(self.archive).hexdigest()}"


def publish(arguments: Namespace, invocation: Invocation) -> int:
    """See `windlass publish --help`."""
    say = invocation.say
    folder = invocation.folder / Path(arguments.folder).expanduser()
    place = choose_place(arguments, invocation)
    draft = read_draft(folder, arguments, invocation, namespace=place.namespace)
    say(f"checked   {draft.name} {draft.version}: {len(draft.archive):,} bytes, {draft.digest[:19]}…")
    say(f"source    {tell_source(draft.source)}")
    if draft.measured is not None:
        say("measured  " + ", ".join(f"{title} {text}" for title, text in tell_measured(draft.measured)))
    facts, publication = _publish(draft, place, arguments, invocation)
    signed_by = ", ".join(each.name for each in place.keys)
    say(f"signed    by {signed_by}, with {', '.join(sorted(publication.roles))}")
    uses = f"{draft.name}@v{draft.version}"
    if not arguments.dry_run:
        say(f"published at {place.publishing.address}")
    else:
        say("nothing was published (--dry-run)")
    if arguments.json:
        invocation.print_json(
            {
                "name": draft.name,
                "version": str(draft.version),
                "digest": draft.digest,
                "statement": facts.statement,
                "registry": place.publishing.address,
                "uses": uses,
                "published": not arguments.dry_run,
            }
        )
    else:
        invocation.print(f"uses: {uses}")
    return 0


def _publish(
    draft: Draft, place: PublishingPlace, arguments: Namespace, invocation: Invocation
) -> tuple[ReleaseFacts, Publication]:
    """Sign on top of what is newest, again where somebody else was faster."""
    signers = place.signers(key_ring(invocation), read_passphrase(arguments, invocation))
    notes = _notes(arguments.notes, invocation)
    for attempt in range(1, ATTEMPTS + 1):
        namespace = place.read()
        facts, statement = sign_release(draft, notes, signers, by=place.keys[0].name)
        _refuse_taken(namespace, facts)
        publication = next_publication(
            namespace,
            [facts],
            signers=signers,
            now=utc_now(),
            keys=None if namespace.release_keys else ReleaseKeys(keys=[each.key for each in place.keys]),
            archives={draft.digest: draft.archive},
            statements={facts.statement: statement},
        )
        if arguments.dry_run:
            if isinstance(place.publishing, RegistryFolder):  # a server is not asked before it is meant
                place.publishing.check(publication)
            return facts, publication
        try:
            place.publishing.accept(publication)
        except Refused as error:
            if error.why != "outdated" or attempt == ATTEMPTS:
                raise
            invocation.say("again     somebody else published in the same moment")
            continue
        return facts, publication
    raise AssertionError(ATTEMPTS)


def sign_release(draft: Draft, notes: str, signers: Signers, *, by: str) -> tuple[ReleaseFacts, bytes]:
    """The facts of a release that is published now, and its statement."""
    now = whole_seconds(utc_now())
    source = draft.source
    provenance = Provenance(
        name=draft.name,
        version=str(draft.version),
        digest=draft.digest,
        repository=source.repository if source is not None else None,
        commit=source.commit if source is not None else None,
        is_dirty=source is None or source.is_dirty or source.commit is None,
        folder=source.folder if source is not None else "",
        publisher=by,
        published=now,
        windlass=version_of("windlass"),
    )
    statement = make_statement(provenance, signers.release)
    facts = ReleaseFacts(
        name=draft.name,
        version=draft.version,
        digest=draft.digest,
        size_bytes=len(draft.archive),
        kind=draft.kind,
        summary=draft.summary,
        picture=draft.picture,
        uses=draft.uses,
        published=now,
        notes=notes,
        statement=statement_digest(statement),
        measured=draft.measured,
    )
    return facts, statement


def _refuse_taken(namespace: SignedNamespace, facts: ReleaseFacts) -> None:
    """Told before anything is uploaded; the registry itself looks again."""
    for each in namespace.releases(facts.name):
        if each.version == facts.version:
            same = "with this very content" if each.digest == facts.digest else "with other content"
            raise Refused(
                f"{facts.name} {each.version} was published on {each.published:%Y-%m-%d}, {same}",
                why="exists",
                remedy="a version that is out never changes: publish the next one",
            )


def read_draft(folder: Path, arguments: Namespace, invocation: Invocation, *, namespace: str) -> Draft:
    """Read and check a package's folder.

    Raises:
        AuthorError: it is no package; says what is wrong with it, and where.
        Refused: its name cannot be.
    """
    archive = pack(folder)
    entries = read_archive(archive)
    said = _action(entries, arguments, invocation) or _sample(entries, arguments)
    if said is None:
        raise WrongWords(
            f"{arguments.folder} has neither action.yml nor sample.yml",
            remedy="name the folder of one package",
        )
    own_name = said.name if said.kind == "sample" else folder.resolve().name
    name = f"{namespace}/{arguments.name or own_name}"
    check_name(name)
    source = find_source(folder, environment=invocation.environment)
    tagged = source.tagged_version(name.partition("/")[2]) if source is not None else None
    summary = " ".join(said.summary.split()) or said.name
    return Draft(
        name=name,
        version=_version(said.version, arguments, tagged=tagged),
        kind=said.kind,
        summary=summary if len(summary) <= SUMMARY_CHARS else summary[: SUMMARY_CHARS - 1] + "…",
        picture=said.picture,
        uses=said.uses,
        archive=archive,
        source=source,
        measured=find_measured(
            f"sha256:{sha256(archive).hexdigest()}",
            file=None if arguments.measured is None else invocation.folder / arguments.measured,
            environment=invocation.environment,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What a package's manifest says, whichever kind it is of."""

    kind: Kind
    name: str
    version: str | None
    summary: str
    picture: str = ""
    uses: tuple[str, ...] = ()


def _action(entries: Sequence[Entry], arguments: Namespace, invocation: Invocation) -> _Said | None:
    manifest = manifest_of({entry.name: entry for entry in entries}, shown_as=str(arguments.folder))
    if manifest is None:
        return None
    problems = (*manifest.warnings, *problems_of(manifest))
    if any(problem.severity == "error" for problem in problems):
        raise AuthorError(*problems)
    for warning in problems:
        invocation.say(str(warning))
    for uses in manifest.uses():
        _check_use(uses, arguments.folder)
    return _Said(
        kind="action",
        name=manifest.name,
        version=manifest.version,
        summary=manifest.description,
        uses=manifest.uses(),
    )


def _check_use(uses: str, folder: str) -> None:
    """What a package uses has to mean the same to everybody."""
    try:
        ref = parse_uses(uses)
    except RefError as error:
        raise WrongWords(
            f"{folder} uses '{uses}', which means nothing here: {error.message}",
            remedy=error.remedy or "name a release",
        ) from error
    if isinstance(ref, LocalRef):
        raise WrongWords(
            f"{folder} uses '{uses}', a folder that nobody else has",
            remedy="publish that too, and use it by its name",
        )


def _sample(entries: Sequence[Entry], arguments: Namespace) -> _Said | None:
    sample = read_sample(entries, shown_as=str(arguments.folder))
    if sample is None:
        return None
    manifest = sample.manifest
    return _Said(
        kind="sample",
        name=manifest.name,
        version=manifest.version,
        summary=manifest.description,
        picture=manifest.picture,
    )


def _version(stated: str | None, arguments: Namespace, *, tagged: Version | None) -> Version:
    try:
        wanted = Version.parse(arguments.version) if arguments.version is not None else None
    except VersionError as error:
        raise WrongWords(str(error), remedy="write three numbers, such as 1.0.0") from error
    if stated is not None:
        version = Version.parse(stated)
        if wanted is not None and wanted != version:
            raise WrongWords(
                f"the manifest of {arguments.folder} says version {stated}", remedy="change it there"
            )
        return version
    if wanted is not None:
        return wanted
    if tagged is not None:
        return tagged
    raise WrongWords(
        f"neither the manifest of {arguments.folder} nor a tag of this commit says which version it is",
        remedy="write 'version: 1.0.0' into action.yml, tag the commit 'v1.0.0', or give --version",
    )


def _notes(given: str, invocation: Invocation) -> str:
    path = invocation.folder / given
    is_file = bool(given) and "\n" not in given and len(given) < 1024 and path.is_file()
    try:
        text = path.read_text(encoding="utf-8") if is_file else given
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"cannot read the notes {given}: {error}") from error
    text = text.replace("\r\n", "\n").strip()
    if len(text) > NOTES_CHARS:
        raise WrongWords(f"the notes have more than {NOTES_CHARS:,} letters", remedy="link to the rest")
    return text


def tell_source(source: GitSource | None) -> str:
    """In a few words where the files come from."""
    if source is None:
        return "a folder in no git repository: nobody can tell where it comes from"
    if source.commit is None:
        return "a git repository without a commit"
    where = source.repository or "a git repository that was cloned from nowhere"
    dirty = ", with changes that are not committed" if source.is_dirty else ""
    return f"{where} at {source.commit[:12]}{dirty}"
