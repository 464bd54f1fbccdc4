"""s3-download@v1 against a real S3-compatible server, which checks signatures and policies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.actions.s3_server import MULTIPART, OBJECTS, Server, running_server
from unit.actions.running import Ended, Job


@pytest.fixture(scope="module")
def filled() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def server(filled: Server) -> Server:
    filled.check_who_asks(on=True)
    return filled


@pytest.fixture
def job(tmp_path: Path) -> Job:
    root = tmp_path / "job"
    root.mkdir()
    made = Job.make(root)
    (made.outputs / "data").mkdir()
    return made


def fetch(job: Job, server: Server, url: str, user: str = "reader", **inputs: str) -> Ended:
    key, secret = server.keys[user]
    given = {"endpoint": server.endpoint, "access_key": key, "secret_access_key": secret}
    ended = job.run("s3-download", url=url, **{**given, "retries": "1", "retry_pause": "0", **inputs})
    assert secret not in ended.log
    assert "Traceback" not in ended.log
    return ended


def files(job: Job) -> dict[str, bytes]:
    root = job.outputs / "data"
    return {str(each.relative_to(root)): each.read_bytes() for each in root.rglob("*") if each.is_file()}


def test_a_prefix_of_several_pages_is_copied_with_odd_names_and_all(job: Job, server: Server) -> None:
    ended = fetch(job, server, "s3://bucket/data/")
    assert ended.code == 0, ended.log
    assert files(job) == {key[5:]: text for key, text in OBJECTS.items() if key.startswith("data/")}
    assert ended.outputs["files"] == "4"


def test_an_object_of_several_parts_is_copied(job: Job, server: Server) -> None:
    ended = fetch(job, server, "s3://bucket/big/model.bin")
    assert ended.code == 0, ended.log
    assert files(job) == {"model.bin": MULTIPART}


def test_the_stores_own_address_says_it_as_well(job: Job, server: Server) -> None:
    assert fetch(job, server, f"{server.endpoint}/bucket/single", endpoint="").code == 0
    assert files(job) == {"single": b"one"}


def test_a_name_that_no_file_can_have_is_refused(job: Job, server: Server) -> None:
    assert (
        "the object '/named' has no name that a file can have"
        in fetch(job, server, "s3://bucket/twice/").error
    )
    assert files(job) == {}


def test_wrong_keys_are_told(job: Job, server: Server) -> None:
    ended = fetch(job, server, "s3://bucket/single", access_key="OTHER")
    assert "the store does not know this key" in ended.error
    ended = fetch(job, server, "s3://bucket/single", secret_access_key="wrong")
    assert "403 (SignatureDoesNotMatch" in ended.error
    assert "the secret is not that of the key" in ended.error


def test_keys_that_do_not_allow_it_are_told(job: Job, server: Server) -> None:
    ended = fetch(job, server, "s3://bucket/data/", user="nobody")
    assert "the keys do not allow it: give others, or allow s3:ListBucket and s3:GetObject" in ended.error
    assert "the keys do not allow it" in fetch(job, server, "s3://bucket/single", user="nobody").error


def test_an_object_can_be_copied_where_the_bucket_may_not_be_listed(job: Job, server: Server) -> None:
    ended = fetch(job, server, "s3://bucket/single", user="getter")
    assert (ended.code, ended.outputs) == (0, {"files": "1", "bytes": "3"}), ended.log
    assert files(job) == {"single": b"one"}


def test_a_public_object_needs_no_keys(job: Job, server: Server) -> None:
    server.check_who_asks(on=False)
    ended = fetch(job, server, "s3://public/read/me", access_key="", secret_access_key="")
    assert ended.code == 0, ended.log
    assert files(job) == {"me": b"all"}


def test_what_is_not_there_is_told(job: Job, server: Server) -> None:
    assert "there is no such bucket" in fetch(job, server, "s3://absent/x").error
    assert "nothing lies at 's3://bucket/absent'" in fetch(job, server, "s3://bucket/absent").error
    assert "nothing lies at 's3://empty'" in fetch(job, server, "s3://empty").error
    ended = fetch(job, server, "s3://bucket/x", endpoint="http://127.0.0.1:9")
    assert (ended.code, "the store does not answer" in ended.error) == (1, True)
    assert files(job) == {}
