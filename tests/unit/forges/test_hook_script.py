from __future__ import annotations

import http.server
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from debian_packages import needed
from windlass_runner.forges.hook_script import post_receive_script
from windlass_runner.forges.plain_git import parse_delivery

OLD, NEW, NONE = "1" * 40, "2" * 40, "0" * 40
SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]
Received = queue.Queue[tuple[dict[str, str], bytes]]


@pytest.fixture
def server() -> Iterator[tuple[str, Received]]:
    received: Received = queue.Queue()

    class Hooks(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            received.put(({name.lower(): value for name, value in self.headers.items()}, body))

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hooks) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", received
        httpd.shutdown()
        thread.join()


def _install(folder: Path, url: str, *, repository: str, secret: str) -> Path:
    hook = folder / "post-receive"
    hook.write_text(post_receive_script(repository=repository, server=url))
    hook.chmod(0o755)
    (folder / "windlass.secret").write_text(secret)
    (folder / "windlass.secret").chmod(0o600)
    return hook


def _push(
    hook: Path, lines: str, *, shell: list[str], path: str | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path or os.environ["PATH"], "TMPDIR": str(hook.parent)}
    return subprocess.run(
        [*shell, str(hook)],
        input=lines,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=20,
    )


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize("secret", ["hush", "100% $x `y` \\ 'z'", "6" * 64, "k" * 100, "päß"])
def test_every_shell_signs_as_the_daemon_expects(
    tmp_path: Path, server: tuple[str, Received], shell: list[str], secret: str
) -> None:
    hook = _install(tmp_path, server[0], repository='file:///srv/it\'s "a".git', secret=secret)
    done = _push(hook, f'{OLD} {NEW} refs/heads/a"b\n{NONE} {NEW} refs/tags/v1\n', shell=shell)
    headers, body = server[1].get(timeout=20)
    parsed = parse_delivery(headers, body, [secret])
    assert done.stderr == ""
    assert parsed.repository == 'file:///srv/it\'s "a".git'
    assert [(e.ref, e.before, e.sha) for e in parsed.events] == [
        ('refs/heads/a"b', OLD, NEW),
        ("refs/tags/v1", None, NEW),
    ]


def test_wget_serves_where_there_is_no_curl(tmp_path: Path, server: tuple[str, Received]) -> None:
    needed("wget", lambda: shutil.which("wget"))
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in [
        "sh",
        "cat",
        "cut",
        "dirname",
        "ls",
        "mktemp",
        "od",
        "printf",
        "rm",
        "sed",
        "sha256sum",
        "tr",
        "wget",
    ]:
        (tools / name).symlink_to(shutil.which(name) or "/bin/false")
    hook = _install(tmp_path, server[0], repository="r", secret="hush")
    _push(hook, f"{OLD} {NEW} refs/heads/main\n", shell=["/bin/sh"], path=str(tools))
    headers, body = server[1].get(timeout=20)
    assert parse_delivery(headers, body, ["hush"]).repository == "r"


def test_openssl_serves_where_there_is_no_sha256sum(tmp_path: Path, server: tuple[str, Received]) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in [
        "sh",
        "cat",
        "curl",
        "cut",
        "dirname",
        "ls",
        "mktemp",
        "od",
        "openssl",
        "printf",
        "rm",
        "sed",
        "tr",
    ]:
        (tools / name).symlink_to(shutil.which(name) or "/bin/false")
    hook = _install(tmp_path, server[0], repository="r", secret="hush")
    _push(hook, f"{OLD} {NEW} refs/heads/main\n", shell=["/bin/sh"], path=str(tools))
    headers, body = server[1].get(timeout=20)
    assert parse_delivery(headers, body, ["hush"]).repository == "r"


def test_each_push_has_its_own_id(tmp_path: Path, server: tuple[str, Received]) -> None:
    hook = _install(tmp_path, server[0], repository="r", secret="hush")
    ids = set()
    for _ in range(2):
        _push(hook, f"{OLD} {NEW} refs/heads/main\n", shell=["sh"])
        headers, body = server[1].get(timeout=20)
        ids.add(parse_delivery(headers, body, ["hush"]).id)
    assert len(ids) == 2


def test_a_push_of_notes_alone_sends_nothing(tmp_path: Path, server: tuple[str, Received]) -> None:
    hook = _install(tmp_path, server[0], repository="r", secret="hush")
    _push(hook, f"{OLD} {NEW} refs/notes/windlass\n", shell=["sh"])
    _push(hook, f"{OLD} {NEW} refs/heads/main\n", shell=["sh"])
    _, body = server[1].get(timeout=20)
    assert b"refs/heads/main" in body


def test_a_push_goes_through_without_a_secret_file_and_says_so(tmp_path: Path) -> None:
    hook = _install(tmp_path, "http://127.0.0.1:9", repository="r", secret="hush")
    (tmp_path / "windlass.secret").unlink()
    done = _push(hook, f"{OLD} {NEW} refs/heads/main\n", shell=["sh"])
    assert "the daemon is not told" in done.stderr


def test_a_secret_that_others_can_read_is_complained_of(tmp_path: Path, server: tuple[str, Received]) -> None:
    hook = _install(tmp_path, server[0], repository="r", secret="hush")
    (tmp_path / "windlass.secret").chmod(0o644)
    done = _push(hook, f"{OLD} {NEW} refs/heads/main\n", shell=["sh"])
    assert "chmod 600" in done.stderr
    server[1].get(timeout=20)
