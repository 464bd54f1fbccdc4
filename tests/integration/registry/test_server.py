"""A registry over HTTP: who may read, who may send, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import registry_world
from integration.registry.served import Served, serving
from windlass_registry.archive import pack
from windlass_registry.errors import OperatorError
from windlass_registry.publication import Refused
from windlass_registry.server.limits import ServerLimits
from windlass_registry.server.publishing import encode_publication
from windlass_registry.server_publishing import ServerPublishing
from windlass_registry.trust.client import TrustError


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(registry_world.begin(tmp_path)) as found:
        yield found


def publish(served: Served, version: str = "1.0.0", *, token: str | None = None) -> str:
    facts, publication = served.world.draft(version=version)
    ServerPublishing(served.address, token=token or served.token(f"t{version}")).accept(publication)
    return facts.digest


def test_what_is_published_over_http_is_read_and_believed_over_http(served: Served) -> None:
    digest = publish(served)
    source = served.world.source(address=served.address)
    (release,) = source.releases("acme/train")
    assert release.digest == digest
    assert release.load().manifest.name == "Train"


def test_a_check_changes_nothing(served: Served) -> None:
    _, publication = served.world.draft()
    ServerPublishing(served.address, token=served.token()).check(publication)
    assert served.world.source(address=served.address).releases("acme/train") == ()


def test_the_same_publication_again_is_refused_in_words(served: Served) -> None:
    _, publication = served.world.draft()
    publishing = ServerPublishing(served.address, token=served.token())
    publishing.accept(publication)
    with pytest.raises(Refused) as caught:
        publishing.accept(publication)
    assert caught.value.why in ("outdated", "exists")


def test_of_two_who_race_for_a_version_one_is_told(served: Served) -> None:
    _, first = served.world.draft()
    _, second = served.world.draft(archive=pack(served.world.package(extra="other")))
    publishing = ServerPublishing(served.address, token=served.token())
    publishing.accept(first)
    with pytest.raises(Refused) as caught:
        publishing.accept(second)
    assert caught.value.why in ("outdated", "exists")
    assert [str(one.version) for one in served.world.source().releases("acme/train")] == ["1.0.0"]


@pytest.mark.parametrize("text", ["", "wl_0_x", "wl_0123456789_" + "a" * 43, "nonsense"])
def test_without_a_token_of_the_registry_nothing_is_taken(served: Served, text: str) -> None:
    answer = served.call("/api/v1/publications", method="POST", body=b"{}", token=text)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_of_another_namespace_is_not_enough(served: Served) -> None:
    served.world.grant("rival")
    _, publication = served.world.draft()
    with pytest.raises(OperatorError, match="is not for the namespace 'acme'"):
        ServerPublishing(served.address, token=served.token("other", "rival")).accept(publication)


def test_a_namespace_token_does_not_change_the_registrys_own_roles(served: Served) -> None:
    body = b'{"roles": {"targets": "e30="}, "archives": [], "statements": {}}'
    answer = served.call("/api/v1/publications", method="POST", body=body, token=served.token())
    assert (answer.status, "own roles" in answer.json["detail"]) == (403, True)


def test_a_token_whose_time_is_over_or_that_was_revoked_is_refused(served: Served) -> None:
    short = served.token("short", lifetime_s=1.0)
    gone = served.token("gone")
    assert served.call("/api/v1/token", token=gone).json["namespace"] == "acme"
    served.accounts.revoke_token("gone")
    assert served.call("/api/v1/token", token=short).status == 401
    assert served.call("/api/v1/token", token=gone).status == 401


def test_the_text_of_a_token_is_stored_nowhere(served: Served) -> None:
    text = served.token()
    served.call("/api/v1/token", token=text)
    secret = text.split("_", 2)[2].encode()
    private = served.world.folder / "registry" / "private"
    assert all(secret not in file.read_bytes() for file in private.rglob("*") if file.is_file())


def test_private_files_are_not_served(served: Served) -> None:
    publish(served)
    for path in (
        "/private/online.key",
        "/metadata/../private/online.key",
        "/metadata/%2e%2e/private/online.key",
        "/packages/..%2fprivate/online.key",
        "/metadata//timestamp.json",
        "/metadata/.hidden",
    ):
        assert served.call(path).status == 404, path


def test_files_may_be_kept_for_ever_but_those_that_say_what_is_newest(served: Served) -> None:
    digest = publish(served).removeprefix("sha256:")
    archive = served.call(f"/packages/sha256/{digest[:2]}/{digest[2:]}.tar")
    assert "immutable" in archive.headers["Cache-Control"]
    assert hashlib.sha256(archive.body).hexdigest() == digest
    newest = served.call("/metadata/timestamp.json")
    assert newest.headers["Cache-Control"] == "no-cache"
    again = served.call("/metadata/timestamp.json", headers={"If-None-Match": newest.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


def test_an_archive_of_other_bytes_than_its_name_says_is_refused(served: Served) -> None:
    token = served.token()
    wrong = "sha256:" + "0" * 64
    answer = served.call(f"/api/v1/uploads/{wrong}", method="PUT", body=b"bytes", token=token)
    assert (answer.status, answer.json["why"]) == (422, "archive")
    assert served.call("/api/v1/uploads/../x", method="PUT", body=b"x", token=token).status == 404
    assert served.call("/api/v1/uploads/sha256:x", method="PUT", body=b"x", token=token).status == 404
    uploads = served.world.folder / "registry" / "private" / "uploads"
    assert not list(uploads.iterdir())


def test_a_publication_whose_archive_was_not_sent_says_so(served: Served) -> None:
    _, publication = served.world.draft()
    body = encode_publication(publication)
    answer = served.call("/api/v1/publications", method="POST", body=body, token=served.token())
    assert (answer.status, answer.json["why"]) == (422, "archive")
    assert "first" in answer.json["remedy"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"roles": {"a": "!"}}', b"\xff", b"[" * 100_000])
def test_what_is_no_publication_is_a_bad_request(served: Served, body: bytes) -> None:
    answer = served.call("/api/v1/publications", method="POST", body=body, token=served.token())
    assert answer.status == 400


def test_size_limits_and_quotas_are_kept(tmp_path: Path) -> None:
    limits = ServerLimits(archive_bytes=20_000, publication_bytes=50_000, namespace_bytes=8_000)
    with serving(registry_world.begin(tmp_path), limits=limits) as served:
        token = served.token()
        large = bytes(30_000)
        digest = f"sha256:{hashlib.sha256(large).hexdigest()}"
        answer = served.call(f"/api/v1/uploads/{digest}", method="PUT", body=large, token=token)
        assert (answer.status, answer.json["why"]) == (413, "size")
        answer = served.call("/api/v1/publications", method="POST", body=bytes(60_000), token=token)
        assert answer.status == 413
        publish(served, "1.0.0", token=token)
        _, publication = served.world.draft(
            version="2.0.0", archive=pack(served.world.package(big="x" * 9_000))
        )
        with pytest.raises(Refused, match=r"holds .* of its 8,000 bytes"):
            ServerPublishing(served.address, token=token).accept(publication)


def test_callers_who_call_too_often_are_told_when_to_come_again(tmp_path: Path) -> None:
    limits = ServerLimits(reads_per_s=1.0, reads_at_once=3)
    with serving(registry_world.begin(tmp_path), limits=limits) as served:
        answers = [served.call("/api/v1/packages") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["Retry-After"] == "1"
        served.world.later(seconds=2)
        assert served.call("/api/v1/packages").status == 200


def test_search_finds_beginnings_and_counts_downloads(served: Served) -> None:
    digest = publish(served).removeprefix("sha256:")
    served.call(f"/packages/sha256/{digest[:2]}/{digest[2:]}.tar")
    served.call(f"/packages/sha256/{digest[:2]}/{digest[2:]}.tar?for=subscribe")
    found = served.call("/api/v1/packages?q=tra").json
    assert [one["name"] for one in found["packages"]] == ["acme/train"]
    assert served.call("/api/v1/packages?q=nothing").json == {"count": 0, "packages": []}
    assert served.call("/api/v1/packages?q=tra&kind=sample").json["count"] == 0
    package = served.call("/api/v1/packages/acme/train").json
    assert (package["downloads"], package["subscribers"], package["uses"]) == (2, 1, "acme/train@v1")
    assert served.call("/api/v1/packages/acme/trian").status == 404


@pytest.mark.parametrize("asked", ["limit=abc", "limit=101", f"limit={'9' * 5000}", "kind=acton"])
def test_a_search_that_means_nothing_is_a_bad_request(served: Served, asked: str) -> None:
    answer = served.call(f"/api/v1/packages?{asked}")
    assert (answer.status, "remedy" in answer.json) == (400, True)


def test_every_operation_of_the_document_is_there(served: Served) -> None:
    token = served.token()
    served.call("/api/v1/packages")
    served.call("/api/v1/packages/acme/train")
    served.call("/api/v1/token", token=token)
    content = b"bytes"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert served.call(f"/api/v1/uploads/{digest}", method="PUT", body=content, token=token).status == 201
    served.call("/api/v1/publications", method="POST", body=b"{}", token=token)
    served.call("/api/v1/root", method="POST", body=b"{}", token=served.token("owner", None))
    assert served.call("/api/v1/openapi.json").json["openapi"] == "3.1.0"
    assert served.operations == {
        *("findPackages", "showPackage", "showToken", "uploadArchive", "publish", "changeRoot")
    }


def test_what_a_mirror_changes_is_not_believed(served: Served) -> None:
    digest = publish(served).removeprefix("sha256:")
    place = served.world.folder / "registry" / "packages" / "sha256" / digest[:2] / f"{digest[2:]}.tar"
    place.write_bytes(place.read_bytes()[:-1] + b"!")
    (release,) = served.world.source(address=served.address).releases("acme/train")
    with pytest.raises(TrustError, match="it was replaced"):
        release.load()


def test_what_waits_for_its_publication_is_bounded_for_all_together(tmp_path: Path) -> None:
    limits = ServerLimits(uploads_bytes=14_000)
    with serving(registry_world.begin(tmp_path), limits=limits) as served:
        token = served.token()

        def send(content: bytes) -> int:
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            return served.call(f"/api/v1/uploads/{digest}", method="PUT", body=content, token=token).status

        assert [send(b"a" * 6_000), send(b"b" * 9_000), send(b"c" * 3_000)] == [201, 503, 201]
        publish(served, token=served.token("other"))
