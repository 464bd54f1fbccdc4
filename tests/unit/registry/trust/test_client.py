"""What a reader believes: attacks by a mirror, by who broke into the server, and by who stole a key."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registry_attacks import ATTACKS
from registry_world import World, begin
from windlass_registry.archive import pack
from windlass_registry.errors import OperatorError, WindlassError
from windlass_registry.layout import archive_path, metadata_path, statement_path
from windlass_registry.publication import Publication, Refused
from windlass_registry.releases import Yank
from windlass_registry.trust import publishing, roles
from windlass_registry.trust.client import pin_root
from windlass_registry.trust.explaining import TrustError
from windlass_registry.trust.keys import CryptoSigner
from windlass_registry.trust.transport import open_transport
from windlass_registry.versions import Version

YEAR = timedelta(days=365)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return begin(tmp_path)


def refused(world: World, *, reader: str = "reader", address: Path | None = None) -> TrustError:
    """Why a reader does not believe what is there."""
    with pytest.raises(TrustError) as caught:
        world.source(reader, address=address).releases("acme/train")
    return caught.value


def test_what_a_publisher_signed_is_read_and_fetched(world: World) -> None:
    facts = world.publish()
    (release,) = world.source().releases("acme/train")
    assert (release.version, release.digest, release.source) == (facts.version, facts.digest, "registry")
    assert release.load().manifest.name == "Train"


def test_a_namespace_that_nobody_owns_has_no_releases(world: World) -> None:
    assert not world.source().releases("nobody/train")
    assert not world.source().releases("acme/train")
    assert not world.source().releases("train")


def test_a_mirror_that_shows_an_older_state_is_not_believed_by_who_saw_a_newer(world: World) -> None:
    world.publish()
    old = world.copy("mirror")
    world.publish(version="1.0.1")
    assert len(world.source().releases("acme/train")) == 2
    error = refused(world, address=old)
    assert error.kind == "rollback"
    assert "older state" in error.message
    assert "mirror" in (error.remedy or "")


def test_a_mirror_that_stands_still_is_believed_until_the_timestamp_runs_out(world: World) -> None:
    world.publish()
    old = world.copy("mirror")
    world.later(days=6)
    assert world.source(address=old).releases("acme/train")
    world.later(days=2)
    error = refused(world, address=old)
    assert error.kind == "expired"
    assert "clock" in error.message


def test_a_registry_that_is_refreshed_never_runs_out(world: World) -> None:
    world.publish()
    for _ in range(20):
        world.later(days=3)
        world.registry.refresh()
        assert world.source().releases("acme/train")


def test_a_refresh_that_is_not_due_signs_nothing(world: World) -> None:
    world.publish()
    assert not world.registry.refresh()
    world.later(days=4)
    assert world.registry.refresh()


def test_a_clock_that_is_far_ahead_is_named_as_a_possible_cause(world: World) -> None:
    world.publish()
    world.later(days=6 * 365)
    error = refused(world)
    assert error.kind == "expired"
    assert "clock" in str(error)


def test_roles_of_two_moments_do_not_mix(world: World) -> None:
    world.publish()
    older = (world.folder / "registry" / metadata_path("acme.releases", 1)).read_bytes()
    world.publish(version="1.0.1")
    mixed = world.copy("mixed")
    (mixed / metadata_path("acme.releases", 2)).write_bytes(older)
    assert refused(world, address=mixed).kind == "rollback"


def test_an_archive_that_was_replaced_is_refused_and_not_kept(world: World) -> None:
    facts = world.publish()
    path = world.folder / "registry" / archive_path(facts.digest)
    for other in (b"x" * facts.size_bytes, b"short", path.read_bytes() + b"more"):
        path.write_bytes(other)
        (release,) = world.source().releases("acme/train")
        with pytest.raises(WindlassError, match="replaced"):
            release.load()
        with pytest.raises(TrustError) as caught:
            world.source().fetch(facts)
        assert caught.value.kind == "tampered"
    assert not (world.folder / "reader" / "store").exists()


def test_an_archive_without_an_end_is_cut_off_at_the_signed_length(world: World) -> None:
    facts = world.publish()
    path = world.folder / "registry" / archive_path(facts.digest)
    path.unlink()
    path.symlink_to("/dev/zero")
    (release,) = world.source().releases("acme/train")
    with pytest.raises(WindlassError, match="replaced"):
        release.load()


def test_a_mirror_without_an_archive_is_called_incomplete(world: World) -> None:
    facts = world.publish()
    (world.folder / "registry" / archive_path(facts.digest)).unlink()
    (release,) = world.source().releases("acme/train")
    with pytest.raises(TrustError, match="incomplete") as caught:
        release.load()
    assert caught.value.kind == "missing"


def test_a_mirror_without_a_role_is_called_incomplete(world: World) -> None:
    world.publish()
    mirror = world.copy("mirror")
    (mirror / metadata_path("acme.releases", 1)).unlink()
    assert refused(world, address=mirror).kind == "missing"


def test_a_statement_that_was_replaced_is_refused(world: World) -> None:
    facts = world.publish()
    path = world.folder / "registry" / statement_path(facts.statement)
    path.write_bytes(b"{}")
    with pytest.raises(TrustError, match="replaced"):
        world.source().statement(facts)


def forge(world: World, changed: dict[str, bytes], *, versions: dict[str, int]) -> None:
    """Write roles into the registry as somebody can who has its online keys and its disk."""
    folder = world.registry
    state = folder.roles()
    for name, content in changed.items():
        (folder.folder / metadata_path(name, versions[name])).write_bytes(content)
    newest = state.sign_newest(
        {**state.versions, **versions}, keys=folder.keys, now=world.now, lifetimes=roles.Lifetimes()
    )
    (folder.folder / metadata_path("snapshot", newest.snapshot_version)).write_bytes(newest.snapshot)
    (folder.folder / "metadata/timestamp.json").write_bytes(newest.timestamp)


def forged_list(world: World, signer: CryptoSigner) -> dict[str, bytes]:
    """The next list of releases, with one more, as somebody makes it who has another key."""
    signed = world.namespace()
    (real,) = signed.releases("acme/train")
    false = replace(real, version=Version.parse("6.6.6"), published=world.now)
    made = roles.make_releases([real, false], version=signed.version + 1, expires=world.now + YEAR)
    return {"acme.releases": roles.sign(made, [signer])}


def test_who_has_the_online_keys_cannot_make_a_release(world: World) -> None:
    world.publish()
    forge(world, forged_list(world, world.registry.keys.signer("online")), versions={"acme.releases": 2})
    error = refused(world)
    assert error.kind == "signature"
    assert "not signed" in error.message


def test_who_has_the_online_keys_cannot_give_a_namespace_away(world: World) -> None:
    world.publish()
    thief = world.keys.create("thief.owner")
    stolen = publishing.grant_publication(
        world.registry.roles().targets,
        "acme",
        [thief.public_key],
        badge="official",
        signers=[world.registry.keys.signer("online")],
        now=world.now,
    )
    forge(world, dict(stolen.roles), versions={"targets": 3})
    assert refused(world).kind == "signature"


def test_who_has_the_online_keys_cannot_take_a_reader_back(world: World) -> None:
    world.publish()
    world.publish(version="1.0.1")
    assert world.source().releases("acme/train")
    forge(world, {}, versions={"acme.releases": 1})
    assert refused(world).kind == "rollback"


def test_a_release_key_that_was_replaced_signs_nothing_any_more(world: World) -> None:
    world.publish()
    stolen = world.keys.signer("acme.release")
    world.rotate(to="acme.release-2", is_revoked=True)
    forged = forged_list(world, stolen)
    with pytest.raises(Refused, match="not signed by a release key") as caught:
        world.registry.accept(Publication(roles=forged))
    assert caught.value.why == "signature"
    forge(world, forged, versions={"acme.releases": 3})  # and where the server is the thief's as well
    assert refused(world).kind == "signature"


def test_readers_follow_a_change_of_the_release_key(world: World) -> None:
    world.publish()
    assert world.source().releases("acme/train")
    world.rotate(to="acme.release-2")
    world.publish(version="1.1.0")
    assert [str(each.version) for each in world.source().releases("acme/train")] == ["1.1.0", "1.0.0"]


def test_a_lost_owner_key_is_replaced_by_the_owner_of_the_registry(world: World) -> None:
    world.publish()
    owner, release = world.keys.create("new.owner"), world.keys.create("new.release")
    claim = publishing.claim_publication(world.namespace(), owner, release, now=world.now)
    world.grant("acme", owner=owner, claim=claim)
    (old,) = world.source().releases("acme/train")
    assert old.load().manifest.name == "Train"
    world.publish(version="1.1.0")
    assert len(world.source().releases("acme/train")) == 2


def test_a_namespace_with_releases_does_not_change_hands_without_its_new_owner(world: World) -> None:
    world.publish()
    with pytest.raises(Refused, match="new owner") as caught:
        world.grant("acme", owner=world.keys.create("new.owner"))
    assert caught.value.why == "signature"
    assert world.source().releases("acme/train")


def test_a_claim_alone_is_worth_nothing(world: World) -> None:
    world.publish()
    owner, release = world.keys.create("thief.owner"), world.keys.create("thief.release")
    claim = publishing.claim_publication(world.namespace(), owner, release, now=world.now)
    with pytest.raises(Refused) as caught:
        world.registry.accept(claim)
    assert caught.value.why == "signature"


def test_a_root_with_another_digest_than_told_is_refused(world: World) -> None:
    transport = open_transport(str(world.folder / "registry"))
    with pytest.raises(TrustError, match="begins with the root") as caught:
        pin_root(transport, expected="sha256:" + "0" * 64)
    assert caught.value.kind == "root"


def test_a_folder_that_is_no_registry_says_so(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="is no registry"):
        pin_root(open_transport(str(tmp_path)))


def test_another_registry_under_the_same_address_is_not_believed(world: World, tmp_path: Path) -> None:
    world.publish()
    assert world.source().releases("acme/train")
    other = begin(tmp_path / "other")
    other.publish()
    shutil.rmtree(world.folder / "registry")
    (tmp_path / "other" / "registry").rename(world.folder / "registry")
    assert refused(world).kind == "signature"


def change_keys(world: World, new: publishing.NewKeys, *, signer: str = "registry.root") -> None:
    """As `windlass registry rekey` does."""
    folder = world.registry
    state = folder.roles()
    root, targets = publishing.next_root(
        state.root, state.targets, new, signer=world.keys.signer(signer), now=world.now
    )
    folder.change_root(root, targets=targets)


def test_all_keys_of_the_registry_can_change_and_readers_follow(world: World) -> None:
    world.publish()
    assert world.source().releases("acme/train")
    thief = world.registry.keys.signer("online")
    new = publishing.NewKeys(
        root=world.keys.create("new.root"),
        targets=world.keys.create("new.targets"),
        online=world.registry.keys.create("online-2").public_key,
    )
    change_keys(world, new)
    assert world.registry.roles().root.version == 2
    assert thief.public_key.keyid not in world.registry.roles().root.keys
    world.publish(version="1.1.0")
    for reader in ("reader", "newcomer"):
        assert len(world.source(reader).releases("acme/train")) == 2
    with pytest.raises(Refused):
        world.grant("other")  # with the former key
    change_keys(world, publishing.NewKeys(root=world.keys.create("newer.root")), signer="new.root")
    assert len(world.source().releases("acme/train")) == 2


def test_a_change_of_keys_takes_the_roots_own_key(world: World) -> None:
    world.publish()
    with pytest.raises(Refused) as caught:
        change_keys(
            world, publishing.NewKeys(root=world.keys.create("thief.root")), signer="registry.targets"
        )
    assert caught.value.why == "signature"


def test_online_keys_that_were_replaced_sign_nothing_any_more(world: World) -> None:
    world.publish()
    assert world.source().releases("acme/train")
    before = world.registry.roles()
    change_keys(world, publishing.NewKeys(online=world.registry.keys.create("online-2").public_key))
    stolen = before.sign_newest(
        before.versions, keys=world.registry.keys, now=world.now, lifetimes=roles.Lifetimes()
    )
    mirror = world.copy("mirror")
    (mirror / "metadata/timestamp.json").write_bytes(stolen.timestamp)
    assert refused(world, address=mirror).kind == "signature"


def test_a_change_of_the_online_key_that_was_killed_is_mended_by_a_refresh(world: World) -> None:
    world.publish()
    folder = world.registry
    timestamp = (folder.folder / "metadata/timestamp.json").read_bytes()
    change_keys(world, publishing.NewKeys(online=folder.keys.create("online-2").public_key))
    (folder.folder / "metadata/timestamp.json").write_bytes(timestamp)
    assert refused(world, address=world.copy("as-it-was-left")).kind == "signature"
    assert folder.refresh()
    assert world.source("newcomer").releases("acme/train")


def test_without_a_network_what_was_read_last_is_still_checked(world: World) -> None:
    facts = world.publish()
    world.source().releases("acme/train")
    world.source().statement(facts)
    client = world.client()
    offline = type(client)(
        client.transport,
        root=world.root,
        cache=world.folder / "reader" / "cache",
        clock=world.clock,
        is_offline=True,
    )
    shutil.rmtree(world.folder / "registry")
    found = offline.namespace("acme")
    assert found is not None
    assert [each.digest for each in found.releases("acme/train")] == [facts.digest]
    assert offline.statement(facts)
    world.later(days=8)
    with pytest.raises(TrustError) as caught:
        type(client)(
            client.transport,
            root=world.root,
            cache=world.folder / "reader" / "cache",
            clock=world.clock,
            is_offline=True,
        ).refresh()
    assert caught.value.kind == "expired"


def test_what_was_read_last_is_known_without_asking(world: World) -> None:
    facts = world.publish()
    assert not world.source().known("acme/train")
    assert world.source().releases("acme/train")
    namespace = world.namespace()
    marked = replace(facts, yanked=Yank(reason="bad", at=world.now))
    world.registry.accept(world.signed(namespace, [marked], world.signers(namespace)))
    (before,) = world.source().known("acme/train")
    assert (before.digest, before.yanked) == (facts.digest, None)
    assert world.source().releases("acme/train")
    shutil.rmtree(world.registry.folder)
    (after,) = world.source().known("acme/train")
    assert after.yanked == "bad"
    assert not world.source().known("acme/other")
    assert not world.source().known("../../train")


def test_a_registry_that_is_gone_is_called_gone(world: World) -> None:
    world.publish()
    shutil.rmtree(world.registry.folder)
    error = refused(world)
    assert error.kind == "missing"
    assert "there is no registry" in error.message


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_that_publisher_and_registry_agreed_on_is_stopped_by_the_reader(
    world: World, attack: str
) -> None:
    archive = ATTACKS[attack]()
    facts, publication = world.draft(archive=archive)
    forge(world, dict(publication.roles), versions={"acme": 1, "acme.releases": 1})
    place = world.registry.folder / archive_path(facts.digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(archive)
    (release,) = world.source().releases("acme/train")
    with pytest.raises(WindlassError) as caught:
        release.load()
    assert str(caught.value).isprintable()
    store = world.folder / "reader" / "store"
    assert not store.exists() or not [
        path for path in store.rglob("*") if path.is_file() and path.stat().st_size
    ]


def test_a_registry_cannot_say_that_a_package_is_another(world: World) -> None:
    """The manifest has to use what was signed, or the lock would have pinned too little."""
    using = "name: n\nruns: {using: composite, steps: [{uses: 'script@v1'}]}\n"
    archive = pack(world.package(manifest=using))
    facts, publication = world.draft(archive=archive)
    forge(world, dict(publication.roles), versions={"acme": 1, "acme.releases": 1})
    place = world.registry.folder / archive_path(facts.digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(archive)
    (release,) = world.source().releases("acme/train")
    with pytest.raises(WindlassError, match="uses other actions"):
        release.load()


def test_an_owner_cannot_put_a_list_into_anothers_place(world: World) -> None:
    """A delegation may have any name, also that of another namespace's list: with the registry's help, a file
    for it is served. It is never taken for the other's."""
    world.grant("beta")
    world.publish()
    world.publish("beta/train")
    owner, release = world.keys.signer("acme.owner"), world.keys.signer("acme.release")
    (real,) = world.namespace("beta").releases("beta/train")
    false = replace(real, version=Version.parse("6.6.6"))
    expires = world.now + YEAR
    listed = roles.make_releases([real, false], version=2, expires=expires)
    made = roles.make_owner("beta", [release.public_key], threshold=1, former={}, version=2, expires=expires)
    assert made.delegations is not None
    assert made.delegations.roles is not None
    made.delegations.roles["beta.releases"].paths = ["acme/*/*"]
    forged = {"acme": roles.sign(made, [owner]), "beta.releases": roles.sign(listed, [release])}
    forge(world, forged, versions={"acme": 2, "beta.releases": 2})
    source = world.source()
    assert not source.releases("acme/train")
    with pytest.raises(TrustError) as caught:
        source.releases("beta/train")
    assert caught.value.kind == "signature"
