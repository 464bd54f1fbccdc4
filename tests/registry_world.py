"""A registry, its owner, publishers and readers in one folder, with a clock that is set by hand."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from windlass_registry.archive import pack
from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.publication import Publication
from windlass_registry.releases import Kind, ReleaseFacts
from windlass_registry.sources.registry import RegistryAddress, RegistrySource
from windlass_registry.store import Store
from windlass_registry.trust import publishing
from windlass_registry.trust.client import Namespace, RegistryClient, pin_root
from windlass_registry.trust.hosted import ONLINE_KEY
from windlass_registry.trust.keys import CryptoSigner, KeyRing
from windlass_registry.trust.publishing import ReleaseKeys, Signers
from windlass_registry.trust.roles import Badge
from windlass_registry.trust.statements import Provenance, make_statement, statement_digest
from windlass_registry.trust.transport import open_transport
from windlass_registry.versions import Version

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MANIFEST = "name: Train\nruns:\n  using: composite\n  steps: [{run: echo hello, shell: bash}]\n"


@dataclass
class World:
    """`folder` holds the registry, the keys of everybody, and what readers keep."""

    folder: Path
    now: datetime = NOON
    builtin: tuple[str, ...] = ("train", "evaluate", "script")
    root: bytes = b""
    _made: int = field(default=0, repr=False)

    @property
    def registry(self) -> RegistryFolder:
        return RegistryFolder(self.folder / "registry", clock=self.clock, builtin=self.builtin)

    @property
    def keys(self) -> KeyRing:
        return KeyRing(self.folder / "keys")

    def clock(self) -> datetime:
        return self.now

    def later(self, **length: float) -> None:
        self.now += timedelta(**length)

    def begin(self) -> World:
        """The owner's keys and an empty registry."""
        root, targets = self.keys.create("registry.root"), self.keys.create("registry.targets")
        online = self.registry.keys.create(ONLINE_KEY)
        self.root, first = publishing.first_roles(
            root=root, targets=targets, online=online.public_key, now=self.now
        )
        self.registry.begin(root=self.root, targets=first)
        return self

    def grant(
        self,
        namespace: str,
        *,
        badge: Badge | None = None,
        owner: CryptoSigner | None = None,
        claim: Publication | None = None,
    ) -> None:
        """Let a key own a namespace; without `owner` two new keys are made for it."""
        if owner is None:
            owner = self.keys.create(f"{namespace}.owner")
            self.keys.create(f"{namespace}.release")
        self.registry.accept(
            publishing.grant_publication(
                self.registry.roles().targets,
                namespace,
                [owner.public_key],
                badge=badge,
                signers=[self.keys.signer("registry.targets")],
                now=self.now,
                claim=claim,
            )
        )

    def package(self, name: str = "train", *, manifest: str = MANIFEST, **files: str) -> Path:
        """A package's folder."""
        self._made += 1
        folder = self.folder / f"package-{self._made}" / name
        folder.mkdir(parents=True)
        (folder / "action.yml").write_text(manifest)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        return folder

    def client(self, reader: str = "reader", *, address: Path | str | None = None) -> RegistryClient:
        """Somebody who reads; what they believed before lies in a folder of their name."""
        transport = open_transport(str(address or self.folder / "registry"))
        return RegistryClient(
            transport, root=self.root, cache=self.folder / reader / "cache", clock=self.clock
        )

    def source(self, reader: str = "reader", *, address: Path | str | None = None) -> RegistrySource:
        """The same as a source of releases."""
        registry = RegistryAddress(
            name="registry", address=str(address or self.folder / "registry"), root=self.root
        )
        return RegistrySource(
            registry,
            store=Store(self.folder / reader / "store"),
            cache=self.folder / reader / "cache",
            clock=self.clock,
        )

    def namespace(self, name: str = "acme") -> Namespace:
        """What a publisher reads before they sign."""
        found = self.client("publisher").namespace(name)
        assert found is not None
        return found

    def draft(
        self,
        name: str = "acme/train",
        version: str = "1.0.0",
        *,
        archive: bytes | None = None,
        signers: Signers | None = None,
        uses: Sequence[str] = (),
        kind: Kind = "action",
        picture: str = "",
    ) -> tuple[ReleaseFacts, Publication]:
        """A release with its statement, and the publication of it; nothing is sent."""
        namespace = self.namespace(name.partition("/")[0])
        using = signers or self.signers(namespace)
        content = archive if archive is not None else pack(self.package())
        digest = statement_digest(content)
        statement = make_statement(
            Provenance(
                name=name,
                version=version,
                digest=digest,
                repository="https://git.example.org/actions",
                commit="1" * 40,
                is_dirty=False,
                publisher="ann",
                published=self.now,
                windlass="1.0",
            ),
            using.release,
        )
        facts = ReleaseFacts(
            name=name,
            version=Version.parse(version),
            digest=digest,
            size_bytes=len(content),
            kind=kind,
            picture=picture,
            uses=tuple(uses),
            published=self.now,
            statement=statement_digest(statement),
        )
        publication = self.signed(
            namespace, [facts], using, archives={digest: content}, statements={facts.statement: statement}
        )
        return facts, publication

    def signed(
        self,
        namespace: Namespace,
        changes: Sequence[ReleaseFacts],
        signers: Signers,
        *,
        keys: ReleaseKeys | None = None,
        archives: Mapping[str, bytes] | None = None,
        statements: Mapping[str, bytes] | None = None,
    ) -> Publication:
        """The next state of a namespace; the first names the release keys too."""
        if keys is None and not namespace.release_keys:
            keys = ReleaseKeys(keys=[each.public_key for each in signers.release])
        return publishing.next_publication(
            namespace,
            changes,
            signers=signers,
            now=self.now,
            keys=keys,
            archives=archives,
            statements=statements,
        )

    def signers(self, namespace: Namespace) -> Signers:
        """All keys here that may sign for it."""
        ring = self.keys
        names = ring.find(namespace.release_keys) or (f"{namespace.name}.release",)
        return Signers(
            release=[ring.signer(each) for each in names],
            owner=[ring.signer(each) for each in ring.find(namespace.owner_keys)],
        )

    def publish(self, name: str = "acme/train", version: str = "1.0.0", **how: object) -> ReleaseFacts:
        """One release, sent."""
        facts, publication = self.draft(name, version, **how)  # type: ignore[arg-type]
        self.registry.accept(publication)
        return facts

    def rotate(self, namespace: str = "acme", *, to: str, is_revoked: bool = False) -> None:
        """Another release key in place of all that there were."""
        signed = self.namespace(namespace)
        former = {
            keyid: publishing.FormerKey(key=key, until=self.now, is_revoked=is_revoked)
            for keyid, key in signed.release_keys.items()
        }
        new = self.keys.create(to)
        signers = replace(self.signers(signed), release=[new])
        keys = ReleaseKeys(keys=[new.public_key], former=former)
        self.registry.accept(self.signed(signed, [], signers, keys=keys))

    def copy(self, name: str) -> Path:
        """All that is served, as a mirror has it at this moment."""
        target = self.folder / name
        shutil.copytree(
            self.folder / "registry", target, ignore=shutil.ignore_patterns("private"), symlinks=True
        )
        return target


def begin(folder: Path, *, now: datetime = NOON) -> World:
    """A registry with one namespace, `acme`, in which nothing is published yet."""
    world = World(folder, now=now.replace(microsecond=0)).begin()
    world.grant("acme")
    assert pin_root(open_transport(str(folder / "registry"))) == world.root
    return world
