"""Apps as people use them: opened in a real browser from the page of their run, kept apart, and stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from integration.daemon.own_network import own_network
from integration.daemon.serving import Repository, Serving, configure, wait_until

PATIENCE_MS = 30_000
FILES = {
    ".windlass/workflows/see.yaml": """
on: push
jobs:
  one: {uses: ./tiny, outputs: {left: {type: string}}}
  two: {uses: ./tiny}
""",
    "tiny/action.yml": """
name: Tiny
runs: {using: python, main: main.py}
app: {port: 8888, path: /page, ready: /api}
""",
    "tiny/main.py": (Path(__file__).parents[1] / "run/tiny_app.py").read_text(),
}
READS = """async (url) => {
  const said = {cookie: document.cookie, kept: localStorage.own};
  said.fetched = await fetch(url, {credentials: "include"}).then(() => "it came", () => "refused");
  const frame = Object.assign(document.createElement("iframe"), {src: url});
  said.framed = await new Promise((done) => {
    frame.onload = () => done(frame.contentDocument?.title || "refused");
    document.body.append(frame);
  });
  said.heard = await new Promise((done) => {
    const socket = new WebSocket(url.replace("http", "ws").replace(/page$/, "socket"));
    socket.onmessage = () => done("it came");
    socket.onerror = () => done("refused");
  });
  return said;
}"""
"""What a page of one app learns of another, whose address it has somehow heard."""


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """A browser drops what is on its way when an interface comes or goes, as Docker's do in other tests."""
    with own_network():
        yield


@pytest.fixture(scope="module")
def browser(network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        assert "CI" not in os.environ, "there is neither chromium nor google-chrome"
        pytest.skip("there is neither chromium nor google-chrome")
    environment: dict[str, str | float | bool] = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
    rules = ["--no-sandbox", "--host-resolver-rules=MAP ci.test 127.0.0.1"]
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=rules, env=environment)
        yield browser
        browser.close()


@pytest.fixture
def begin(network: None, tmp_path: Path, repository: Repository) -> Iterator[Callable[[str], Serving]]:
    """Starts a daemon that others reach under a host name."""
    serving = Serving(folder=tmp_path)

    def begin(host: str) -> Serving:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        configure(tmp_path, repository)
        settings = tmp_path / "windlass.toml"
        own = f'listen = "127.0.0.1:{port}"\nurl = "http://{host}:{port}"\nlink_apps = true'
        settings.write_text(settings.read_text().replace('listen = "127.0.0.1:0"', own))
        serving.start()
        return serving

    yield begin
    for life in serving.lives:
        windlass(serving, "cancel", "latest", "--force", "--wait")  # apps outlive their daemon
        life.terminate()
        life.wait(15)
        if life.stdout is not None:
            life.stdout.close()


def run_page(browser: Browser, repository: Repository) -> tuple[str, Page]:
    """The commit, and the page of its run, where both apps can be opened."""
    sha = repository.commit(FILES)
    repository.push()
    wait_until(
        lambda: sum("outputs" in job for job in jobs(repository, sha)) == 2, what="both apps in the note"
    )
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    note = repository.note(sha)
    assert note is not None
    page.goto(note["workflows"][0]["url"])
    return sha, page


def jobs(repository: Repository, sha: str) -> list[dict[str, Any]]:
    note = repository.note(sha)
    found: list[dict[str, Any]] = [] if note is None else note["workflows"][0]["jobs"]
    return found


def opened(page: Page, place: int) -> Page:
    """The app of the job at that place, opened from there, once it speaks over its WebSocket."""
    link = page.locator(f"#job-{place}").get_by_role("link", name="Open the app")
    with page.expect_popup() as popup:
        link.click()
    app = popup.value
    expect(app.locator("#said")).to_have_text("echo of the page")
    assert "signature" not in app.url
    return app


def test_apps_open_from_the_page_of_their_run_each_for_itself_and_end_there(
    begin: Callable[[str], Serving], repository: Repository, browser: Browser
) -> None:
    serving = begin("localhost")
    sha, page = run_page(browser, repository)
    one, two = opened(page, 1), opened(page, 2)
    hosts = {urlsplit(app.url).hostname for app in (one, two)}
    assert len(hosts) == 2
    assert all(re.fullmatch("[a-z2-7]{32}[.]localhost", host or "") for host in hosts)
    base = urlsplit(two.url).path.removesuffix("page")
    own = {"cookie": f"own={base}", "kept": base}
    assert two.evaluate(READS, two.url) == {**own, "fetched": "it came", "framed": "tiny", "heard": "it came"}
    refused = dict.fromkeys(("fetched", "framed", "heard"), "refused")
    assert two.evaluate(READS, one.url) == {**own, **refused}

    expect(page.locator("#job-1 [data-ends]")).to_contain_text(" h ")
    page.locator("#job-1").get_by_role("button", name="Stop").click()
    page.get_by_label("Your token").fill("wl_wrong")
    page.get_by_role("button", name="Stop it").click()
    expect(page.get_by_role("alert")).to_have_text("the token is not one of this daemon")
    page.get_by_label("Your token").fill(token_of(serving, "ada"))
    page.get_by_role("button", name="Stop it").click()
    expect(page.locator("#job-1 .pill")).to_have_text("success")
    wait_until(lambda: jobs(repository, sha)[0]["state"] == "success", what="its end in the note")
    job = jobs(repository, sha)[0]
    assert (job["reason"], job["outputs"][0]["value"]) == ("stopped by ada", "what the app left")
    one.reload()
    assert "This app has ended" in one.content()
    expect(two.locator("#said")).to_have_text("echo of the page")


def test_under_one_host_name_a_page_of_an_app_asks_for_nothing_outside_its_path(
    begin: Callable[[str], Serving], repository: Repository, browser: Browser
) -> None:
    begin("ci.test")
    _, page = run_page(browser, repository)
    one, two = opened(page, 1), opened(page, 2)
    assert urlsplit(one.url).netloc == urlsplit(two.url).netloc == urlsplit(page.url).netloc
    for url, came in ((two.url, {"it came", "tiny"}), (one.url, {"refused"})):
        said = two.evaluate(READS, url)
        assert {said[name] for name in ("fetched", "framed", "heard")} == came


def token_of(serving: Serving, name: str) -> str:
    token: str = windlass(serving, "tokens", "create", name, "--scope", "run")["token"]
    return token


def windlass(serving: Serving, *words: str) -> Any:
    """What a command says; nothing where it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "windlass_runner.cli", *words, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=serving.folder,
    )
    return json.loads(done.stdout or "{}")
