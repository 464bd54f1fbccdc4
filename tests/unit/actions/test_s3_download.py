from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from unit.actions.running import Ended, Job
from unit.actions.s3_store import Contents, Store
from windlass_registry.sources.builtin import builtin_folder


@pytest.fixture
def contents() -> Contents:
    return Contents(
        objects={
            "data/a.txt": b"a",
            "data/deep/b c+ü.bin": bytes(range(256)) * 50,
            "data/deep/": b"",
            "data/zero": b"",
            "database/no": b"no",
            "single": b"one",
        }
    )


@pytest.fixture
def endpoint(contents: Contents) -> Iterator[str]:
    handler = type("Handler", (Store,), {"contents": contents})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def fetch(job: Job, endpoint: str, url: str, variables: dict[str, str] | None = None, **inputs: str) -> Ended:
    (job.outputs / "data").mkdir(exist_ok=True)
    given = {
        "access_key": "KEY",
        "secret_access_key": "s3cret/Key+1",
        "region": "eu-test-1",
        "retry_pause": "0",
        **inputs,
    }
    return job.run("s3-download", variables, url=url, endpoint=endpoint, **given)


def files(place: Path) -> dict[str, bytes]:
    return {str(each.relative_to(place)): each.read_bytes() for each in place.rglob("*") if each.is_file()}


@pytest.mark.parametrize("url", ["s3://bucket/data/", "s3://bucket/data"])
def test_a_folder_is_copied_over_all_pages(job: Job, endpoint: str, contents: Contents, url: str) -> None:
    ended = fetch(job, endpoint, url)
    assert ended.code == 0, ended.log
    assert files(job.outputs / "data") == {
        "a.txt": b"a",
        "deep/b c+ü.bin": contents.objects["data/deep/b c+ü.bin"],
        "zero": b"",
    }
    assert ended.outputs == {"files": "3", "bytes": "12801"}
    assert "s3cret" not in ended.log


def test_one_object_is_copied(job: Job, endpoint: str) -> None:
    assert fetch(job, endpoint, "s3://bucket/single").code == 0
    assert files(job.outputs / "data") == {"single": b"one"}


def test_a_whole_bucket_is_copied_to_a_path(job: Job, endpoint: str) -> None:
    (job.outputs / "other").mkdir()
    assert fetch(job, endpoint, "s3://bucket", path="/outputs/other/sub").code == 0
    assert len(files(job.outputs / "other" / "sub")) == 5


def test_a_public_bucket_needs_no_keys(job: Job, endpoint: str, contents: Contents) -> None:
    contents.is_public = True
    assert fetch(job, endpoint, "s3://bucket/data/", access_key="", secret_access_key="").code == 0


def test_keys_may_come_from_the_usual_variables(job: Job, endpoint: str) -> None:
    variables = {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "s3cret/Key+1"}
    ended = fetch(job, endpoint, "s3://bucket/data/", variables, access_key="", secret_access_key="")
    assert ended.code == 0, ended.log


def test_the_stores_word_about_the_region_is_followed(job: Job, endpoint: str) -> None:
    assert fetch(job, endpoint, "s3://bucket/data/", region="us-east-1").code == 0


def test_an_object_cut_short_is_taken_up_where_it_broke(job: Job, endpoint: str, contents: Contents) -> None:
    contents.broken_answers = 2
    assert fetch(job, endpoint, "s3://bucket/data/deep/").code == 0
    assert files(job.outputs / "data") == {"b c+ü.bin": contents.objects["data/deep/b c+ü.bin"]}
    assert contents.ranges == [None, "bytes=6400-", "bytes=9600-"]


def test_an_object_that_arrives_spoilt_is_fetched_again(job: Job, endpoint: str, contents: Contents) -> None:
    contents.spoilt_answers = 1
    ended = fetch(job, endpoint, "s3://bucket/single")
    assert (ended.code, "its MD5 is" in ended.log) == (0, True), ended.log
    contents.spoilt_answers = 9
    assert "its MD5 is" in fetch(job, endpoint, "s3://bucket/data/a.txt", retries="1").error


def test_an_object_that_changes_meanwhile_is_told(job: Job, endpoint: str, contents: Contents) -> None:
    contents.is_changing = True
    assert "the object changed while it was copied" in fetch(job, endpoint, "s3://bucket/single").error


def test_a_wrong_secret_is_told_in_the_stores_words(job: Job, endpoint: str, contents: Contents) -> None:
    ended = fetch(job, endpoint, "s3://bucket/data/", secret_access_key="wrong")
    assert ended.code == 1
    assert "403 (SignatureDoesNotMatch: no); the secret is not that of the key" in ended.error
    assert len(contents.requests) == 1, "what time does not mend is not tried again"


@pytest.mark.parametrize("key", ["data/../../evil", "data//x", "data/./x"])
def test_no_object_is_written_outside_the_target(
    job: Job, endpoint: str, contents: Contents, key: str
) -> None:
    contents.objects = {key: b"evil"}
    ended = fetch(job, endpoint, "s3://bucket/data/")
    assert (ended.code, "no name that a file can have" in ended.error) == (1, True)
    assert files(job.root / "outputs") == {}


def test_an_object_that_is_also_a_folder_is_refused(job: Job, endpoint: str, contents: Contents) -> None:
    contents.objects = {"data/a": b"", "data/a/b": b""}
    assert "an object and a folder" in fetch(job, endpoint, "s3://bucket/data/").error


def test_problems_name_their_remedy(job: Job, endpoint: str) -> None:
    assert "is not an address such as" in fetch(job, endpoint, "http://x").error
    assert "nothing lies at" in fetch(job, endpoint, "s3://bucket/nothing/").error
    assert "404 (NoSuchBucket: no); there is no such bucket" in fetch(job, endpoint, "s3://other/x").error
    assert "both, or neither" in fetch(job, endpoint, "s3://bucket/x", access_key="").error
    assert "https://minio" in fetch(job, "minio:9000", "s3://bucket/x").error
    (job.outputs / "more").mkdir()
    assert "several outputs (data, more)" in fetch(job, endpoint, "s3://bucket/data/").error


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports the action's modules, as its main program does."""
    folder = builtin_folder() / "s3-download"
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module
    for file in folder.glob("*.py"):
        sys.modules.pop(file.stem, None)


def test_a_signature_is_that_of_the_specifications_example(modules: Callable[[str], ModuleType]) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html: "GET Bucket"."""
    signing = modules("signing")
    account = signing.Account(
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", "us-east-1"
    )
    url = "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J"
    headers = signing.sign(account, url, datetime(2013, 5, 24, tzinfo=UTC))
    assert headers["authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_addresses_of_aws_have_the_bucket_in_the_host_where_it_fits(
    modules: Callable[[str], ModuleType],
) -> None:
    bucket = modules("store").Bucket
    account = modules("signing").Account("", "", "", "eu-west-1")
    assert bucket("b-1", "", account, None).url("a b", {}) == "https://b-1.s3.eu-west-1.amazonaws.com/a%20b"
    assert bucket("b.1", "", account, None).url("k", {}) == "https://s3.eu-west-1.amazonaws.com/b.1/k"
