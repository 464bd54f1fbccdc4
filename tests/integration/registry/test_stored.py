"""A registry whose public files lie in a bucket: published to, read, and in every kind of trouble."""

from __future__ import annotations

import json
import os
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import registry_world
from integration.actions.s3_server import Server, running_server
from integration.registry.served import serving
from integration.registry.stored import FaultyWay, another_machine, faulty_way, move, settings_for
from registry_world import World
from windlass_registry.archive import pack
from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_registry.hosting.bucket import BucketFiles, probe
from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.hosting.mirror import mirror
from windlass_registry.hosting.moving import move_to_store
from windlass_registry.hosting.store_settings import STORE, StoreSettings
from windlass_registry.layout import TIMESTAMP, archive_path, metadata_path
from windlass_registry.publication import Refused
from windlass_registry.releases import Yank
from windlass_registry.server.keeping import trouble_of
from windlass_registry.server_publishing import ServerPublishing
from windlass_registry.trust.client import TrustError
from windlass_registry.trust.transport import open_transport


@pytest.fixture(scope="module")
def store() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def settings(store: Server, tmp_path: Path) -> StoreSettings:
    store.check_who_asks(on=True)
    return settings_for(store, tmp_path / "settings", prefix=f"registries/{tmp_path.name}")


@pytest.fixture
def world(tmp_path: Path, settings: StoreSettings) -> World:
    """One release, all of it in the bucket."""
    world = registry_world.begin(tmp_path / "world")
    world.publish()
    move(world, settings)
    return world


@pytest.fixture
def way(store: Server, world: World, settings: StoreSettings) -> Iterator[FaultyWay]:
    """The world's registry behind a way that can fail."""
    with faulty_way(store) as way:
        reached = replace(settings, endpoint=way.endpoint)
        (world.registry.folder / STORE).write_text(reached.to_text())
        yield way


def versions(world: World, reader: str, **how: Any) -> list[str]:
    releases = world.source(reader, **how).releases("acme/train")
    for release in releases:
        release.load()
    return [str(each.version) for each in releases]


def test_what_is_published_is_found_fetched_copied_and_yanked(world: World) -> None:
    with serving(world) as served:
        publishing = ServerPublishing(served.address, token=served.token())
        _, publication = world.draft(version="1.1.0", archive=pack(world.package(more="x")))
        publishing.accept(publication)
        assert versions(world, "far", address=served.address) == ["1.1.0", "1.0.0"]
        found = served.call("/api/v1/packages?q=train").json
        assert [(one["name"], one["version"]) for one in found["packages"]] == [("acme/train", "1.1.0")]
        assert world.source("far", address=served.address).names() == ("acme/train",)
        page = served.call("/acme/train")
        assert (page.status, b"1.1.0" in page.body) == (200, True)

        copy = world.folder / "mirror"
        made = mirror(
            open_transport(served.address),
            copy,
            root=world.root,
            cache=world.folder / "mirror-cache",
            clock=world.clock,
        )
        assert made.packages == 2
        assert versions(world, "carried", address=copy) == ["1.1.0", "1.0.0"]

        newest = world.namespace().releases("acme/train")[0]
        yanked = replace(newest, yanked=Yank(reason="wrong", at=world.now))
        namespace = world.namespace()
        publishing.accept(world.signed(namespace, [yanked], world.signers(namespace)))
        seen = world.source("later", address=served.address).releases("acme/train")
        assert [each.yanked is not None for each in seen] == [True, False]
    assert not [path for path in world.registry.folder.iterdir() if path.name not in ("private", STORE)]


def test_the_bucket_itself_is_a_mirror(world: World, store: Server, settings: StoreSettings) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    statement = {**everybody, "Resource": f"arn:aws:s3:::{settings.bucket}/{settings.prefix}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client: Any = BucketFiles(settings)._client()
    client.put_bucket_policy(Bucket=settings.bucket, Policy=policy)
    store.check_who_asks(on=False)  # a reader has no keys
    address = f"{settings.endpoint}/{settings.bucket}/{settings.prefix}"
    assert versions(world, "at the bucket", address=address) == ["1.0.0"]


def test_bytes_that_somebody_replaced_in_the_bucket_are_not_believed(
    world: World, settings: StoreSettings
) -> None:
    files, other = BucketFiles(settings), metadata_path("acme.releases", 1)
    before = files.read(other)
    assert before is not None
    files.put(other, before.replace(b"1.0.0", b"6.6.6"))
    with pytest.raises(TrustError):
        versions(world, "reader")


def test_a_file_is_served_as_a_web_server_would(world: World, settings: StoreSettings) -> None:
    (facts,) = world.namespace().releases("acme/train")
    path = archive_path(facts.digest)
    content = BucketFiles(settings).read(path)
    assert content is not None
    with serving(world) as served:
        whole = served.call(f"/{path}")
        assert (whole.status, whole.body) == (200, content)
        assert int(whole.headers["Content-Length"]) == len(content)
        assert "immutable" in whole.headers["Cache-Control"]
        assert served.call(f"/{TIMESTAMP}").headers["Cache-Control"] == "no-cache"
        known = {"If-None-Match": whole.headers["ETag"]}
        assert (served.call(f"/{path}", headers=known).status) == 304
        head = served.call(f"/{path}", method="HEAD")
        assert (head.headers["Content-Length"], head.body) == (str(len(content)), b"")
        for span, begin, end in (("10-19", 10, 20), ("100-", 100, None), ("-7", -7, None)):
            piece = served.call(f"/{path}", headers={"Range": f"bytes={span}"})
            assert (piece.status, piece.body) == (206, content[begin:end])
            assert piece.headers["Content-Range"].endswith(f"/{len(content)}")
        late = served.call(f"/{path}", headers={"Range": f"bytes={len(content)}-"})
        assert (late.status, late.headers["Content-Range"]) == (416, f"bytes */{len(content)}")
        for span in ("1-2,4-5", f"{'9' * 5000}-"):
            assert served.call(f"/{path}", headers={"Range": f"bytes={span}"}).body == content
        for none in ("/metadata/99.root.json", "/metadata/../private/online.key", "/private/online.key"):
            assert served.call(none).status == 404, none


def test_a_store_that_stumbles_is_asked_again(world: World, way: FaultyWay) -> None:
    left = {"500": 1, "away": 1, "short": 1, "lost": 1}

    def spoil(method: str, path: str) -> str:
        short = ("short",) if path.endswith(TIMESTAMP) and method == "GET" else ()
        wanted = ("500", "away", "lost") if method == "PUT" else (*short, "500", "away")
        fault = next((name for name in wanted if left[name]), "")
        if fault:
            left[fault] -= 1
        return fault

    way.spoil = spoil
    world.publish(version="1.1.0")
    assert versions(world, "reader") == ["1.1.0", "1.0.0"]
    assert not any(left.values())


def test_a_commit_whose_answer_was_lost_was_done(world: World, way: FaultyWay) -> None:
    lost = []

    def spoil(method: str, path: str) -> str:
        if method == "PUT" and path.endswith(TIMESTAMP) and not lost:
            lost.append(path)
            return "lost"
        return ""

    way.spoil = spoil
    world.publish(version="1.1.0")
    assert lost
    assert versions(world, "reader") == ["1.1.0", "1.0.0"]


def test_an_archive_that_breaks_off_is_taken_up_where_it_did(
    world: World, way: FaultyWay, capfd: pytest.CaptureFixture[str]
) -> None:
    big = world.package()
    (big / "big").write_bytes(os.urandom(3 << 20))
    archive = pack(big)
    facts = world.publish(version="1.1.0", archive=archive)
    breaks = []

    def spoil(method: str, path: str) -> str:
        if "/packages/" in path and len(breaks) < 2:
            breaks.append(path)
            return "short"
        return ""

    way.spoil = spoil
    with serving(world) as served:
        assert served.call(f"/{archive_path(facts.digest)}").body == archive
        assert len(breaks) == 2
        way.spoil = lambda method, path: "short" if "/packages/" in path else ""
        release = world.source("reader", address=served.address).releases("acme/train")[0]
        with pytest.raises(UpstreamError, match="does not answer"):  # it does not take less for all
            release.load()
        way.spoil = lambda method, path: ""
        release.load()
    assert "Traceback" not in capfd.readouterr().err


def test_a_store_that_is_away_is_told_and_nothing_is_lost(world: World, way: FaultyWay) -> None:
    _, publication = world.draft(version="1.1.0", archive=pack(world.package(more="x")))
    with serving(world) as served:
        publishing = ServerPublishing(served.address, token=served.token())
        way.spoil = lambda method, path: "away"
        with pytest.raises(UpstreamError, match="does not answer; see whether it runs, and 'endpoint'"):
            publishing.accept(publication)
        for path in (f"/{TIMESTAMP}", "/api/v1/packages?q=", "/api/v1/packages/acme/train"):
            answer = served.call(path)
            assert (answer.status, bool(answer.headers["Retry-After"])) == (503, True), path
        assert served.call("/acme/train").status == 503
        assert "does not answer" in (trouble_of(world.registry, now=world.now) or "")
        way.spoil = lambda method, path: ""
        assert trouble_of(world.registry, now=world.now) is None
        publishing.accept(publication)
        assert versions(world, "reader", address=served.address) == ["1.1.0", "1.0.0"]
    world.later(days=8)
    assert "its signatures ended on" in (trouble_of(world.registry, now=world.now) or "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user": "nobody"}, "403 AccessDenied; allow s3:ListBucket on the bucket"),
        ({"bucket": "missing"}, "404 NoSuchBucket; make the bucket, or mend 'url'"),
        ({"key": "AKIAWRONG"}, "InvalidAccessKeyId; the store does not know this key: mend its credentials"),
        ({"secret": "wrong-secret"}, "SignatureDoesNotMatch; the secret is not that of the key"),
    ],
)
def test_what_its_owner_has_to_mend_is_said_and_no_secret(
    world: World, store: Server, settings: StoreSettings, change: dict[str, str], said: str
) -> None:
    key, secret = store.keys[change.get("user", "reader")]
    key, secret = change.get("key", key), change.get("secret", secret)
    assert settings.credentials is not None
    settings.credentials.write_text(
        f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    )
    wrong = replace(settings, bucket=change.get("bucket", settings.bucket))
    (world.registry.folder / STORE).write_text(wrong.to_text())
    with serving(world) as served:
        answer = served.call("/api/v1/packages?q=")
        told = f"{answer.json['detail']}; {answer.json['remedy']}"
        assert (answer.status, said in told) == (503, True), told
        assert not [text for text in (secret, key, "arn:") if text in told]
    with pytest.raises(OperatorError) as caught:
        world.registry.refresh(is_forced=True)
    assert said in str(caught.value)


def test_keys_that_were_renewed_are_read_again(world: World, store: Server, settings: StoreSettings) -> None:
    path = settings.credentials
    assert path is not None
    right, files = path.read_text(), BucketFiles(settings)
    path.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = old\n")
    with pytest.raises(OperatorError):
        files.read(TIMESTAMP)
    path.write_text(right)
    assert files.read(TIMESTAMP) is not None


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Do it in a process that is killed before its `step`th write; whether it came that far."""
    child = os.fork()
    if child == 0:
        code, left, put = 1, step, BucketFiles._put

        def counted(*given: Any, **how: Any) -> str:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return put(*given, **how)

        try:
            with patch.object(BucketFiles, "_put", counted):
                act()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return True
    assert status == 0
    return False


def test_a_publication_that_is_killed_at_any_write_is_there_or_not(world: World, store: Server) -> None:
    store.check_who_asks(on=False)  # it is slow
    writes, step, seen = ["1.0.0"], 0, set()
    while True:
        version = f"1.{step + 1}.0"
        _, publication = world.draft(version=version)
        was_killed = killed_at(step, lambda publication=publication: world.registry.accept(publication))
        found = versions(world, "reader")
        seen.add(found == writes)
        assert found in (writes, [version, *writes])
        if found == writes:
            # Somebody else comes first, and does not stumble over what was left.
            other = world.publish(version=f"1.{step + 1}.1", archive=pack(world.package(more=str(step))))
            writes = [str(other.version), *writes]
            with pytest.raises(Refused):
                world.registry.accept(publication)
        else:
            writes = found
        assert versions(world, "reader") == writes
        if not was_killed:
            break
        step += 1
    assert seen == {True, False}
    assert step >= 6


def test_of_two_machines_that_publish_at_once_one_is_told(world: World) -> None:
    there = another_machine(world, "there")
    _, mine = world.draft(version="1.1.0", archive=pack(world.package(more="mine")))
    theirs, publication = there.draft(version="1.1.0", archive=pack(there.package(more="theirs")))
    registry = world.registry
    between(registry, TIMESTAMP, lambda: there.registry.accept(publication))
    with pytest.raises(Refused) as caught:
        registry.accept(mine)
    assert caught.value.why == "outdated"
    (first, *_) = world.source("reader").releases("acme/train")
    assert (str(first.version), first.digest) == ("1.1.0", theirs.digest)
    first.load()
    with pytest.raises(Refused) as caught:
        registry.accept(mine)
    assert caught.value.why in ("outdated", "exists")


def test_who_was_overtaken_cannot_write_over_what_was_taken(world: World) -> None:
    there = another_machine(world, "there")
    _, mine = world.draft(version="1.1.0", archive=pack(world.package(more="mine")))
    theirs, publication = there.draft(version="1.1.0", archive=pack(there.package(more="theirs")))
    registry = world.registry
    between(registry, metadata_path("acme.releases", 2), lambda: there.registry.accept(publication))
    with pytest.raises(Refused, match="somebody else changed the registry in the same moment"):
        registry.accept(mine)
    (first, *_) = world.source("reader").releases("acme/train")
    assert first.digest == theirs.digest


def test_two_namespaces_at_two_machines_lose_nothing(world: World) -> None:
    world.grant("rival")
    there = another_machine(world, "there")
    registry = world.registry
    _, mine = world.draft(version="1.1.0", archive=pack(world.package(more="mine")))
    between(registry, "index.json", lambda: there.publish("rival/tune", archive=pack(there.package("tune"))))
    registry.accept(mine)
    assert world.source("reader").names() == ("acme/train", "rival/tune")
    assert [package["name"] for package in world.source("reader").packages()] == ["acme/train", "rival/tune"]


def between(registry: RegistryFolder, path: str, act: Callable[[], object]) -> None:
    """Let something happen right before this registry's next write to a path."""
    files = registry.files
    write, acts = files.put_over, [act]

    def put_over(given: str, content: bytes, *, tag: str | None) -> str:
        if given == path and acts:
            acts.pop()()
        return write(given, content, tag=tag)

    patch.object(files, "put_over", put_over).start()


def test_a_move_that_is_killed_at_any_write_can_be_done_again(
    tmp_path: Path, store: Server, settings: StoreSettings
) -> None:
    store.check_who_asks(on=False)
    world = registry_world.begin(tmp_path / "world")
    world.publish()

    def move_on() -> None:
        move_to_store(world.registry, settings, told=lambda what, done, of: None)

    step = 0
    while killed_at(step, move_on):
        assert not (world.registry.folder / STORE).exists()
        assert versions(world, "reader") == ["1.0.0"]
        step += 3
    assert step > 10
    assert (world.registry.folder / STORE).exists()
    shutil.rmtree(world.registry.folder / "metadata")
    assert versions(world, "reader") == ["1.0.0"]
    world.publish(version="1.1.0")


def test_a_move_over_another_registry_is_refused(
    world: World, tmp_path: Path, settings: StoreSettings
) -> None:
    other = registry_world.begin(tmp_path / "other")
    with pytest.raises(OperatorError, match="holds another registry; name another prefix"):
        move_to_store(other.registry, settings, told=lambda what, done, of: None)
    with pytest.raises(OperatorError, match=r"lie in s3://empty/.* already"):
        move_to_store(world.registry, settings, told=lambda what, done, of: None)
    assert versions(world, "reader") == ["1.0.0"]


def test_a_server_that_was_started_before_the_move_takes_nothing_more(
    tmp_path: Path, settings: StoreSettings
) -> None:
    world = registry_world.begin(tmp_path / "world")
    running = world.registry
    running.refresh()
    move(world, settings)
    _, publication = world.draft()
    with pytest.raises(OperatorError, match="start the registry's server again"):
        running.accept(publication)
    world.registry.accept(publication)
    assert versions(world, "reader") == ["1.0.0"]


def test_a_store_that_writes_over_what_it_should_not_is_refused(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe(BucketFiles(settings))
    put = BucketFiles._put
    monkeypatch.setattr(
        BucketFiles, "_put", lambda files, path, content, **condition: put(files, path, content)
    )
    with pytest.raises(OperatorError, match="two publishers at once could spoil"):
        probe(BucketFiles(settings))
    assert BucketFiles(settings).find("metadata/.probe") is None


def test_a_registry_in_a_store_is_refreshed(world: World) -> None:
    world.later(days=5)
    assert world.registry.refresh()
    world.later(days=5)
    assert versions(world, "reader") == ["1.0.0"]
    there = another_machine(world, "there")
    registry = world.registry
    between(registry, TIMESTAMP, lambda: there.registry.refresh(is_forced=True))
    with pytest.raises(WindlassError, match="in the same moment"):
        registry.refresh(is_forced=True)
