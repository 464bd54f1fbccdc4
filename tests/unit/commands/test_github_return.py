"""The page on this machine to which a browser comes back from GitHub: for whom, with what, and how often."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.commands.github_return import ReturnPage


@pytest.fixture
def page() -> Iterator[ReturnPage]:
    with ReturnPage() as found:
        yield found


def get(page: ReturnPage, path: str, *, host: str | None = None) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{page.port}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def back(page: ReturnPage, **query: str) -> str:
    return "/callback?" + urlencode({"state": page.state, "code": "c0de", **query})


def test_a_code_is_taken_once_and_the_browser_sees_the_last_page(page: ReturnPage) -> None:
    taken: list[str] = []
    page.open(start=lambda: "start", take=lambda code: taken.append(code) or "made")
    assert get(page, "/")[:2] == (200, "start")
    assert get(page, back(page))[:2] == (200, "made")
    page.wait(30)
    for path in (back(page), "/"):
        status, text, _ = get(page, path)
        assert status == 410
        assert "Done already" in text
    assert taken == ["c0de"]


def test_a_browser_that_comes_back_twice_at_once_is_heard_once(page: ReturnPage) -> None:
    taken: list[str] = []
    began, goes_on = threading.Event(), threading.Event()

    def take(code: str) -> str:
        taken.append(code)
        began.set()
        assert goes_on.wait(30)
        return "made"

    page.open(start=str, take=take)
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(get(page, back(page))[0]), daemon=True) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    assert began.wait(30)
    goes_on.set()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200, 410]
    assert taken == ["c0de"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"state": "guess"}, 403),
        ({"state": ""}, 403),
        ({"state": "ä"}, 403),
        ({"code": ""}, 400),
        ({"code": "x" * 1000}, 400),
    ],
)
def test_what_did_not_begin_here_is_refused_and_spoils_nothing(
    page: ReturnPage, query: dict[str, str], status: int
) -> None:
    page.open(start=str, take=lambda code: f"made by {code}")
    assert get(page, back(page, **query))[0] == status
    assert get(page, back(page))[:2] == (200, "made by c0de")


def test_another_sites_name_for_this_address_is_refused(page: ReturnPage) -> None:
    page.open(start=lambda: page.state, take=str)
    for path in ("/", back(page)):
        status, text, _ = get(page, path, host=f"evil.example:{page.port}")
        assert status == 421
        assert page.state not in text
    assert get(page, "/", host=f"localhost:{page.port}")[0] == 200


def test_pages_load_nothing_are_not_kept_and_unknown_ones_are_not_echoed(page: ReturnPage) -> None:
    page.open(start=str, take=str)
    status, text, headers = get(page, "/<b>nowhere</b>")
    assert status == 404
    assert "nowhere" not in text
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cache-Control"] == "no-store"
    assert not re.search(r"(?:src|href)=|<script|@import|url\(", text)


def test_what_goes_wrong_with_the_code_is_told_in_both_places(page: ReturnPage) -> None:
    def take(_code: str) -> str:
        raise UpstreamError("GitHub sleeps <deeply>")

    page.open(start=str, take=take)
    status, text, _ = get(page, back(page))
    assert status == 502
    assert "GitHub sleeps &lt;deeply&gt;" in text
    with pytest.raises(UpstreamError, match="sleeps"):
        page.wait(30)


def test_a_mistake_of_ours_is_not_shown_in_the_browser_but_raised(page: ReturnPage) -> None:
    def take(_code: str) -> str:
        raise KeyError("inside")

    page.open(start=str, take=take)
    status, text, _ = get(page, back(page))
    assert status == 502
    assert "inside" not in text
    with pytest.raises(KeyError, match="inside"):
        page.wait(30)


def test_nobody_is_waited_for_without_end(page: ReturnPage) -> None:
    page.open(start=str, take=str)
    with pytest.raises(OperatorError, match="nobody came back"):
        page.wait(0)


def test_leaving_waits_for_what_was_begun_with_a_code() -> None:
    began, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

    def take(_code: str) -> str:
        began.set()
        assert goes_on.wait(30)
        ended.set()
        return "made"

    with ReturnPage() as page:
        page.open(start=str, take=take)
        browser = threading.Thread(target=get, args=(page, back(page)), daemon=True)
        browser.start()
        assert began.wait(30)
        threading.Timer(0.05, goes_on.set).start()
    assert ended.is_set()
    browser.join(30)


def test_a_port_that_is_taken_is_told_with_a_remedy(page: ReturnPage) -> None:
    with pytest.raises(OperatorError, match="--port"):
        ReturnPage(port=page.port)
