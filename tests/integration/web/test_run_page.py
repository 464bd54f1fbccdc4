"""The page of a run over real HTTP: for those who have its link, live, and made of nothing but text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Final

import pytest

from integration.web.calling import Answer
from integration.web.linked import NOW, Linked, serving_links
from integration.web.page_values import EVIL, SHA, add_run, write_log
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptUpdate, JobUpdate, RunUpdate
from windlass_runner.run.app import AppAddress
from windlass_runner.run.storage import Storage
from windlass_runner.web.links import LIFETIME_S, run_url

VOID: Final = frozenset(("meta", "link", "br", "input", "circle", "path", "polyline"))


class Reader(HTMLParser):
    """Notes the tags, the text and the addresses of a page, and that every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def one(self, tag: str, **wanted: str) -> dict[str, str | None]:
        found = [have for name, have in self.tags if name == tag and wanted.items() <= have.items()]
        assert len(found) == 1, found
        return found[0]


class Served:
    """A run that goes on, and its page."""

    def __init__(self, linked: Linked, ledger: Ledger, storage: Storage) -> None:
        self.linked, self.ledger, self.storage = linked, ledger, storage
        self.run = add_run(ledger, storage, at=NOW)

    @property
    def url(self) -> str:
        return run_url(self.linked.links, self.ledger.runs.get(self.run))

    def get(self, more: str = "") -> Answer:
        return self.linked.get(self.url + more)

    def read(self) -> Reader:
        answer = self.get()
        assert answer.status == 200
        return Reader(answer.body.decode())


@pytest.fixture
def served(ledger: Ledger, storage: Storage) -> Iterator[Served]:
    with serving_links(ledger, storage) as linked:
        yield Served(linked, ledger, storage)


def test_it_tells_how_the_run_stands_and_what_each_job_waits_for(served: Served) -> None:
    page = served.read()
    assert "running: Train the digits #1" in page.text
    assert "3 of 5 jobs done, 1 failed" in page.text
    assert "waits for fit (lr=0.01)" in page.text
    assert "push to main" in page.text
    assert "2 min 0 s" in page.text
    assert page.one("a", href=f"https://example.org/commit/{SHA}")["rel"] == "noreferrer"
    assert "epoch 1  loss 0.91\n" in page.text
    assert "0.952" in page.text
    assert "sha256:" + "b" * 64 in page.text
    assert "python 1.2.0" in page.text
    assert "On gpu1." in page.text
    assert sum(tag == "svg" for tag, _ in page.tags) == 4


def test_what_was_expected_stands_with_what_was_found(served: Served) -> None:
    judged = {"metric": EVIL, "condition": "< 0.1", "verdict": "broken", "found": 0.91, "bound": 0.1}
    ended = AttemptUpdate(
        job_key="fit (lr=0.1)", number=1, state="ended", at=NOW, detail={"expectations": [judged]}
    )
    served.ledger.runs.record(served.run, attempts=[ended], at=NOW)
    assert f"{EVIL}< 0.10.91✗ broken" in served.read().text


def test_an_app_is_shown_with_the_time_that_is_left_and_what_stops_it(served: Served) -> None:
    job = "fit (lr=0.01)"

    def shows(detail: dict[str, object]) -> Reader:
        started = AttemptUpdate(job_key=job, number=1, state="started", at=NOW, detail={"app": detail})
        served.ledger.runs.record(served.run, attempts=[started], at=NOW)
        return served.read()

    address = AppAddress(host="h", port=1, base="/apps/x/y/", path="/", ends_at=NOW + 2 * 3600 + 30)
    page = shows(address.to_json())
    stop = page.one("button", **{"data-job": job})["data-stop"]
    assert stop == f"/api/v1/runs/{served.run}/jobs/fit%20%28lr%3D0.01%29/stop"
    assert f"windlass show {served.run} tells how to open the app." in page.text
    assert "It ends by itself in 2 h 1 min, at 1970-01-01 02:17 UTC" in page.text
    assert "ends by itself" not in shows(replace(address, ends_at=None).to_json()).text


def test_what_failed_and_what_runs_is_unfolded(served: Served) -> None:
    jobs = {have["id"]: "open" in have for tag, have in served.read().tags if tag == "details"}
    assert jobs == {"job-1": False, "job-2": True, "job-3": True, "job-4": False, "job-5": False}


def test_nothing_that_a_job_says_becomes_markup(served: Served) -> None:
    answer = served.get()
    assert answer.body.decode().count("<script") == 1
    assert served.read().text.count(EVIL) == 7
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_without_a_script_it_loads_itself_anew_until_the_run_has_ended(served: Served) -> None:
    assert served.read().one("meta", **{"http-equiv": "refresh"})["content"] == "5"
    served.ledger.runs.record(served.run, run=RunUpdate(state="failure", ended_at=NOW), at=NOW)
    page = served.read()
    assert not any("http-equiv" in have for _, have in page.tags)
    assert page.one("main")["data-final"] == "yes"


def test_behind_its_cursor_it_comes_again_where_something_happened(served: Served) -> None:
    cursor = served.read().one("main")["data-cursor"]
    assert served.get(f"&after={cursor}").status == 204
    job = JobUpdate(key="fit (lr=0.01)", state="success", ended_at=NOW)
    served.ledger.runs.record(served.run, jobs=[job], at=NOW)
    assert served.get(f"&after={cursor}").status == 204  # no event tells of it
    served.ledger.runs.request_cancel(served.run, at=NOW)
    page = Reader(served.get(f"&after={cursor}").body.decode())
    assert "4 of 5 jobs done" in page.text
    assert served.get("&after=x").status == 200


def test_a_log_goes_on_behind_its_cursor(served: Served) -> None:
    log = served.read().one("pre", id="job-3-log")
    write_log(served.storage, served.run, "fit (lr=0.01)", [("", "epoch 31"), ("debug", "not for people")])
    news = json.loads(served.linked.get(f"{log['data-log']}&cursor={log['data-cursor']}").body)
    assert news["lines"] == [{"kind": "", "text": "epoch 31"}]
    assert not news["is_final"]
    job = JobUpdate(key="fit (lr=0.01)", state="success", ended_at=NOW)
    served.ledger.runs.record(served.run, jobs=[job], at=NOW)
    more = json.loads(served.linked.get(f"{log['data-log']}&cursor={news['next']}").body)
    assert (more["lines"], more["is_final"]) == ([], True)


def test_a_whole_log_is_plain_text(served: Served) -> None:
    log = served.read().one("pre", id="job-2-log")
    answer = served.linked.get(str(log["data-log"]))
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert EVIL in answer.body.decode()
    assert answer.body.decode().endswith("ValueError: input contains NaN\n")


def test_who_has_no_link_learns_nothing(served: Served) -> None:
    wrong = re.sub(r"signature=.{5}", "signature=AAAAA", served.url)
    bare = served.url.partition("?")[0]
    for url in (wrong, bare, served.url.replace(served.run, "1m7y5x0000000")):
        answer = served.linked.get(url + ("&" if "?" in url else "?") + "after=0")
        assert (answer.status, b"digits" in answer.body) == (404, False)
    ended = served.linked.links.make("runs", served.run, since=NOW - LIFETIME_S - 1)
    assert served.linked.get(ended).status == 410


def test_a_run_that_was_removed_is_gone(served: Served) -> None:
    url = served.linked.links.make("runs", "1m7y5x0000000", since=NOW)
    assert served.linked.get(url).status == 410


def test_the_script_and_the_style_come_from_the_daemon_alone(served: Served) -> None:
    page = served.read()
    names = [page.one("script")["src"], page.one("link", rel="stylesheet")["href"]]
    for name in names:
        assert name is not None
        assert name.startswith("/assets/")
        assert served.linked.get(f"{served.linked.links.address}{name}?").status == 200
    assert served.linked.get(f"{served.linked.links.address}/assets/../run_page.py?").status == 404
