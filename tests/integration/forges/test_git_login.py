"""Git reaches a repository with a forge's token: that forge alone sees it, and nobody on this machine."""

from __future__ import annotations

import os
import shutil
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from integration.daemon.git_http import git_over_http
from integration.daemon.serving import git
from windlass_registry.errors import OperatorError, WindlassError
from windlass_runner.daemon.forges import Forges
from windlass_runner.daemon.settings import parse_settings
from windlass_runner.forges.git import Git
from windlass_runner.forges.git_login import Login

TOKEN = "glpat-quite$ecret'\"`x"
SHOWN = "Basic " + b64encode(f"oauth2:{TOKEN}".encode()).decode()


@pytest.fixture
def hosted(tmp_path: Path) -> Path:
    """A folder with `acme/digits.git`."""
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    git(work, "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(tmp_path / "hosted" / "acme" / "digits.git"))
    return tmp_path / "hosted"


def open_git(tmp_path: Path, *, opens: str) -> tuple[Git, Path]:
    """A git that knows what opens that address, and notes the arguments that it is started with; its owner
    has a helper that stores what it is given."""
    arguments, program = tmp_path / "arguments", tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >>{arguments}\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[credential]\nhelper = store --file {tmp_path}/stored\n")
    environment = {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    login = Login(user="oauth2", password=TOKEN)
    return Git(environment=environment, login=lambda url: login if url == opens else None), arguments


def test_the_token_opens_the_repository_and_is_left_nowhere(tmp_path: Path, hosted: Path) -> None:
    with git_over_http(hosted, is_welcome=lambda given: given == SHOWN) as root:
        address = f"{root}/acme/digits.git"
        opened, arguments = open_git(tmp_path, opens=address)
        refs = opened.ls_remote(address)
        mirror = tmp_path / "mirror"
        opened.init_mirror(mirror)
        opened.fetch_commit(mirror, address, ref="refs/heads/main", sha=refs["HEAD"])
    assert opened.has_commit(mirror, refs["HEAD"])
    assert "fetch" in arguments.read_text()
    places = [path for path in (*mirror.rglob("*"), arguments, tmp_path / "stored") if path.is_file()]
    assert not any("glpat" in path.read_text(errors="replace") for path in places)


def test_a_token_that_does_not_hold_is_the_owners_to_mend_and_not_told(tmp_path: Path, hosted: Path) -> None:
    with git_over_http(hosted, is_welcome=lambda _given: False) as root:
        address = f"{root}/acme/digits.git"
        opened, _ = open_git(tmp_path, opens=address)
        with pytest.raises(OperatorError, match="give the daemon credentials") as caught:
            opened.ls_remote(address)
    assert "glpat" not in str(caught.value)


@contextmanager
def leading_to(target: str) -> Iterator[str]:
    """A server that sends everybody on."""

    class Leading(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", target + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Leading) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_another_host_is_not_shown_the_token_also_when_the_first_one_leads_there(
    tmp_path: Path, hosted: Path
) -> None:
    shown: list[str] = []

    def is_welcome(given: str) -> bool:
        shown.append(given)
        return False

    with git_over_http(hosted, is_welcome=is_welcome) as elsewhere, leading_to(elsewhere) as root:
        address = f"{root}/acme/digits.git"
        opened, _ = open_git(tmp_path, opens=address)
        for url in (address, f"{elsewhere}/acme/digits.git"):
            with pytest.raises(WindlassError):
                opened.ls_remote(url)
    assert set(shown) == {""}


SETTINGS = """
[credentials.forge]
api_url = "{api}"
token = {{env = "TOKEN"}}
[[repository]]
url = "{url}"
name = "acme/digits"
forge = "{forge}"
credentials = "forge"
"""


@pytest.mark.parametrize(
    ("forge", "url", "api", "is_given"),
    [
        ("gitlab", "https://gitlab.example.org/acme/digits.git", "https://gitlab.example.org/api/v4", True),
        ("gitea", "https://git.example.org:3000/acme/digits", "https://git.example.org:3000/api/v1", True),
        ("gitea", "http://127.0.0.1:3000/acme/digits", "http://127.0.0.1:3000/api/v1", True),
        ("gitea", "http://git.example.org/acme/digits", "http://git.example.org/api/v1", False),
        ("gitea", "http://git.example.org/acme/digits", "https://git.example.org/api/v1", False),
        ("gitlab", "https://elsewhere.example.org/acme/digits", "https://gitlab.example.org/api/v4", False),
        ("gitlab", "git@gitlab.example.org:acme/digits.git", "https://gitlab.example.org/api/v4", False),
    ],
)
def test_the_token_of_the_settings_is_for_the_host_of_its_api(
    tmp_path: Path, forge: str, url: str, api: str, is_given: bool
) -> None:
    environ = {"TOKEN": "t0ken", "HOME": str(tmp_path)}
    text = SETTINGS.format(forge=forge, url=url, api=api)
    settings = parse_settings(text, path=tmp_path / "windlass.toml", environ=environ)
    login = Forges(settings, environ).git_login(url)
    assert login == (Login(user="oauth2", password="t0ken") if is_given else None)
    assert "t0ken" not in repr(login)
