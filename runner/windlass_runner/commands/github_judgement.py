"""What is missing at GitHub, and who can mend it how. Pure: facts and settings to checks.

Names and texts of strangers stand in them as they came.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Final
from urllib.parse import urlsplit

from windlass_runner.commands.checks import Check
from windlass_runner.commands.github_facts import App, Installation, Person, RateLimit
from windlass_runner.forges.github.app_manifest import (
    HOOK_PATH,
    installation_address,
    missing_events,
    missing_permissions,
)

_MOST_SKEW_S: Final = 60
"""A JWT is dated back by that much; beyond it GitHub refuses the App at times."""
_FEW: Final = 0.1
"""Of an hour's requests: less than that is worth a word."""


def judge_app(
    app: App, *, repositories: Collection[str] | None, address: str | None, has_secret: bool
) -> Iterator[Check]:
    """An App, for a daemon that watches these repositories (`owner/name`; None: not known yet).

    `address`: how others reach it; `has_secret`: whether it can tell GitHub's webhooks from others'.
    """
    yield _ok("app", f"{app.name} (number {app.id}, of {app.owner})")
    yield judge_clock(app.skew_s)
    asked = missing_permissions(app.permissions)
    if asked:
        yield _fail(
            "permissions", f"the App does not ask for {', '.join(asked)}", _set_at(app, "permissions")
        )
    unheard = missing_events(app.events)
    if unheard:
        yield _fail(
            "events", f"the App does not subscribe to {', '.join(unheard)}", _set_at(app, "permissions")
        )
    if not asked and not unheard:
        yield _ok("permissions", "the App asks for all that is needed")
    yield _judge_hook(app, address=address, has_secret=has_secret)
    if app.hook_url is not None and app.failed:
        yield _judge_deliveries(app)
    yield from _judge_installations(app, asked)
    if repositories is not None:
        yield from _judge_repositories(app, repositories)


def _judge_hook(app: App, *, address: str | None, has_secret: bool) -> Check:
    if address is None:
        text = "the daemon has no public address: it asks GitHub for news"
        remedy = None
        if app.hook_url is None or app.hook_url.startswith("https://example.org/"):
            return _ok("webhook", text)
        remedy = f"set [server] url to what leads to the daemon, if {app.hook_url} does"
        return Check(name="webhook", state="warn", text=text, remedy=remedy)
    wanted = address.rstrip("/") + HOOK_PATH
    if app.hook_url != wanted:
        text = f"webhooks go to {app.hook_url or 'nobody'}, not to {wanted}"
        return _fail("webhook", text, _set_at(app, ""))
    if not has_secret:
        return _fail("webhook", "the daemon has no webhook_secret and refuses all", "set `webhook_secret`")
    if urlsplit(wanted).scheme != "https":
        text = f"webhooks go to {wanted}: who listens on the way reads them"
        return Check(name="webhook", state="warn", text=text, remedy="put a proxy with TLS before the daemon")
    return _ok("webhook", f"webhooks go to {wanted}")


def _judge_deliveries(app: App) -> Check:
    last = app.failed[0]
    code = f"{last.status_code} " if last.status_code else ""
    many = "delivery" if len(app.failed) == 1 else "deliveries"
    text = f"{len(app.failed)} {many} failed, last {last.event} at {last.delivered_at}: {code}{last.status}"
    if app.is_heard:
        return _ok("deliveries", f"{text}; newer ones went through")
    remedy = "see that the daemon runs and is reached from outside; it fetches what it missed"
    return Check(name="deliveries", state="warn", text=text, remedy=remedy)


def _judge_installations(app: App, asked: Collection[str]) -> Iterator[Check]:
    if not app.installations:
        yield _fail("installation", "the App is installed nowhere", _install(app))
    for each in app.installations:
        yield _judge_installation(each, asked)
        if each.rate is not None:
            yield judge_rate(each.account, each.rate)


def _judge_installation(each: Installation, asked: Collection[str]) -> Check:
    if each.is_suspended:
        return _fail("installation", f"{each.account}: suspended", f"take it up again at {each.page}")
    refused = [name for name in missing_permissions(each.permissions) if name not in asked]
    if refused:
        text = f"{each.account}: not granted: {', '.join(refused)}"
        return _fail("installation", text, f"accept what the App asks for at {each.page}")
    return _ok("installation", f"{each.account}: {_some(each.repositories)}")


def _judge_repositories(app: App, repositories: Collection[str]) -> Iterator[Check]:
    reached = {name.lower() for each in app.installations for name in each.repositories}
    if reached and not repositories:
        text, remedy = "the settings watch none of them", "add a [[repository]] with these credentials"
        yield Check(name="repository", state="warn", text=text, remedy=remedy)
    for name in repositories:
        if name.lower() not in reached:
            yield _fail("repository", f"{name}: the App does not reach it", _install(app))


def judge_person(person: Person) -> Iterator[Check]:
    """A person's token, in place of an App."""
    text = f"token of {person.login}: commit statuses stand in for checks"
    remedy = "'windlass github setup' makes an App, which can make checks"
    yield Check(name="token", state="warn", text=text, remedy=remedy)
    yield judge_clock(person.skew_s)
    yield _judge_scopes(person.scopes)
    if person.rate is not None:
        yield judge_rate(person.login, person.rate)
    for name, may_write in person.reachable.items():
        if may_write:
            yield _ok("repository", f"{name}: may be written")
        else:
            yield _fail("repository", f"{name}: the token may not write there", "let its owner write there")


def _judge_scopes(scopes: tuple[str, ...] | None) -> Check:
    if scopes is None:
        return _ok("scopes", "not told, as of fine-grained tokens; what it may do shows with each repository")
    if "repo" in scopes:
        return _ok("scopes", ", ".join(scopes))
    if {"public_repo", "repo:status"} <= set(scopes):
        text = f"{', '.join(scopes)}: enough for public repositories alone"
        return Check(name="scopes", state="warn", text=text, remedy="give it the scope repo for private ones")
    told = ", ".join(scopes) or "none"
    return _fail(
        "scopes", f"{told}; it lacks repo", "give it the scope repo at GitHub, under Developer settings"
    )


def judge_clock(skew_s: float) -> Check:
    """This machine's clock beside GitHub's."""
    if abs(skew_s) <= _MOST_SKEW_S:
        return _ok("clock", "as GitHub's")
    text = f"{abs(skew_s):.0f} s {'behind' if skew_s > 0 else 'ahead of'} GitHub's"
    return Check(name="clock", state="warn", text=text, remedy="set the clock (timedatectl set-ntp true)")


def judge_rate(account: str, rate: RateLimit) -> Check:
    """How much of an hour's requests is left."""
    until = time.strftime("%H:%M:%S UTC", time.gmtime(rate.resets_at))
    text = f"{account}: {rate.remaining} of {rate.limit} requests left until {until}"
    state: Final = "warn" if rate.remaining < _FEW * rate.limit else "ok"
    return Check(name="limit", state=state, text=text)


def _some(repositories: tuple[str, ...]) -> str:
    shown = ", ".join(repositories[:5]) or "no repositories"
    return shown + (f" and {len(repositories) - 5} more" if len(repositories) > 5 else "")


def _install(app: App) -> str:
    return f"install it at {installation_address(app.page)}"


def _set_at(app: App, part: str) -> str:
    return f"change that at {app.settings_page}" + (f"/{part}" if part else "")


def _ok(name: str, text: str) -> Check:
    return Check(name=name, state="ok", text=text)


def _fail(name: str, text: str, remedy: str) -> Check:
    return Check(name=name, state="fail", text=text, remedy=remedy)
