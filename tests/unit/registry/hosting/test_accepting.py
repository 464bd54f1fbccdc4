"""What a registry takes and what it refuses, whoever hands it over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registry_attacks import ATTACKS
from registry_world import MANIFEST, World, begin
from windlass_registry.archive import pack
from windlass_registry.errors import OperatorError
from windlass_registry.hosting.folder import KEPT_VERSIONS
from windlass_registry.layout import INDEX
from windlass_registry.publication import Publication, Refused, Why
from windlass_registry.releases import Deprecation, ReleaseFacts, Yank
from windlass_registry.trust import publishing, roles
from windlass_registry.trust.publishing import ReleaseKeys


@pytest.fixture
def world(tmp_path: Path) -> World:
    return begin(tmp_path)


def refusal(world: World, publication: Publication) -> Refused:
    """Why it is not taken; nothing is changed by it."""
    before = files(world)
    with pytest.raises(Refused) as caught:
        world.registry.accept(publication)
    assert files(world) == before
    return caught.value


def files(world: World) -> dict[str, bytes]:
    root = world.registry.folder
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def changed(world: World, *facts: ReleaseFacts) -> Publication:
    """The next list, with these in the place of what was there."""
    namespace = world.namespace()
    return world.signed(namespace, facts, world.signers(namespace))


def listed(world: World, *facts: ReleaseFacts) -> Publication:
    """A list of these releases and no others, signed by who may."""
    namespace = world.namespace()
    made = roles.make_releases(facts, version=namespace.version + 1, expires=world.now + timedelta(days=99))
    return Publication(roles={"acme.releases": roles.sign(made, world.signers(namespace).release)})


def test_a_release_is_taken_and_found(world: World) -> None:
    world.publish()
    world.publish("acme/predict", "0.1.0")
    assert world.source().names() == ("acme/predict", "acme/train")


def test_a_version_never_moves_to_other_content(world: World) -> None:
    world.publish()
    other = pack(world.package(manifest=MANIFEST + "# moved\n"))
    facts, _ = world.draft(archive=other)
    error = refusal(world, replace(changed(world, facts), archives={facts.digest: other}))
    assert error.why == "exists"
    assert "never changes" in (error.remedy or "")


def test_a_release_is_never_taken_away(world: World) -> None:
    world.publish()
    error = refusal(world, listed(world))
    assert error.why == "changed"
    assert error.remedy == "yank it"


@pytest.mark.parametrize(
    "change",
    [
        {"notes": "something else"},
        {"summary": "something else"},
        {"uses": ("script@v1",)},
        {"statement": "sha256:" + "0" * 64},
        {"size_bytes": 7},
        {"kind": "sample"},
    ],
)
def test_what_was_said_of_a_release_never_changes(world: World, change: dict[str, object]) -> None:
    facts = world.publish()
    assert refusal(world, changed(world, replace(facts, **change))).why == "changed"  # type: ignore[arg-type]


def test_a_release_is_yanked_and_unyanked_by_its_publisher(world: World) -> None:
    facts = world.publish()
    world.registry.accept(changed(world, replace(facts, yanked=Yank(reason="bad", at=world.now))))
    (release,) = world.source("one").releases("acme/train")
    assert release.yanked == "bad"
    world.registry.accept(changed(world, facts))
    (release,) = world.source("two").releases("acme/train")
    assert release.yanked is None


def test_a_release_is_deprecated_with_its_successor(world: World) -> None:
    facts = world.publish()
    mark = Deprecation(successor="acme/fit@v1", reason="renamed")
    world.registry.accept(changed(world, replace(facts, deprecated=mark)))
    (release,) = world.source().releases("acme/train")
    assert release.deprecated == "acme/fit@v1"


def test_two_publishers_race_for_a_version_and_one_wins(world: World) -> None:
    world.publish()
    _, first = world.draft(version="1.1.0")
    _, second = world.draft(version="1.1.0", archive=pack(world.package(manifest=MANIFEST + "# mine\n")))
    world.registry.accept(first)
    assert refusal(world, second).why == "outdated"
    _, again = world.draft(version="1.1.0", archive=pack(world.package(manifest=MANIFEST + "# mine\n")))
    assert refusal(world, again).why == "exists"


def test_a_publisher_whom_another_overtook_signs_again_on_top(world: World) -> None:
    world.publish()
    _, first = world.draft(version="1.1.0")
    _, second = world.draft(version="1.2.0")
    world.registry.accept(first)
    assert refusal(world, second).why == "outdated"
    world.publish(version="1.2.0")
    assert len(world.source().releases("acme/train")) == 3


def test_the_same_publication_twice_is_outdated(world: World) -> None:
    _, publication = world.draft()
    world.registry.accept(publication)
    assert refusal(world, publication).why == "outdated"


def test_two_versions_that_differ_in_build_metadata_alone_are_one(world: World) -> None:
    world.publish(version="1.0.0")
    _, publication = world.draft(version="1.0.0+again")
    assert refusal(world, publication).why == "exists"


def test_a_namespace_of_nobody_takes_nothing(world: World) -> None:
    _, publication = world.draft()
    stolen = {name.replace("acme", "other"): content for name, content in publication.roles.items()}
    error = refusal(world, replace(publication, roles=stolen))
    assert error.why == "signature"
    assert "registry grant other" in (error.remedy or "")


def test_a_release_of_another_namespace_is_refused(world: World) -> None:
    world.grant("other")
    world.publish("other/train")
    (theirs,) = world.namespace("other").releases("other/train")
    world.publish()
    (ours,) = world.namespace().releases("acme/train")
    assert refusal(world, listed(world, ours, theirs)).why == "name"


def test_an_owner_signs_who_may_publish_and_nothing_else(world: World) -> None:
    facts, publication = world.draft()
    owner = world.keys.signer("acme.owner")
    with_release = roles.make_owner(
        "acme", [owner.public_key], threshold=1, former={}, version=1, expires=world.now + timedelta(days=99)
    )
    with_release.targets = roles.make_releases([facts], version=1, expires=world.now).targets
    broken = {**publication.roles, "acme": roles.sign(with_release, [owner])}
    assert refusal(world, replace(publication, roles=broken)).why == "form"


def test_an_owner_cannot_reach_into_other_namespaces(world: World) -> None:
    _, publication = world.draft()
    owner, release = world.keys.signer("acme.owner"), world.keys.signer("acme.release")
    wide = roles.make_owner(
        "acme",
        [release.public_key],
        threshold=1,
        former={},
        version=1,
        expires=world.now + timedelta(days=99),
    )
    assert wide.delegations is not None
    assert wide.delegations.roles is not None
    wide.delegations.roles["acme.releases"].paths = ["*/*/*"]
    broken = {**publication.roles, "acme": roles.sign(wide, [owner])}
    assert refusal(world, replace(publication, roles=broken)).why == "form"


def test_a_threshold_takes_so_many_signatures(world: World) -> None:
    world.publish()
    namespace = world.namespace()
    second = world.keys.create("acme.release-2")
    first = world.keys.signer("acme.release")
    both = replace(world.signers(namespace), release=[first, second])
    keys = ReleaseKeys(keys=[first.public_key, second.public_key], threshold=2)
    world.registry.accept(world.signed(namespace, [], both, keys=keys))
    world.publish(version="1.1.0")
    assert len(world.source().releases("acme/train")) == 2
    made = roles.make_releases(
        world.namespace().all_releases().values(), version=4, expires=world.now + timedelta(days=9)
    )
    alone = Publication(roles={"acme.releases": roles.sign(made, [first])})
    assert refusal(world, alone).why == "signature"


def test_new_release_keys_come_with_the_list_that_they_sign(world: World) -> None:
    world.publish()
    namespace = world.namespace()
    new = world.keys.create("acme.release-2")
    signers = replace(world.signers(namespace), release=[new])
    publication = world.signed(namespace, [], signers, keys=ReleaseKeys(keys=[new.public_key]))
    alone = Publication(roles={"acme": publication.roles["acme"]})
    assert refusal(world, alone).why == "form"


@pytest.mark.parametrize("minutes", [-11, 11])
def test_a_release_is_published_now_and_at_no_other_time(world: World, minutes: int) -> None:
    _, publication = world.draft()
    world.later(minutes=minutes)
    error = refusal(world, publication)
    assert error.why == "clock"
    assert "clock" in (error.remedy or "")


def test_bytes_that_nothing_names_are_refused(world: World) -> None:
    _, publication = world.draft()
    more = {**publication.archives, "sha256:" + "0" * 64: b"hello"}
    assert refusal(world, replace(publication, archives=more)).why == "archive"
    assert refusal(world, replace(publication, archives={})).why == "archive"
    assert refusal(world, replace(publication, statements={})).why == "archive"


def test_a_statement_about_another_release_is_refused(world: World) -> None:
    _, other = world.draft(version="2.0.0")
    facts, publication = world.draft()
    (statement,) = other.statements
    moved = replace(facts, statement=statement)
    namespace = world.namespace()
    wrong = world.signed(
        namespace,
        [moved],
        world.signers(namespace),
        archives=publication.archives,
        statements=other.statements,
    )
    assert refusal(world, wrong).why == "archive"


def test_a_manifest_that_says_another_version_is_refused(world: World) -> None:
    archive = pack(world.package(manifest=MANIFEST + "version: 2.0.0\n"))
    _, publication = world.draft(archive=archive)
    assert refusal(world, publication).why == "manifest"


def test_a_manifest_that_uses_other_actions_than_signed_is_refused(world: World) -> None:
    using = "name: n\nruns: {using: composite, steps: [{uses: 'script@v1'}]}\n"
    _, publication = world.draft(archive=pack(world.package(manifest=using)))
    assert refusal(world, publication).why == "manifest"
    world.publish(archive=pack(world.package(manifest=using)), uses=["script@v1"])


def test_a_package_that_uses_a_folder_of_its_own_repository_is_refused(world: World) -> None:
    using = "name: n\nruns: {using: composite, steps: [{uses: ./other}]}\n"
    _, publication = world.draft(archive=pack(world.package(manifest=using)), uses=["./other"])
    error = refusal(world, publication)
    assert error.why == "manifest"
    assert "nobody else has" in error.message


def test_a_folder_without_a_manifest_is_no_action(world: World) -> None:
    folder = world.package()
    (folder / "action.yml").rename(folder / "other.yml")
    _, publication = world.draft(archive=pack(folder))
    assert refusal(world, publication).why == "manifest"


def test_roles_that_are_no_roles_are_refused(world: World) -> None:
    for content in (b"", b"{}", b"[" * 100_000, b'{"signed": {}, "signatures": []}', b"\xff"):
        assert refusal(world, Publication(roles={"acme.releases": content})).why == "form"
    assert refusal(world, Publication(roles={})).why == "form"


@pytest.mark.parametrize("name", ["root", "snapshot", "timestamp", "../acme", "acme.releases.releases"])
def test_no_publication_brings_the_registrys_own_roles(world: World, name: str) -> None:
    _, publication = world.draft()
    stolen = Publication(roles={name: publication.roles["acme.releases"]})
    assert refusal(world, stolen).why in ("form", "signature", "outdated")


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_archive_that_is_an_attack_is_refused(world: World, attack: str) -> None:
    _, publication = world.draft(archive=ATTACKS[attack]())
    error = refusal(world, publication)
    assert error.why == "archive"
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("acme/trian", "name"),
        ("acme/tra1n", "name"),
        ("acme/evalute", "name"),
        ("acme/Train", "name"),
        ("acme/tr\u0430in", "name"),  # a Cyrillic letter
        ("acme/train\u200b", "name"),  # nothing to be seen
        ("acme/" + "x" * 40, "name"),
    ],
)
def test_a_name_that_reads_like_another_is_refused(world: World, name: str, why: Why) -> None:
    _, publication = world.draft(name)
    assert refusal(world, publication).why == why


def test_the_same_package_in_a_namespace_that_reads_alike_is_refused(world: World) -> None:
    world.grant("acrne")  # whoever grants it is asked before; see the command
    world.publish()
    _, publication = world.draft("acrne/train")
    error = refusal(world, publication)
    assert error.why == "name"
    assert "acme/train" in error.message
    world.publish("acrne/something-else")


def test_a_package_that_is_there_keeps_its_name(world: World) -> None:
    """A built-in action of a later Windlass may be alike: that locks nobody out of their own package."""
    world.publish("acme/streamline")
    world.builtin = ("streamlines",)
    world.publish("acme/streamline", "1.1.0")


@pytest.mark.parametrize(
    "name", ["root", "snapshot", "timestamp", "targets", "windlass", "a--b", "Acme", "-a", ""]
)
def test_a_namespace_that_cannot_be_is_not_granted(world: World, name: str) -> None:
    with pytest.raises(Refused) as caught:
        world.grant(name, owner=world.keys.signer("acme.owner"))
    assert caught.value.why == "name"


def test_a_grant_is_signed_by_the_registrys_owner(world: World) -> None:
    publication = publishing.grant_publication(
        world.registry.roles().targets,
        "other",
        [world.keys.create("other.owner").public_key],
        badge=None,
        signers=[world.keys.signer("acme.owner")],
        now=world.now,
    )
    assert refusal(world, publication).why == "signature"


def test_a_folder_without_a_registry_takes_nothing(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="registry init"):
        World(tmp_path).registry.accept(Publication(roles={"acme": b"{}"}))


def test_the_index_is_made_anew_where_it_is_lost_or_of_another_state(world: World) -> None:
    world.publish()
    path = world.registry.folder / INDEX
    whole = path.read_bytes()
    for broken in (b"", b"{}", whole.replace(b'"snapshot":3', b'"snapshot":2'), b"[1"):
        path.write_bytes(broken)
        world.later(days=5)
        assert world.registry.refresh()
        assert b"acme/train" in path.read_bytes()


def test_old_versions_of_the_roles_do_not_fill_the_disk(world: World) -> None:
    facts = world.publish()
    for number in range(KEPT_VERSIONS + 5):
        world.registry.accept(changed(world, replace(facts, yanked=Yank(reason=str(number), at=world.now))))
    kept = sorted(path.name for path in (world.registry.folder / "metadata").iterdir())
    assert len([name for name in kept if name.endswith(".acme.releases.json")]) == KEPT_VERSIONS
    assert len([name for name in kept if name.endswith(".snapshot.json")]) == KEPT_VERSIONS
    assert {"1.root.json", "1.acme.json", "2.targets.json", "timestamp.json"} < set(kept)
    (release,) = world.source().releases("acme/train")
    assert release.yanked == str(KEPT_VERSIONS + 4)
