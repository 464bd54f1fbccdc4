from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from unit.actions.running import Job

AUTHOR = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(place: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(place), *words],
        env={**os.environ, **AUTHOR},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(place: Path, text: str) -> str:
    (place / "file").write_text(text)
    git(place, "add", "file")
    git(place, "commit", "-q", "-m", f"say {text}")
    return git(place, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """`main` at three, `side/one` at two, the tag `v1` at one, and a pull request's ref at four."""
    place = tmp_path / "origin"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    commit(place, "one")
    git(place, "tag", "-a", "v1", "-m", "one")
    commit(place, "two")
    git(place, "branch", "side/one")
    commit(place, "three")
    git(place, "checkout", "-q", "--detach")
    git(place, "update-ref", "refs/pull/7/head", commit(place, "four"))
    git(place, "checkout", "-q", "main")
    git(place, "config", "uploadpack.allowAnySHA1InWant", "true")
    return place


def read(job: Job, path: str = "repo/file") -> str:
    return (job.outputs / path).read_text()


def test_the_default_branch_lands_in_the_one_output(job: Job, origin: Path) -> None:
    (job.outputs / "repo").mkdir()
    ended = job.run("git-checkout", url=str(origin))
    assert ended.code == 0, ended.log
    assert read(job) == "three"
    assert ended.outputs == {"commit": git(origin, "rev-parse", "main"), "ref": "main"}
    assert git(job.outputs / "repo", "branch", "--show-current") == "main"
    assert git(job.outputs / "repo", "status", "--short") == ""
    assert "say three" in ended.log


@pytest.mark.parametrize(
    ("ref", "content", "name"),
    [
        ("side/one", "two", "side/one"),
        ("refs/heads/side/one", "two", "side/one"),
        ("origin/side/one", "two", "side/one"),
        ("main", "three", "main"),
        ("v1", "one", "v1"),
        ("refs/tags/v1", "one", "v1"),
        ("refs/pull/7/head", "four", "refs/pull/7/head"),
    ],
)
def test_a_ref_is_checked_out(job: Job, origin: Path, ref: str, content: str, name: str) -> None:
    (job.outputs / "repo").mkdir()
    ended = job.run("git-checkout", url=f"file://{origin}", ref=ref)
    assert (ended.code, read(job), ended.outputs["ref"]) == (0, content, name), ended.log


@pytest.mark.parametrize(("rev", "content"), [("main~1", "two"), ("refs/pull/7/head", "four")])
def test_a_commit_is_checked_out(job: Job, origin: Path, rev: str, content: str) -> None:
    (job.outputs / "repo").mkdir()
    wanted = git(origin, "rev-parse", rev)
    ended = job.run("git-checkout", url=f"file://{origin}", ref=wanted)
    assert (ended.code, read(job), ended.outputs) == (0, content, {"commit": wanted, "ref": ""}), ended.log


def test_a_short_commit_is_checked_out(job: Job, origin: Path) -> None:
    (job.outputs / "repo").mkdir()
    ended = job.run("git-checkout", url=str(origin), ref=git(origin, "rev-parse", "--short", "main~1"))
    assert (ended.code, read(job)) == (0, "two")


def test_a_branch_wins_over_a_tag_of_the_same_name(job: Job, origin: Path) -> None:
    git(origin, "tag", "side/one", "v1")
    (job.outputs / "repo").mkdir()
    assert job.run("git-checkout", url=str(origin), ref="side/one").code == 0
    assert read(job) == "two"


def test_branch_is_an_older_spelling_of_ref(job: Job, origin: Path) -> None:
    (job.outputs / "repo").mkdir()
    assert job.run("git-checkout", url=str(origin), branch="side/one").code == 0
    assert read(job) == "two"


@pytest.mark.parametrize("path", ["/outputs/repo/sub/deep", "here"])
def test_path_chooses_the_place(job: Job, origin: Path, path: str) -> None:
    for name in ("repo", "other"):
        (job.outputs / name).mkdir()
    ended = job.run("git-checkout", url=str(origin), path=path)
    assert ended.code == 0, ended.log
    place = job.outputs / path.removeprefix("/outputs/") if path.startswith("/") else job.workspace / path
    assert (place / "file").read_text() == "three"


def test_a_step_without_outputs_fills_an_empty_workspace(job: Job, origin: Path) -> None:
    assert job.run("git-checkout", url=str(origin)).code == 0
    assert (job.workspace / "file").read_text() == "three"


def test_problems_name_their_remedy(job: Job, origin: Path) -> None:
    assert "give the repository's address" in job.run("git-checkout").error
    (job.workspace / "mine").write_text("")
    assert "declare one of type volume" in job.run("git-checkout", url=str(origin)).error
    (job.outputs / "a").mkdir()
    assert "no branch, tag or commit 'nope'" in job.run("git-checkout", url=str(origin), ref="nope").error
    shutil.rmtree(job.outputs / "a")
    (job.outputs / "a").mkdir()
    (job.outputs / "b").mkdir()
    assert "several outputs (a, b)" in job.run("git-checkout", url=str(origin)).error
    (job.outputs / "a" / "x").write_text("")
    assert "not empty" in job.run("git-checkout", url=str(origin), path="/outputs/a").error
    assert "git says above why" in job.run("git-checkout", url=f"{origin}-gone", path="/outputs/b").error
    empty = origin.parent / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    assert "no commit" in job.run("git-checkout", url=str(empty), path="/outputs/b").error


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("--upload-pack=touch x", ""),
        ("ext::sh -c touch% x", ""),
        ("URL", "--force"),
        ("URL", "a b"),
        ("URL", "a..b:c"),
    ],
)
def test_options_in_disguise_are_refused(job: Job, origin: Path, url: str, ref: str) -> None:
    (job.outputs / "repo").mkdir()
    ended = job.run("git-checkout", url=url.replace("URL", str(origin)), ref=ref)
    assert ended.code == 1
    assert "is not" in ended.error
    assert list(job.workspace.iterdir()) == []


class GitOverHttp(BaseHTTPRequestHandler):
    """`git http-backend` behind basic authentication."""

    root: Path
    allowed = "bot:s3cret-Wörd"

    def do_GET(self) -> None:
        self.serve(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.serve(body)

    def serve(self, body: bytes) -> None:
        wanted = "Basic " + base64.b64encode(self.allowed.encode()).decode()
        if self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={
                **os.environ,
                **AUTHOR,
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
            capture_output=True,
            check=True,
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(origin: Path) -> Iterator[str]:
    handler = type("Handler", (GitOverHttp,), {"root": origin.parent})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


SECRET = "s3cret-Wörd"


def nothing_has_the_secret(job: Job) -> None:
    for file in job.outputs.rglob("*"):
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("inputs", "variables"),
    [
        ({"username": "bot", "password": SECRET}, {}),
        ({"username": "bot"}, {"GIT_PASSWORD": SECRET}),
        ({}, {"GIT_USERNAME": "bot", "GIT_PASSWORD": SECRET}),
    ],
)
def test_a_private_repository_is_checked_out(
    job: Job, server: str, inputs: dict[str, str], variables: dict[str, str]
) -> None:
    (job.outputs / "repo").mkdir()
    ended = job.run("git-checkout", variables, url=f"http://{server}/origin/.git", **inputs)
    assert (ended.code, read(job)) == (0, "three"), ended.log
    assert SECRET not in ended.log
    nothing_has_the_secret(job)


def test_credentials_in_the_address_are_kept_out_of_the_checkout(job: Job, server: str) -> None:
    (job.outputs / "repo").mkdir()
    ended = job.run("git-checkout", url=f"http://bot:s3cret-W%C3%B6rd@{server}/origin/.git", ref="v1")
    assert (ended.code, read(job)) == (0, "one"), ended.log
    assert git(job.outputs / "repo", "remote", "get-url", "origin") == f"http://{server}/origin/.git"
    assert "s3cret" not in ended.log


def test_a_wrong_password_fails_without_a_question(job: Job, server: str) -> None:
    (job.outputs / "repo").mkdir()
    ended = job.run("git-checkout", url=f"http://{server}/origin/.git", username="bot", password="wrong")
    assert ended.code == 1
    assert "'git clone' failed" in ended.error


def test_no_process_has_the_password_among_its_arguments(job: Job, server: str, tmp_path: Path) -> None:
    (job.outputs / "repo").mkdir()
    spy, log = tmp_path / "bin" / "git", tmp_path / "argv"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {log}\nexec {shutil.which("git")} "$@"\n')
    spy.chmod(0o755)
    path = f"{spy.parent}:{os.environ['PATH']}"
    url = f"http://{server}/origin/.git"
    ended = job.run("git-checkout", {"PATH": path}, url=url, username="bot", password=SECRET)
    assert ended.code == 0, ended.log
    assert "clone" in log.read_text()
    assert SECRET not in log.read_text()


def test_the_password_goes_to_no_other_host(job: Job, server: str) -> None:
    """A server that sends git elsewhere does not get the credentials sent there."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://{server}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    (job.outputs / "repo").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{running.server_port}/origin/.git"
        ended = job.run("git-checkout", url=url, username="bot", password=SECRET)
        running.shutdown()
        thread.join()
    assert ended.code == 1, "the right password, which the second host would have taken, was not offered"
