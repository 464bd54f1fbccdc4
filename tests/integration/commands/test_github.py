"""`windlass github`, as people call it: a real process, a browser played over HTTP, and a GitHub double."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from html import unescape
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest

from github_double.pages import GitHubPages, open_pages
from github_double.server import Fault, GitHubDouble, open_double
from github_double.world import WRITE, App, World, private_key, real_clock
from integration.commands.conftest import COMMAND, Project
from windlass_runner.forges.github.app_manifest import EVENTS, PERMISSIONS

KEY, SECRET = "credentials/github.private-key.pem", "credentials/github.webhook-secret"


@pytest.fixture
def hub() -> Iterator[GitHubDouble]:
    with open_double(World(clock=real_clock())) as double:
        yield double


@pytest.fixture
def pages(hub: GitHubDouble) -> Iterator[GitHubPages]:
    with open_pages(hub) as found:
        yield found


def _hear_interrupts() -> None:
    """As from a terminal, also where a shell runs the tests in the background, which shuts SIGINT out."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Setup:
    """`windlass github setup` while it runs, and its page."""

    def __init__(self, project: Project, pages: GitHubPages, *words: str, **environment: str) -> None:
        where = ("--api-url", pages.hub.url, "--web-url", pages.url, "--no-browser")
        self._streams = [(project.root.parent / name).open("w+b") for name in ("out", "err")]
        self.process = subprocess.Popen(
            [*COMMAND, "github", "setup", *where, *words],
            cwd=project.root,
            env={**project.environment, **environment},
            stdout=self._streams[0],
            stderr=self._streams[1],
            preexec_fn=_hear_interrupts,
        )
        found = self.until(lambda: re.search(r"open (http://\S+) in a browser", self.err))
        self.page = found[1] if found else ""

    def until(self, look: Callable[[], Any]) -> Any:
        """What `look` gives once it is there, or the process has ended."""
        while not (found := look()):
            if self.process.poll() is not None:
                return look()
            time.sleep(0.02)
        return found

    @property
    def out(self) -> str:
        return self._read(0)

    @property
    def err(self) -> str:
        return self._read(1)

    def _read(self, index: int) -> str:
        return Path(self._streams[index].name).read_text()

    def end(self) -> int:
        code = self.process.wait(60)
        for stream in self._streams:
            stream.close()
        return code


@pytest.fixture
def start(project: Project, pages: GitHubPages) -> Iterator[Callable[..., Setup]]:
    begun: list[Setup] = []

    def begin(*words: str, **environment: str) -> Setup:
        begun.append(Setup(project, pages, *words, **environment))
        return begun[-1]

    yield begin
    for setup in begun:
        setup.process.kill()
        setup.end()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(url: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Status, text and `Location`, as a browser gets them."""
    data = None if form is None else urlencode(form).encode()
    answer: HTTPResponse | urllib.error.HTTPError
    try:
        answer = urllib.request.build_opener(_NoRedirect).open(url, data, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status or 0, answer.read().decode(), answer.headers.get("Location", "")


def press(page: str, at: str) -> tuple[int, str, str]:
    """Send the one form of a page."""
    action = re.search(r'<form[^>]*action="([^"]*)"', page)
    assert action, page
    hidden = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page)}
    return fetch(urljoin(at, unescape(action[1])), hidden)


def agree(setup: Setup, pages: GitHubPages) -> str:
    """The person's way through all pages, up to the address that leads back."""
    _, first, _ = fetch(setup.page)
    status, asked, _ = press(first, setup.page)
    assert status == 200, asked
    status, _, back = press(asked, pages.url)
    assert status == 302
    return back


def test_an_app_is_made_installed_and_written_into_the_settings(
    project: Project, hub: GitHubDouble, pages: GitHubPages, start: Callable[..., Setup]
) -> None:
    own = "# mine\r\n[server]\r\nlisten = '127.0.0.1:0'  # as it is"
    settings = project.write("windlass.toml", own)
    setup = start("--organization", "acme", "--url", "https://ci.example.org/", "--write")
    status, text, _ = fetch(agree(setup, pages))
    assert status == 200
    assert "https://github.com/apps/windlass-acme/installations/new" in text

    setup.until(lambda: "install it on repositories" in setup.err)
    digits = hub.world.add_repository("acme/digits")
    hub.world.install(digits).permissions = dict(PERMISSIONS)
    assert setup.end() == 0, setup.err

    assert hub.world.app.owner == "acme"
    assert hub.world.app.hook_url == "https://ci.example.org/hooks/github"
    assert (project.root / KEY).read_text() == private_key()
    assert (project.root / SECRET).read_text() == "hush-hush\n"
    assert {(project.root / name).stat().st_mode & 0o777 for name in (KEY, SECRET)} == {0o600}
    assert (project.root / "credentials").stat().st_mode & 0o777 == 0o700
    assert project.git("status", "--porcelain", "-uall") == "?? windlass.toml"
    assert settings.read_bytes().decode().startswith(own + "\n\n[credentials.github]\napp_id = 4711\n")
    assert f'[[repository]]\nurl = "{pages.url}/acme/digits"\nforge = "github"\n' in settings.read_text()
    assert "acme/digits" in setup.err
    assert 'write url = "https://ci.example.org" under [server]' in setup.err
    told = setup.out + setup.err + text
    assert not [secret for secret in ("PRIVATE KEY", "hush-hush") if secret in told]

    found = project.windlass("github", "status", "--json", "github")
    assert json.loads(found.out)["credentials"][0]["facts"]["hook_url"] == hub.world.app.hook_url


def test_without_an_address_nothing_is_sent_and_the_text_is_printed(
    project: Project, hub: GitHubDouble, pages: GitHubPages, start: Callable[..., Setup]
) -> None:
    setup = start("--no-wait", "--name", "own")
    fetch(agree(setup, pages))
    assert setup.end() == 3
    assert setup.out == (
        '[credentials.own]\napp_id = 4711\nprivate_key = {file = "credentials/own.private-key.pem"}\n'
        f'api_url = "{hub.url}"\n\n'
    )
    assert not (project.root / "windlass.toml").exists()
    assert "asks GitHub for news" in setup.err
    assert "the App is installed nowhere" in setup.err
    assert hub.world.app.hook_secret is None


def test_what_is_written_makes_settings_that_lack_nothing(
    project: Project, hub: GitHubDouble, pages: GitHubPages, start: Callable[..., Setup]
) -> None:
    for name in ("acme/digits", "acme/mnist"):
        hub.world.install(hub.world.add_repository(name)).permissions = dict(PERMISSIONS)
    setup = start("--url", "https://ci.example.org", "--write", "--config", "etc/windlass.toml")
    fetch(agree(setup, pages))
    assert setup.end() == 0, setup.err
    assert setup.out == ""
    answer = project.windlass("github", "status", "--json", "--config", "etc/windlass.toml")
    assert answer.code == 0, answer.out
    [found] = json.loads(answer.out)["credentials"]
    assert {check["state"] for check in found["checks"]} == {"ok"}


def test_settings_that_cannot_take_it_in_stay_and_the_text_is_printed(
    project: Project, pages: GitHubPages, start: Callable[..., Setup]
) -> None:
    setup = start("--write", "--no-wait")
    back = agree(setup, pages)
    settings = project.write("windlass.toml", "[credentials]\n[nonsense]\n")  # somebody edits it meanwhile
    fetch(back)
    assert setup.end() == 3
    assert settings.read_text() == "[credentials]\n[nonsense]\n"
    assert "windlass.toml:2:1: unknown key 'nonsense'" in setup.err
    assert "app_id = 4711" in setup.out


def test_a_browser_is_opened_where_there_is_one(
    project: Project, pages: GitHubPages, start: Callable[..., Setup], tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    where = ("--api-url", pages.hub.url, "--web-url", pages.url, "--timeout", "0.5")
    answer = project.windlass("github", "setup", *where, BROWSER=str(browser))
    assert answer.code == 3
    assert "nobody came back from GitHub" in answer.err
    assert f"open {(tmp_path / 'opened').read_text().strip()}" in answer.err


def test_a_wrong_state_and_a_second_return_are_refused(
    project: Project, pages: GitHubPages, start: Callable[..., Setup]
) -> None:
    setup = start("--timeout", "60")
    back = agree(setup, pages)
    assert fetch(re.sub(r"state=[^&]*", "state=guess", back))[0] == 403
    assert not (project.root / KEY).exists()
    assert fetch(back)[0] == 200
    setup.until(lambda: "install it on repositories" in setup.err)
    with suppress(OSError):  # the page may be gone by now
        assert fetch(back)[0] == 410
    setup.process.send_signal(signal.SIGINT)
    assert setup.end() == 130
    assert (project.root / KEY).exists()
    assert "Traceback" not in setup.err


def test_a_code_that_is_too_old_is_told_on_the_page_and_the_terminal(
    project: Project, hub: GitHubDouble, pages: GitHubPages, start: Callable[..., Setup]
) -> None:
    setup = start()
    back = agree(setup, pages)
    hub.world.agreed.clear()
    status, text, _ = fetch(back)
    assert status == 502
    assert "older than an hour" in text
    assert setup.end() == 3
    assert "begin again" in setup.err
    assert not (project.root / KEY).exists()


def test_a_code_is_shown_again_where_github_does_not_answer_at_first(
    project: Project, hub: GitHubDouble, pages: GitHubPages, start: Callable[..., Setup]
) -> None:
    hub.plan(Fault(path="/conversions", status=502, answer="html"))
    setup = start("--no-wait")
    assert fetch(agree(setup, pages))[0] == 200
    setup.end()
    assert (project.root / KEY).read_text() == private_key()


def test_an_interrupt_before_anything_is_made_leaves_nothing(
    project: Project, hub: GitHubDouble, start: Callable[..., Setup]
) -> None:
    setup = start()
    setup.process.send_signal(signal.SIGINT)
    assert setup.end() == 130
    assert [path.name for path in (project.root / "credentials").iterdir()] == [".gitignore"]
    assert "Traceback" not in setup.err
    assert hub.requests() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--url", "http://localhost:8470"], "GitHub can reach the daemon"),
        (["--name", "taken"], "has credentials 'taken' already"),
        (["--name", "there"], "there.private-key.pem exists already; choose another name"),
        (["--api-url", "github.com"], "'github.com' is not an http address"),
        (["--config", "broken.toml"], "broken.toml:1:"),
        (["--config", "file/windlass.toml"], "cannot be written"),
        (["--config", "/proc/windlass.toml"], "cannot be written"),  # read-only, also for root
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    project: Project, words: list[str], said: str
) -> None:
    project.write("windlass.toml", '[credentials.taken]\ntoken = {env = "TOKEN"}\n')
    project.write("broken.toml", "[nonsense]\n")
    project.write("file", "not a folder")
    key = project.write("credentials/there.private-key.pem", "old")
    answer = project.windlass("github", "setup", "--no-browser", *words)
    assert (answer.code, answer.out) == (3, "")
    assert said in answer.err
    assert key.read_text() == "old"


def test_a_name_that_is_no_bare_key_is_refused(project: Project) -> None:
    answer = project.windlass("github", "setup", "--name", "../x")
    assert answer.code == 2
    assert "letters, digits" in answer.err


# -- status -----------------------------------------------------------------------------------------


@pytest.fixture
def watched(project: Project, hub: GitHubDouble) -> Project:
    """A daemon's settings with an App that lacks nothing."""
    project.write("key.pem", private_key())
    project.write(
        "windlass.toml",
        '[server]\nurl = "https://ci.example.org"\n'
        f'[credentials.acme]\napi_url = "{hub.url}"\napp_id = 4711\nprivate_key = {{file = "key.pem"}}\n'
        'webhook_secret = {env = "SECRET"}\n'
        '[[repository]]\nurl = "https://github.com/acme/digits"\nforge = "github"\ncredentials = "acme"\n',
    )
    hub.world.app = App(
        permissions=dict(PERMISSIONS), events=list(EVENTS), hook_url="https://ci.example.org/hooks/github"
    )
    hub.world.install(hub.world.add_repository("acme/digits")).permissions = dict(PERMISSIONS)
    return project


def status_of(project: Project, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    answer = project.windlass("github", "status", "--json", **{"SECRET": "s", **environment})
    [found] = json.loads(answer.out)["credentials"]
    assert found["ok"] == (answer.code == 0)
    return answer.code, {check["name"]: check for check in found["checks"] if check["state"] != "ok"}


def test_an_app_that_lacks_nothing_is_told_so(watched: Project) -> None:
    assert status_of(watched) == (0, {})
    answer = watched.windlass("github", "status", SECRET="s")
    assert "acme: acme/digits" in answer.out
    assert "5000 requests left" in answer.out


def _lacks(hub: GitHubDouble) -> None:
    hub.world.app.permissions = {**PERMISSIONS, "checks": "read"}


def _not_granted(hub: GitHubDouble) -> None:
    granted = {name: level for name, level in WRITE.items() if name != "deployments"}
    next(iter(hub.world.installations.values())).permissions = granted


def _deaf(hub: GitHubDouble) -> None:
    hub.world.app.events = ["push"]


def _suspended(hub: GitHubDouble) -> None:
    next(iter(hub.world.installations.values())).is_suspended = True


def _nowhere(hub: GitHubDouble) -> None:
    hub.world.installations.clear()


def _elsewhere(hub: GitHubDouble) -> None:
    hub.world.app.hook_url = "https://old.example.org/hooks/github"


def _gone(hub: GitHubDouble) -> None:
    hub.world.repositories[next(iter(hub.world.repositories))].name = "acme/renamed"


@pytest.mark.parametrize(
    ("spoil", "name", "said"),
    [
        (_lacks, "permissions", "does not ask for checks: write"),
        (_not_granted, "installation", "not granted: deployments: write, issues: read"),
        (_deaf, "events", "check_run, check_suite"),
        (_suspended, "installation", "suspended"),
        (_nowhere, "installation", "installed nowhere"),
        (_elsewhere, "webhook", "https://old.example.org/hooks/github, not to https://ci.example.org"),
        (_gone, "repository", "acme/digits: the App does not reach it"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(
    watched: Project, hub: GitHubDouble, spoil: Callable[[GitHubDouble], None], name: str, said: str
) -> None:
    spoil(hub)
    code, found = status_of(watched)
    assert code == 3
    assert said in found[name]["text"]
    assert re.search(r" at https?://", found[name]["remedy"])


def test_webhooks_that_the_daemon_cannot_tell_from_others_are_a_failure(watched: Project) -> None:
    code, found = status_of(watched, SECRET="")
    assert code == 3
    assert "no webhook_secret" in found["webhook"]["text"]


def test_failed_deliveries_are_counted_once_and_those_that_went_through_later_are_not(
    watched: Project, hub: GitHubDouble
) -> None:
    again = hub.deliver("create", {})
    again.status_code = 502
    later = hub.deliver("create", {})
    later.guid, later.status_code = again.guid, 202
    hub.deliver("push", {})
    hub.deliver("ping", {})
    code, found = status_of(watched)
    assert code == 0
    assert "2 deliveries failed, last ping" in found["deliveries"]["text"]
    hub.deliver("push", {}).status_code = 202
    assert status_of(watched) == (0, {})


def test_a_clock_that_differs_and_a_limit_that_is_near_are_worth_a_word(
    watched: Project, hub: GitHubDouble
) -> None:
    ahead = real_clock()
    hub.world.clock = type("Ahead", (), {"__call__": lambda _: ahead() + 500})()
    hub.world.hourly_limit = 2  # the repositories, the limit itself
    code, found = status_of(watched)
    assert code == 0
    assert re.search(r"(499|500|501) s behind GitHub's", found["clock"]["text"])
    assert "0 of 2 requests left" in found["limit"]["text"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("^/app$", 502, "502"),
        ("^/app$", 200, "not as GitHub describes itself"),
        ("^/app/hook/deliveries", 200, "not as GitHub describes itself"),
        ("^/installation/repositories", 200, "not GitHub's API"),
        ("^/rate_limit", 200, "not as GitHub describes itself"),
    ],
)
def test_a_github_that_is_away_or_something_else_is_not_the_owners_fault(
    watched: Project, hub: GitHubDouble, path: str, status: int, said: str
) -> None:
    hub.plan(Fault(path=path, status=status, times=9))
    code, found = status_of(watched)
    assert code == 4
    assert said in found["github"]["text"]


def test_a_github_without_webhooks_and_limits_lacks_nothing_else(watched: Project, hub: GitHubDouble) -> None:
    hub.plan(Fault(path="/hook/|^/rate_limit", status=404, times=9))
    code, found = status_of(watched)
    assert (code, list(found)) == (3, ["webhook"])
    assert "webhooks go to nobody" in found["webhook"]["text"]


def test_an_app_of_an_enterprise_is_set_on_its_page(watched: Project, hub: GitHubDouble) -> None:
    hub.world.app.owner_kind, hub.world.app.events = "enterprise", ["push"]
    code, found = status_of(watched)
    assert (code, list(found)) == (3, ["events"])
    assert "/enterprises/acme/settings/apps/windlass" in found["events"]["remedy"]
    assert "of acme)" in watched.windlass("github", "status", SECRET="s").out


def test_a_key_of_another_app_is_the_owners(watched: Project, hub: GitHubDouble) -> None:
    hub.world.app_id = 1
    code, found = status_of(watched)
    assert code == 3
    assert "Integration not found" in found["github"]["text"]


@pytest.mark.parametrize(
    ("scopes", "permission", "code", "said"),
    [
        ("repo, workflow", "write", 0, {}),
        (None, "admin", 0, {}),
        ("public_repo, repo:status", "write", 0, {"scopes": "public repositories alone"}),
        ("gist", "write", 3, {"scopes": "gist; it lacks repo"}),
        ("", "write", 3, {"scopes": "none; it lacks repo"}),
        ("repo", "read", 3, {"repository": "may not write"}),
    ],
)
def test_with_a_persons_token_statuses_stand_in_for_checks(
    project: Project, hub: GitHubDouble, scopes: str | None, permission: str, code: int, said: dict[str, str]
) -> None:
    hub.world.add_repository("acme/digits").permissions["ann"] = permission
    project.write(
        "windlass.toml",
        f'[credentials.ann]\napi_url = "{hub.url}"\ntoken = {{env = "TOKEN"}}\n'
        '[[repository]]\nurl = "https://github.com/acme/digits"\nforge = "github"\ncredentials = "ann"\n',
    )
    found_code, found = status_of(project, TOKEN=hub.world.add_person("ann", scopes=scopes))
    assert found_code == code
    assert "commit statuses stand in for checks" in found.pop("token")["text"]
    assert found.keys() == said.keys()
    for name, text in said.items():
        assert text in found[name]["text"]


def test_names_of_strangers_steer_no_terminal(watched: Project, hub: GitHubDouble) -> None:
    hub.world.app.name = "CI\x1b[2J"
    hub.world.app.hook_url = "https://x.example/\x07\nok"
    answer = watched.windlass("github", "status", SECRET="s")
    assert "app          CI (number" in answer.out
    assert not re.search(r"[^\n -~✓✗→]", answer.out.replace("\ufffd", ""))
    assert not re.search(r"^ok", answer.out, re.MULTILINE)


def test_settings_without_credentials_lead_to_the_setup(project: Project) -> None:
    project.write("windlass.toml", "")
    answer = project.windlass("github", "status")
    assert answer.code == 3
    assert "windlass github setup" in answer.err


def test_the_doctor_has_one_line_for_each_credential(watched: Project, hub: GitHubDouble) -> None:
    _nowhere(hub)
    answer = watched.windlass("doctor", "--json", SECRET="s")
    [found] = [check for check in json.loads(answer.out)["checks"] if check["name"] == "github"]
    assert found["state"] == "fail"
    assert found["text"].startswith("acme: the App is installed nowhere")
    assert "installations/new" in found["remedy"]
