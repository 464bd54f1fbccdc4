"""What is said of an App and of a token, from what GitHub told."""

from __future__ import annotations

from typing import Any

import pytest

from windlass_runner.commands.checks import Check
from windlass_runner.commands.github_facts import App, Installation, RateLimit
from windlass_runner.commands.github_judgement import judge_app, judge_clock, judge_rate
from windlass_runner.forges.github.app_manifest import EVENTS, PERMISSIONS

HOOK = "https://ci.example.org/hooks/github"


def app(*names: str, **changes: Any) -> App:
    installation = Installation(
        id=1,
        account="acme",
        page="https://github.com/i/1",
        permissions=PERMISSIONS,
        events=EVENTS,
        is_suspended=False,
        repositories=names,
    )
    values: dict[str, Any] = {
        "id": 7,
        "name": "CI",
        "owner": "acme",
        "page": "https://github.com/apps/ci",
        "settings_page": "https://github.com/settings/apps/ci",
        "permissions": PERMISSIONS,
        "events": EVENTS,
        "installations": (installation,),
        "hook_url": HOOK,
        "failed": (),
        "is_heard": True,
        "skew_s": 0.0,
    }
    return App(**{**values, **changes})


def judged(found: App, *, address: str | None = "https://ci.example.org") -> dict[str, Check]:
    return {
        check.name: check for check in judge_app(found, repositories=None, address=address, has_secret=True)
    }


@pytest.mark.parametrize(
    ("hook_url", "address", "state", "said"),
    [
        (HOOK, "https://ci.example.org", "ok", HOOK),
        (HOOK, "https://ci.example.org/", "ok", HOOK),
        (HOOK.replace("https", "http"), "http://ci.example.org", "warn", "who listens on the way"),
        (HOOK, "https://new.example.org", "fail", f"{HOOK}, not to https://new.example.org/hooks/github"),
        (None, "https://ci.example.org", "fail", "webhooks go to nobody"),
        (None, None, "ok", "asks GitHub for news"),
        ("https://example.org/hooks/github", None, "ok", "asks GitHub for news"),
        (HOOK, None, "warn", "no public address"),
    ],
)
def test_where_webhooks_go_is_held_against_where_the_daemon_is(
    hook_url: str | None, address: str | None, state: str, said: str
) -> None:
    found = judged(app(hook_url=hook_url), address=address)["webhook"]
    assert found.state == state
    assert said in found.text


def test_many_repositories_are_counted() -> None:
    names = [f"acme/r{number}" for number in range(8)]
    assert judged(app(*names))["installation"].text.endswith("acme/r4 and 3 more")


@pytest.mark.parametrize(
    ("watched", "said"),
    [
        ((), ["the settings watch none of them"]),
        (("Acme/One",), []),
        (("acme/one", "acme/two"), ["acme/two: the App does not reach it"]),
    ],
)
def test_what_is_watched_is_held_against_what_is_reached(watched: tuple[str, ...], said: list[str]) -> None:
    found = judge_app(app("acme/one"), repositories=watched, address=None, has_secret=True)
    assert [check.text for check in found if check.name == "repository"] == said


@pytest.mark.parametrize(
    ("skew_s", "state", "said"),
    [(3, "ok", "as GitHub's"), (90, "warn", "90 s behind"), (-90, "warn", "90 s ahead of GitHub's")],
)
def test_a_clock_is_held_against_githubs(skew_s: float, state: str, said: str) -> None:
    found = judge_clock(skew_s)
    assert found.state == state
    assert said in found.text


@pytest.mark.parametrize(("remaining", "state"), [(5000, "ok"), (500, "ok"), (499, "warn"), (0, "warn")])
def test_few_requests_left_are_worth_a_word(remaining: int, state: str) -> None:
    found = judge_rate("acme", RateLimit(remaining=remaining, limit=5000, resets_at=1_800_000_000))
    assert found.state == state
    assert found.text == f"acme: {remaining} of 5000 requests left until 08:00:00 UTC"
