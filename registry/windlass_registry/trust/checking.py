"""Whether a registry may take a publication: the rules of every change of what is signed.

Pure but for the reading of the roles as they stand. A registry that runs this keeps out what clients
would refuse anyway, and what only it can know: that nothing published is changed or taken away.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Targets

from windlass_registry.names import check_likeness, check_name, check_namespace, is_namespace
from windlass_registry.publication import Publication, Refused
from windlass_registry.releases import ReleaseError, ReleaseFacts
from windlass_registry.trust import roles
from windlass_registry.trust.hosted import HostedRoles, RoleError, parse_role
from windlass_registry.trust.release_checks import check_archive, check_statement

ROLE_BYTES: Final = 32_000_000
CLOCK_TOLERANCE: Final = timedelta(minutes=10)
_AGAIN: Final = "fetch the newest state and make it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a publication changes, all of it in order."""

    roles: Mapping[str, tuple[int, bytes]]
    """Version and bytes of each new role."""
    added: tuple[ReleaseFacts, ...]
    namespaces: tuple[str, ...]
    """Those that have something new."""
    has_targets: bool


class Checking:
    """One registry at one moment. `names` are all packages that it has, for the look-alikes."""

    def __init__(
        self, state: HostedRoles, *, now: datetime, builtin: Collection[str], names: Collection[str]
    ) -> None:
        self._state = state
        self._now = now
        self._builtin = builtin
        self._names = names

    def check(self, publication: Publication) -> Checked:
        """What the publication changes.

        Raises:
            Refused: the first rule that it breaks.
        """
        if not publication.roles:
            raise Refused("the publication holds no signed role", why="form")
        for name in publication.roles:
            if name != "targets" and not is_namespace(roles.namespace_of(name)):
                raise Refused(f"{name!a} is no role that is published", why="form")
        parsed = {name: self._parse(name, content) for name, content in publication.roles.items()}
        targets = parsed.pop("targets", None)
        if targets is not None:
            self._check_targets(targets)
        namespaces = tuple(sorted({roles.namespace_of(name) for name in parsed}))
        if targets is not None:
            self._check_handovers(targets.signed, namespaces)
        current = targets.signed if targets is not None else self._state.targets
        added: list[ReleaseFacts] = []
        for namespace in namespaces:
            added += self._check_namespace(namespace, parsed, current, publication)
        self._check_nothing_more(publication, added)
        everything = dict(parsed) if targets is None else {**parsed, "targets": targets}
        return Checked(
            roles={name: (each.signed.version, publication.roles[name]) for name, each in everything.items()},
            added=tuple(added),
            namespaces=namespaces,
            has_targets=targets is not None,
        )

    def _parse(self, name: str, content: bytes) -> Metadata[Targets]:
        if len(content) > ROLE_BYTES:
            raise Refused(f"the role '{name}' has more than {ROLE_BYTES:,} bytes", why="size")
        try:
            found = parse_role(content, Targets)
        except RoleError as error:
            raise Refused(f"the role '{name}': {error}", why="form") from error
        before = self._state.versions.get(name, 0)
        if found.signed.version != before + 1:
            raise Refused(
                f"'{name}' is at version {before} here, and cannot become {found.signed.version}: somebody "
                "published in the meantime",
                why="outdated",
                remedy=_AGAIN,
            )
        if found.signed.expires <= self._now + timedelta(days=1):
            raise Refused(f"the signature of '{name}' runs out at once", why="clock", remedy="set the clock")
        return found

    def _check_targets(self, new: Metadata[Targets]) -> None:
        self._verify(self._state.root, "targets", new, who="the registry's owner")
        if new.signed.targets:
            raise Refused("the registry's owner signs namespaces, no releases", why="form")
        for name in roles.role_names(new.signed):
            check_namespace(name)
            _check_delegation(new.signed, name, name)
        gone = set(self._state.namespaces()) - set(roles.role_names(new.signed))
        if gone:
            raise Refused(f"the namespace '{min(gone)}' has releases and cannot go", why="changed")

    def _check_handovers(self, new: Targets, namespaces: Collection[str]) -> None:
        """A namespace that gets another owner needs their signature in the same step: without it nobody would
        believe what is published there."""
        for name in self._state.namespaces():
            before = self._state.targets.get_delegated_role(name)
            after = new.get_delegated_role(name)
            if set(before.keyids) != set(after.keyids) and name not in namespaces:
                raise Refused(
                    f"'{name}' has releases, which its new owner has to sign for in the same step",
                    why="signature",
                    remedy=f"let the new owner make a claim with 'windlass keys claim {name}', and give it "
                    "with --claim",
                )

    def _check_namespace(
        self,
        namespace: str,
        parsed: Mapping[str, Metadata[Targets]],
        targets: Targets,
        publication: Publication,
    ) -> list[ReleaseFacts]:
        if namespace not in roles.role_names(targets):
            raise Refused(
                f"nobody owns the namespace '{namespace}' here",
                why="signature",
                remedy="send the registry's owner your .pub file, for 'windlass registry grant "
                f"{namespace} --key FILE'",
            )
        listed_name = roles.releases_role(namespace)
        owner = self._state.role(namespace)
        if namespace in parsed:
            self._verify(targets, namespace, parsed[namespace], who="the namespace's owner")
            owner = parsed[namespace].signed
            if owner.targets or roles.role_names(owner) != (listed_name,):
                raise Refused(
                    f"the owner of '{namespace}' signs who may publish, and nothing else", why="form"
                )
            _check_delegation(owner, listed_name, namespace)
        if owner is None:
            raise Refused(f"'{namespace}' has no release key yet", why="signature")
        return self._check_releases(namespace, owner, parsed.get(listed_name), publication)

    def _check_releases(
        self, namespace: str, owner: Targets, new: Metadata[Targets] | None, publication: Publication
    ) -> list[ReleaseFacts]:
        name = roles.releases_role(namespace)
        if new is None:
            raise Refused(
                f"the list of releases of '{namespace}' is missing: new release keys have to sign it anew",
                why="form",
            )
        self._verify(owner, name, new, who=f"a release key of '{namespace}'")
        if new.signed.delegations is not None:
            raise Refused(f"'{name}' signs releases, and nothing else", why="form")
        added = _added(namespace, self._state.role(name), new.signed)
        for facts in added:
            self._check_release(facts, owner, publication)
        return added

    def _check_release(self, facts: ReleaseFacts, owner: Targets, publication: Publication) -> None:
        if facts.name not in self._names:
            check_name(facts.name)
            check_likeness(facts.name, builtin=self._builtin, existing=self._names)
        if abs(facts.published - self._now) > CLOCK_TOLERANCE:
            raise Refused(
                f"{facts.path} says that it was published at {facts.published:%Y-%m-%d %H:%M} UTC; "
                f"here it is {self._now:%Y-%m-%d %H:%M} UTC",
                why="clock",
                remedy="set the clock of the machine that publishes",
            )
        if facts.yanked is not None:
            raise Refused(f"{facts.path} is new and already yanked", why="form")
        check_archive(facts, publication)
        check_statement(facts, owner, publication)

    def _check_nothing_more(self, publication: Publication, added: list[ReleaseFacts]) -> None:
        """Bytes that nothing signed names are nobody's to keep."""
        if set(publication.archives) - {facts.digest for facts in added}:
            raise Refused("an archive that no new release names", why="archive")
        if set(publication.statements) - {facts.statement for facts in added}:
            raise Refused("a statement that no new release names", why="archive")

    def _verify(self, delegator: Root | Targets, name: str, new: Metadata[Targets], *, who: str) -> None:
        try:
            delegator.verify_delegate(name, new.signed_bytes, new.signatures)
        except (UnsignedMetadataError, ValueError) as error:
            raise Refused(
                f"'{name}' is not signed by {who} ({error})",
                why="signature",
                remedy="'windlass keys list' shows which keys are here",
            ) from error


def check_root(state: HostedRoles, content: bytes, targets: bytes | None) -> Root:
    """The next root of a registry, and the `targets` that goes with it, checked against the one before.

    Raises:
        Refused: it is not the next, or not signed by enough keys of both; or `targets` does not fit.
    """
    try:
        new = parse_role(content, Root)
        state.root.verify_delegate("root", new.signed_bytes, new.signatures)
        new.signed.verify_delegate("root", new.signed_bytes, new.signatures)
    except RoleError as error:
        raise Refused(f"the root: {error}", why="form") from error
    except UnsignedMetadataError as error:
        raise Refused(
            f"the root is not signed by the one before and by itself ({error})", why="signature"
        ) from error
    if new.signed.version != state.root.version + 1:
        raise Refused(f"the root is at version {state.root.version} here", why="outdated", remedy=_AGAIN)
    try:
        if targets is not None:
            signed = parse_role(targets, Targets)
            new.signed.verify_delegate("targets", signed.signed_bytes, signed.signatures)
        keys = set(new.signed.get_delegated_role("targets").keyids)
        if targets is None and keys != set(state.root.get_delegated_role("targets").keyids):
            raise Refused("another key of 'targets' has to sign it in the same step", why="signature")
    except (RoleError, UnsignedMetadataError) as error:
        raise Refused(
            f"'targets' is not signed by the key that the root names ({error})", why="signature"
        ) from error
    return new.signed


def _check_delegation(delegator: Targets, role: str, namespace: str) -> None:
    """A namespace is one delegation of its own paths: nobody can slip in another's."""
    found = delegator.get_delegated_role(role)
    paths = getattr(found, "paths", None)
    if paths != [f"{namespace}/*/*"] or not getattr(found, "terminating", False):
        raise Refused(f"the delegation to '{role}' is not one of '{namespace}/*/*' alone", why="form")
    if not 1 <= found.threshold <= len(found.keyids):
        raise Refused(
            f"'{role}' takes {found.threshold} signatures and has {len(found.keyids)} keys", why="form"
        )


def _added(namespace: str, before: Targets | None, new: Targets) -> list[ReleaseFacts]:
    """The releases that are new, after the check that all others are what they were.

    Those that did not change are not read: a namespace may have thousands.
    """
    old = before.targets if before is not None else {}
    for path in old:
        if path not in new.targets:
            raise Refused(f"{path} is published and cannot be taken away", why="changed", remedy="yank it")
    try:
        now = {path: roles.read_target(each) for path, each in new.targets.items() if old.get(path) != each}
        was = {path: roles.read_target(old[path]) for path in now if path in old}
    except ReleaseError as error:
        raise Refused(str(error), why="form") from error
    for path, facts in was.items():
        _refuse_change(facts, now[path])
    added = [facts for path, facts in now.items() if path not in old]
    for facts in added:
        if facts.namespace != namespace:
            raise Refused(f"{facts.path} is not in the namespace '{namespace}'", why="name")
    _refuse_twins(new, added)
    return added


def _refuse_change(old: ReleaseFacts, new: ReleaseFacts) -> None:
    """Of a release that is out nothing changes but whether to use it."""
    if new.digest != old.digest:
        raise Refused(
            f"{old.path} is published already, with other content ({old.digest[:19]}…)",
            why="exists",
            remedy="publish a new version: one that is out never changes",
        )
    if new.unmarked() != old.unmarked():
        raise Refused(f"{old.path} is published, and what was said of it cannot change", why="changed")


def _refuse_twins(new: Targets, added: list[ReleaseFacts]) -> None:
    """Versions that differ in nothing but build metadata are one version to every range."""
    names = {facts.name for facts in added}
    seen: dict[tuple[str, str], str] = {}
    for path in new.targets:
        name, _, version = path.rpartition("/")
        if name not in names:
            continue
        twin = seen.setdefault((name, version.partition("+")[0]), path)
        if twin != path:
            raise Refused(f"{path} and {twin} are one version to every range", why="exists")
