"""What is asked of GitHub for an App of one's own, and what it hands over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from github_double.description import DOCUMENT, SHARED, load_description
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.forges.github.app_manifest import (
    EVENTS,
    PERMISSIONS,
    check_public_address,
    make_manifest,
    missing_events,
    missing_permissions,
    parse_conversion,
    registration_address,
    web_address,
)

BACK = "http://127.0.0.1:4000/callback"


def conversion(**given: Any) -> dict[str, Any]:
    found: dict[str, Any] = load_description().whole("integration", given, url="https://api.github.com")
    secrets = {"client_id": "Iv1", "client_secret": "c", "webhook_secret": "hush", "pem": "KEY"}
    return {**secrets, "slug": "windlass-acme", **found, **given}


@pytest.mark.skipif(not SHARED.exists(), reason="there is no ../shared beside this repository")
def test_every_permission_that_is_asked_for_is_one_of_githubs() -> None:
    known = json.loads(DOCUMENT.read_text())["components"]["schemas"]["app-permissions"]["properties"]
    assert {name for name, level in PERMISSIONS.items() if level not in known[name]["enum"]} == set()


def test_a_hook_goes_to_the_daemons_address() -> None:
    manifest = make_manifest(name="ci", address="https://ci.example.org", return_to=BACK)
    assert manifest["hook_attributes"] == {"url": "https://ci.example.org/hooks/github", "active": True}
    assert manifest["redirect_url"] == BACK
    assert not manifest["public"]


def test_without_an_address_the_hook_is_not_active() -> None:
    manifest = make_manifest(name="ci", address=None, return_to=BACK)
    assert manifest["hook_attributes"]["active"] is False
    assert manifest["hook_attributes"]["url"].startswith("https://example.org/")


def test_an_organization_has_its_own_page_and_a_strange_name_stays_one_part_of_the_path() -> None:
    web = "https://github.com"
    assert registration_address(web, organization=None, state="s") == f"{web}/settings/apps/new?state=s"
    own = registration_address(web, organization="a/../b", state="s&t")
    assert own == f"{web}/organizations/a%2F..%2Fb/settings/apps/new?state=s%26t"


@pytest.mark.parametrize(
    ("api", "web"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("https://git.example.org/api/v3", "https://git.example.org"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_where_people_see_a_github_follows_from_where_its_api_is(api: str, web: str) -> None:
    assert web_address(api) == web


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8470",
        "https://127.0.0.1",
        "http://[::1]:8470",
        "https://ci.localhost.",
        "ftp://x.org",
    ],
)
def test_an_address_that_github_cannot_reach_is_refused(url: str) -> None:
    with pytest.raises(OperatorError, match="the daemon polls"):
        check_public_address(url)


@pytest.mark.parametrize(
    "url", ["https://ci.example.org", "http://10.0.0.7:8470", "https://ci.example.org/w"]
)
def test_an_address_that_others_may_reach_is_taken(url: str) -> None:
    check_public_address(url)


def test_what_github_hands_over_is_read_and_its_secrets_are_not_shown() -> None:
    app = parse_conversion(conversion(id=7, name="Windlass", pem="KEY", webhook_secret="hush"))
    assert (app.id, app.slug, app.private_key, app.webhook_secret) == (7, "windlass-acme", "KEY", "hush")
    assert "KEY" not in repr(app)
    assert "hush" not in repr(app)


def test_an_app_without_a_hook_has_no_secret() -> None:
    assert parse_conversion(conversion(webhook_secret=None)).webhook_secret == ""


@pytest.mark.parametrize("gone", ["id", "slug", "name", "owner", "html_url", "pem", "webhook_secret"])
def test_an_answer_without_what_is_needed_is_refused(gone: str) -> None:
    data = conversion()
    del data[gone]
    with pytest.raises(UpstreamError, match="no App"):
        parse_conversion(data)


def test_what_is_granted_is_compared_by_level() -> None:
    assert missing_permissions(PERMISSIONS) == ()
    assert missing_permissions({**PERMISSIONS, "contents": "write"}) == ()
    assert missing_permissions({**PERMISSIONS, "checks": "read"}) == ("checks: write",)
    assert "statuses: write" in missing_permissions({})


def test_what_is_not_subscribed_to_is_named() -> None:
    assert missing_events([*EVENTS, "star"]) == ()
    assert missing_events([name for name in EVENTS if name != "push"]) == ("push",)
