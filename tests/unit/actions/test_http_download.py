from __future__ import annotations

import hashlib
import io
import json
import random
import signal
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator

import pytest

from unit.actions.running import Ended, Job
from unit.actions.web_site import Site, served


@pytest.fixture
def site() -> Iterator[Site]:
    with served(Site()) as running:
        yield running


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fetch(job: Job, site: Site, *, query: str = "", **inputs: str) -> Ended:
    """Download the site's file with its right checksum, retrying at once."""
    given = {
        "url": f"{site.address}/files/data.bin{query}",
        "sha256": sha256(site.content),
        "retry_pause": "0",
        **inputs,
    }
    variables = {"WINDLASS_CHECKPOINT_DIR": str(job.root / "checkpoint")}
    (job.root / "checkpoint").mkdir(exist_ok=True)
    return job.run("http-download", variables, **given)


def left(job: Job) -> list[str]:
    """All files in the job's folders."""
    roots = [job.outputs, job.workspace, job.root / "checkpoint"]
    return sorted(
        str(each.relative_to(job.root)) for root in roots for each in root.rglob("*") if each.is_file()
    )


def test_a_file_lands_in_the_one_output(job: Job, site: Site) -> None:
    (job.outputs / "data").mkdir()
    ended = fetch(job, site)
    assert ended.code == 0, ended.log
    place = job.outputs / "data" / "data.bin"
    assert place.read_bytes() == site.content
    assert ended.outputs == {"path": str(place), "size": "300000", "sha256": sha256(site.content)}
    assert left(job) == ["outputs/data/data.bin"]
    assert "the checksum is right" in ended.log


def test_a_path_names_the_file_or_the_folder(job: Job, site: Site) -> None:
    for path in ("/outputs/digits", "/outputs/folder/", "here/data.csv"):
        assert fetch(job, site, path=path).code == 0
    assert left(job) == ["outputs/digits", "outputs/folder/data.bin", "workspace/here/data.csv"]


def test_without_an_output_it_lands_in_the_working_directory(job: Job, site: Site) -> None:
    assert fetch(job, site).code == 0
    assert left(job) == ["workspace/data.bin"]


def test_what_is_there_already_is_not_fetched_again(job: Job, site: Site) -> None:
    fetch(job, site)
    ended = fetch(job, site)
    assert (ended.code, len(site.requests), ended.outputs["size"]) == (0, 1, "300000")
    assert "there already" in ended.log


def test_a_cut_connection_is_taken_up_where_it_broke(job: Job, site: Site) -> None:
    site.tricks = ["cut 100000", "cut 50000"]
    ended = fetch(job, site)
    assert ended.code == 0, ended.log
    assert site.ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert site.requests[1]["If-Range"] == '"one"'
    assert "the connection ended after 100,000 of 300,000 bytes; retry 1 of 5" in ended.log


def test_a_server_without_ranges_begins_anew(job: Job, site: Site) -> None:
    site.tricks = ["cut 100000", "whole"]
    ended = fetch(job, site)
    assert (ended.code, len(site.requests)) == (0, 2), ended.log


def test_a_file_that_changed_meanwhile_begins_anew(job: Job, site: Site) -> None:
    first = site.content

    class Changing(list[str]):
        """The file becomes another one after the first request."""

        def pop(self, index: int = -1) -> str:  # type: ignore[override]
            if len(self) == 1:
                site.content, site.etag = bytes(reversed(first)), '"two"'
            return super().pop(index)

    site.tricks = Changing(["cut 100000", "behave"])
    wanted = sha256(bytes(reversed(first)))
    ended = fetch(job, site, sha256=wanted)
    assert (ended.code, ended.outputs["sha256"]) == (0, wanted), ended.log


def test_pieces_that_do_not_fit_are_fetched_once_more_as_a_whole(job: Job, site: Site) -> None:
    site.etag = ""
    kept = job.root / "checkpoint"
    site.tricks = ["cut 100000", "status 404"]
    assert fetch(job, site).code == 1
    part = next(each for each in kept.iterdir() if each.suffix == ".part")
    part.write_bytes(b"x" * 100_000)
    ended = fetch(job, site)
    assert ended.code == 0, ended.log
    assert site.ranges == [None, "bytes=100000-", "bytes=100000-", None]
    assert "once more from its beginning" in ended.log


def test_another_range_than_the_one_asked_for_is_not_taken(job: Job, site: Site) -> None:
    site.tricks = ["cut 100000", "wrong-part"]
    ended = fetch(job, site)
    assert (ended.code, "another part than was asked for" in ended.log) == (0, True), ended.log


def test_the_next_try_of_the_job_goes_on_where_this_one_ended(job: Job, site: Site) -> None:
    site.tricks = ["cut 100000", "status 404"]
    ended = fetch(job, site)
    assert "404 Not Found; check 'url'" in ended.error
    assert left(job)[0].startswith("checkpoint/.data.bin")
    ended = fetch(job, site)
    assert (ended.code, site.ranges[-1]) == (0, "bytes=100000-")
    assert "Going on after 100.0 kB" in ended.log
    assert left(job) == ["workspace/data.bin"]


def test_a_part_that_is_whole_already_is_enough(job: Job, site: Site) -> None:
    site.tricks = ["longer", "status 404"]
    assert fetch(job, site).code == 1
    ended = fetch(job, site)
    assert (ended.code, site.ranges[-1]) == (0, "bytes=300000-"), ended.log


@pytest.mark.parametrize("trick", ["status 500", "status 503 0", "status 429 0", "stall 1000", "cut 0"])
def test_what_may_pass_is_tried_again(job: Job, site: Site, trick: str) -> None:
    site.tricks = [trick]
    ended = fetch(job, site, timeout="0.3")
    assert (ended.code, len(site.requests)) == (0, 2), ended.log
    assert "retry 1 of 5" in ended.log


def test_retries_come_to_an_end(job: Job, site: Site) -> None:
    site.tricks = ["status 503"] * 3
    ended = fetch(job, site, retries="2")
    assert (ended.code, len(site.requests)) == (1, 3)
    assert "503 Service Unavailable; gave up after 3 tries" in ended.error


def test_the_servers_own_word_about_when_is_kept(job: Job, site: Site) -> None:
    site.tricks = ["status 429 1"]
    assert "retry 1 of 5 in 1.0 s" in fetch(job, site).log
    site.tricks = ["status 503 3600"]
    assert "the server asks to come back in 60 minutes" in fetch(job, site, path="other").error


def test_a_server_that_says_less_than_it_sends_gives_another_file(job: Job, site: Site) -> None:
    site.tricks = ["shorter"]
    ended = fetch(job, site)
    assert (ended.code, left(job)) == (1, [])
    assert (
        f"its SHA-256 is {sha256(site.content[:-1000])}, not {sha256(site.content)} as given" in ended.error
    )


def test_an_end_that_nobody_announced_is_not_believed(job: Job, site: Site) -> None:
    site.tricks = ["unsaid 1000"]
    assert fetch(job, site).code == 0
    assert len(site.requests) == 2


def test_a_wrong_checksum_names_both_and_loses_the_file(job: Job, site: Site) -> None:
    ended = fetch(job, site, sha256="0" * 64)
    assert ended.code == 1
    assert f"its SHA-256 is {sha256(site.content)}, not {'0' * 64} as given" in ended.error
    assert (left(job), len(site.requests)) == ([], 1)


def test_a_sha512_does_as_well_and_both_are_held_to(job: Job, site: Site) -> None:
    right = hashlib.sha512(site.content).hexdigest()
    assert fetch(job, site, sha256="", sha512=right.upper()).code == 0
    assert "its SHA-512 is" in fetch(job, site, sha512="1" * 128, path="other").error


def test_headers_stay_with_the_host_they_are_for(job: Job, site: Site) -> None:
    with served(Site()) as store:
        site.tricks = [f"elsewhere {store.address}/signed?key=1"]
        ended = fetch(job, site, headers=json.dumps(["Authorization: Bearer t0ken", "X-Own: 1"]))
        assert ended.code == 0, ended.log
        assert (site.requests[0]["Authorization"], site.requests[0]["X-Own"]) == ("Bearer t0ken", "1")
        assert {"Authorization", "X-Own"}.isdisjoint(store.requests[0])
    assert "t0ken" not in ended.log


def test_a_password_in_the_address_is_sent_and_not_shown(job: Job, site: Site) -> None:
    url = site.address.replace("//", "//ann:s3cret@") + "/f?sig=hidden"
    ended = fetch(job, site, url=url)
    assert (ended.code, site.requests[0]["Authorization"]) == (0, "Basic YW5uOnMzY3JldA==")
    assert "s3cret" not in ended.log
    assert "hidden" not in ended.log


def test_a_redirect_to_a_file_of_the_machine_is_refused(job: Job, site: Site) -> None:
    site.tricks = ["elsewhere file:///etc/passwd"]
    assert "is not allowed" in fetch(job, site).error


def test_a_stopped_download_is_taken_up_by_the_next_try(job: Job, site: Site) -> None:
    site.tricks = ["stall 100000"]
    (job.root / "checkpoint").mkdir()
    inputs = {"url": f"{site.address}/files/data.bin", "sha256": sha256(site.content)}
    variables = {"WINDLASS_CHECKPOINT_DIR": str(job.root / "checkpoint")}
    process = subprocess.Popen(
        job.command("http-download"), cwd=job.workspace, env=job.environment(inputs, variables)
    )
    while not any(
        each.suffix == ".part" and each.stat().st_size for each in (job.root / "checkpoint").iterdir()
    ):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    ended = fetch(job, site)
    assert ended.code == 0, ended.log
    assert site.ranges[-1] not in (None, "bytes=0-")


def archive(*members: tuple[str, bytes], kind: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=kind) as opened:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o4755 if name.endswith(".sh") else 0o644
            opened.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(*members: tuple[str, bytes], mode: int = 0o100644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            opened.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


MEMBERS = (("top/a.txt", b"a"), ("top/run.sh", b"#!/bin/sh\n"), ("b", b"b" * 5000))


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_an_archive_is_unpacked(job: Job, site: Site, kind: str) -> None:
    site.content = zipped(*MEMBERS) if kind == "zip" else archive(*MEMBERS, kind=kind)
    (job.outputs / "data").mkdir()
    ended = fetch(job, site, extract="true")
    assert ended.code == 0, ended.log
    assert left(job) == ["outputs/data/b", "outputs/data/top/a.txt", "outputs/data/top/run.sh"]
    assert (job.outputs / "data" / "b").read_bytes() == b"b" * 5000
    assert ended.outputs["path"] == str(job.outputs / "data")
    if kind != "zip":
        assert (job.outputs / "data/top/run.sh").stat().st_mode & 0o7777 == 0o755


def special(kind: bytes, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        info = tarfile.TarInfo("odd")
        info.type, info.linkname = kind, link
        opened.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (archive(("ok", b"1"), ("../evil", b"1")), "has the name '../evil'"),
        (archive(("a/../../evil", b"1")), "has the name"),
        (archive(("/etc/evil", b"1")), "has the name '/etc/evil'"),
        (archive(("a\nb", b"1")), "has the name 'a\\nb'"),
        (archive(("a", b"1"), ("a", b"2")), "'a' is in the archive twice"),
        (archive(("a", b"1"), ("a/b", b"2")), "is a file and a folder"),
        (special(tarfile.SYMTYPE, "/etc/passwd"), "'odd' of the archive is a link"),
        (special(tarfile.LNKTYPE, "b"), "'odd' of the archive is a link"),
        (special(tarfile.CHRTYPE), "neither a file nor a folder"),
        (special(tarfile.FIFOTYPE), "neither a file nor a folder"),
        (zipped(("../evil", b"1")), "has the name '../evil'"),
        (zipped(("C:\\evil", b"1")), "has the name"),
        (zipped(("link", b"/etc/passwd"), mode=0o120777), "'link' of the archive is a link"),
        (zipped(("bomb", bytes(3_000_000))), "more than 2,000,000 bytes come out"),
        (archive(("one", bytes(1_500_000)), ("two", bytes(1_500_000))), "more than 2,000,000 bytes come out"),
        (archive(("a", random.Random(1).randbytes(9000)))[:5000], "the archive is broken"),
        (b"plain text", "neither a tar nor a zip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_archive_that_would_do_harm_leaves_nothing(
    job: Job, site: Site, content: bytes, said: str
) -> None:
    site.content = content
    (job.outputs / "data").mkdir()
    ended = fetch(job, site, extract="true", extract_limit="2MB")
    assert (ended.code, said in ended.error) == (1, True), ended.log
    assert "Traceback" not in ended.log
    assert left(job) == []


def test_what_lies_in_the_folder_is_not_overwritten(job: Job, site: Site) -> None:
    site.content = archive(*MEMBERS)
    (job.outputs / "data").mkdir()
    (job.outputs / "data" / "b").write_text("mine")
    assert "'b' of the archive is in the folder already" in fetch(job, site, extract="true").error
    assert left(job) == ["outputs/data/b"]


def test_a_full_disk_is_seen_before_it_is_filled(job: Job, site: Site) -> None:
    site.tricks = ["longer"]
    site.content = b"x"
    program = (
        "import runpy, shutil, sys, collections; "
        "shutil.disk_usage = lambda _: collections.namedtuple('U', 'free')(5); "
        "sys.argv[0] = sys.argv.pop(1); sys.path.insert(0, sys.argv[0].rpartition('/')[0]); "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    python, main = job.command("http-download")
    inputs = {"url": f"{site.address}/f", "sha256": "0" * 64}
    done = subprocess.run(
        [python, "-c", program, main],
        cwd=job.workspace,
        env=job.environment(inputs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1.0 kB are still to come, and 5 bytes are free" in done.stdout


def test_problems_name_their_remedy(job: Job, site: Site) -> None:
    assert "give the file's checksum as 'sha256'" in fetch(job, site, sha256="").error
    assert "has 64 hexadecimal digits" in fetch(job, site, sha256="abc").error
    assert "is not an address such as" in fetch(job, site, url="ftp://x/y").error
    assert "header 1 of 'headers' is not of the form" in fetch(job, site, headers='["s3cret"]').error
    assert "write a number such as 5" in fetch(job, site, retries="many").error
    assert "write a size such as 10GB" in fetch(job, site, extract_limit="lots").error
    ended = fetch(job, site, url="http://127.0.0.1:9/", retries="0")
    assert "no connection" in ended.error
    assert "gave up at the first try" in ended.error
    site.tricks = ["status 401"]
    assert "give what it wants to see with 'headers'" in fetch(job, site).error
    for name in ("one", "two"):
        (job.outputs / name).mkdir()
    assert "several outputs (one, two)" in fetch(job, site).error
    assert left(job) == []
