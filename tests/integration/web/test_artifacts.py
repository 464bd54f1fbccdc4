"""What jobs put out, over real HTTP: who has a link gets it, and nobody else learns anything."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.web.calling import Answer
from integration.web.linked import NOW, Linked, serving_links
from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobUpdate, NewJob
from windlass_runner.run.storage import Storage
from windlass_runner.web.links import LIFETIME_S

KEY = "train (x/y, ü)"
LARGE = bytes(range(256)) * 4096


class Served:
    """A run whose job has put out a few things."""

    def __init__(self, linked: Linked, ledger: Ledger, storage: Storage) -> None:
        self.linked = linked
        run = ledger.runs.create(new_run(jobs=(NewJob(key=KEY, name="Train"),)), at=1.0)
        assert run is not None
        self.run = run
        self.folder = storage.outputs(run, KEY)
        self.folder.mkdir(parents=True)
        kinds = {"weights": "artifact", "all": "volume", "gone": "artifact", "note": "string"}
        outputs = {name: {"type": kind} for name, kind in kinds.items()}
        ledger.runs.record(run, jobs=[JobUpdate(key=KEY, outputs=outputs)], at=2.0)
        (self.folder / "weights").write_bytes(LARGE)
        (self.folder / "note").write_text("not to be handed out")

    def link(self, name: str, *, run: str | None = None, since: float = NOW) -> str:
        return self.linked.links.make("artifacts", run or self.run, KEY, name, since=since)

    def get(self, url: str, *, method: str = "GET", **headers: str) -> Answer:
        return self.linked.get(url, method=method, **headers)


@pytest.fixture
def served(ledger: Ledger, storage: Storage) -> Iterator[Served]:
    with serving_links(ledger, storage) as linked:
        yield Served(linked, ledger, storage)


def test_a_file_comes_as_it_is(served: Served) -> None:
    answer = served.get(served.link("weights"))
    assert (answer.status, answer.body) == (200, LARGE)
    assert answer.headers["Content-Length"] == str(len(LARGE))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="weights"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_a_download_that_broke_off_is_taken_up(served: Served) -> None:
    answer = served.get(served.link("weights"), Range="bytes=1048570-")
    assert (answer.status, answer.body) == (206, LARGE[1048570:])


def test_a_folder_comes_as_an_archive_with_its_links_as_links(served: Served) -> None:
    folder = served.folder / "all"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "large").write_bytes(LARGE + b"x")
    (folder / ("ü" * 120)).write_text("long")
    (folder / "link").symlink_to("deep/large")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o555)
    (folder / "empty").write_text("")
    answer = served.get(served.link("all"))
    assert answer.headers["Content-Disposition"] == "attachment; filename*=utf-8''all.tar"
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        found = {member.name: member for member in archive}
        names = ("", "/deep", "/deep/large", "/empty", "/link", "/run.sh", "/" + "ü" * 120)
        assert sorted(found) == sorted(f"all{name}" for name in names)
        assert found["all/link"].linkname == "deep/large"
        assert found["all/link"].issym()
        assert found["all/run.sh"].mode == 0o755
        content = archive.extractfile("all/deep/large")
        assert content is not None
        assert content.read() == LARGE + b"x"


def test_the_head_of_a_folder_comes_without_it(served: Served) -> None:
    (served.folder / "all").mkdir()
    answer = served.get(served.link("all"), method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == "application/x-tar"


def test_without_its_signature_nothing_is_told(served: Served) -> None:
    whole = served.link("weights")
    unknown = served.get(served.link("weights", run="r0").replace("signature=", "signature=A"))
    for url in (whole.partition("?")[0], whole[:-1], whole.replace("weights", "gone"), whole + "A"):
        answer = served.get(url)
        assert (answer.status, answer.body) == (404, unknown.body)
        assert answer.headers.get_content_type() == "text/plain"


def test_a_link_that_has_ended_says_so(served: Served) -> None:
    answer = served.get(served.link("weights", since=NOW - LIFETIME_S))
    assert answer.status == 410
    assert b"This link has ended" in answer.body


@pytest.mark.parametrize("name", ["gone", "note", "unknown", "..", "weights%2F.."])
def test_only_files_that_a_job_put_out_are_handed_out(served: Served, name: str) -> None:
    answer = served.get(served.link(name))
    assert answer.status in (404, 410)
    assert b"not to be handed out" not in answer.body


def test_a_link_in_the_place_of_a_file_is_not_followed(served: Served, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (served.folder / "gone").symlink_to(tmp_path / "secret")
    assert served.get(served.link("gone")).status == 410


def test_a_run_that_is_not_known_any_more_is_gone(served: Served) -> None:
    assert served.get(served.link("weights", run="r0")).status == 410


def test_while_the_daemon_waits_to_begin_it_says_so(ledger: Ledger, storage: Storage) -> None:
    with serving_links(ledger, storage, has_begun=False) as linked:
        served = Served(linked, ledger, storage)
        answer = served.get(served.link("weights"))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def test_what_a_job_of_an_earlier_run_put_out_comes_from_there(
    served: Served, ledger: Ledger, storage: Storage
) -> None:
    again = ledger.runs.create(new_run(jobs=(NewJob(key=KEY, name="Train"),), rerun_of=served.run), at=3.0)
    assert again is not None
    outputs = {
        "weights": {"type": "artifact", "path": str(served.folder / "weights")},
        "all": {"type": "artifact", "path": "/etc/passwd"},
        "gone": {"type": "artifact", "path": str(storage.runs / ".." / "link.key")},
    }
    ledger.runs.record(again, jobs=[JobUpdate(key=KEY, outputs=outputs)], at=4.0)
    assert served.get(served.link("weights", run=again)).body == LARGE
    assert served.get(served.link("all", run=again)).status == 410
    assert served.get(served.link("gone", run=again)).status == 410
