"""`windlass github status`: what the credentials of the settings reach at GitHub, and what is missing."""

from __future__ import annotations

import threading
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TextIO

from windlass_registry.errors import OperatorError, WindlassError
from windlass_runner.commands.checks import Check, failed
from windlass_runner.commands.context import load
from windlass_runner.commands.daemon_health import DaemonHealth, fetch_health
from windlass_runner.commands.doctor import check_line
from windlass_runner.commands.github_facts import App, Person, fetch_app, fetch_person
from windlass_runner.commands.github_judgement import judge_app, judge_person
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.paint import tame
from windlass_runner.daemon.secret_sources import SecretSource
from windlass_runner.daemon.settings import Settings
from windlass_runner.forges.github.app_manifest import API_URL, web_address
from windlass_runner.forges.github.app_tokens import AppKey, InstallationToken, PersonalToken
from windlass_runner.forges.github.client import Bearer, Client
from windlass_runner.forges.github.forge import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the daemon is to one GitHub: where people see that, how it reaches the daemon (None: it does
    not), whether the daemon can tell its webhooks from others', and what it watches (`owner/name`; None: that
    is not known yet)."""

    web_url: str
    address: str | None
    has_secret: bool
    repositories: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What credentials are worth. `facts` None: GitHub did not tell."""

    name: str
    facts: App | Person | None
    checks: tuple[Check, ...]
    exit_code: int

    @property
    def reached(self) -> tuple[str, ...]:
        """The repositories that an App is installed on."""
        if not isinstance(self.facts, App):
            return ()
        return tuple(name for each in self.facts.installations for name in each.repositories)


def tell_status(arguments: Namespace, invocation: Invocation) -> int:
    """Every credential of the settings, or those that are named."""
    settings = load(arguments, invocation)
    reports = [inspect(settings, name, invocation.environment) for name in _chosen(settings, arguments.names)]
    told = fetch_health(settings.server)
    if told is not None:
        reports = [_with_daemon(report, told, settings) for report in reports]
    if arguments.json:
        invocation.print_json({"credentials": [_json(report) for report in reports]})
    for report in reports if not arguments.json else ():
        invocation.print(report.name)
        print_checks(report, invocation, invocation.out)
    codes = [report.exit_code for report in reports]
    return 3 if 3 in codes else max(codes)


def _with_daemon(report: Report, told: DaemonHealth, settings: Settings) -> Report:
    """The report, and below it what the running daemon could not do at GitHub lately."""
    own = [each.name for each in settings.repositories if each.credentials == report.name]
    checks = [
        Check(name="daemon", state="warn", text=text, remedy="what it lacks stands above, or at GitHub")
        for text in told.troubles([*own, report.name])
    ]
    return replace(report, checks=(*report.checks, *checks))


def _chosen(settings: Settings, names: list[str]) -> list[str]:
    ours = on_github(settings)
    if not ours:
        raise OperatorError(
            "the settings have no credentials for GitHub", remedy="'windlass github setup' makes them"
        )
    for name in names:
        if name not in ours:
            raise OperatorError(
                f"the settings have no credentials '{name}' for GitHub", remedy=f"they have {', '.join(ours)}"
            )
    return names or ours


def _json(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "ok": report.exit_code == 0,
        "kind": "app" if isinstance(report.facts, App) else "token" if report.facts else None,
        "facts": asdict(report.facts) if report.facts else None,
        "checks": [asdict(check) for check in report.checks],
    }


def inspect(settings: Settings, name: str, environment: Mapping[str, str]) -> Report:
    """Ask GitHub about credentials of the settings."""
    told = settings.credentials[name]
    account = Account(
        name=name,
        api_url=told.api_url or API_URL,
        read_token=_reader(told.token, environment),
        app_id=told.app_id,
        read_key=_reader(told.private_key, environment),
        installation=told.installation_id,
    )
    own = [each for each in settings.repositories if each.credentials == name and each.forge == "github"]
    secrets = [told.webhook_secret, *(each.webhook_secret for each in own)]
    place = Place(
        web_url=web_address(account.api_url),
        address=settings.server.url,
        has_secret=any(source is not None and source.read(environment) for source in secrets),
        repositories=tuple(each.name for each in own),
    )
    return inspect_account(account, place)


def on_github(settings: Settings) -> list[str]:
    """The names of the credentials that are for GitHub: all but those that other forges' repositories use."""
    elsewhere = {each.credentials for each in settings.repositories if each.forge != "github"}
    here = {each.credentials for each in settings.repositories if each.forge == "github"}
    return [name for name in settings.credentials if name in here or name not in elsewhere]


def _reader(source: SecretSource | None, environment: Mapping[str, str]) -> Callable[[], str | None]:
    return lambda: None if source is None else source.read(environment)


def inspect_account(account: Account, place: Place) -> Report:
    """Ask GitHub. What goes wrong is in the report."""
    facts: App | Person
    try:
        if account.app_id is not None:
            facts = fetch_app(
                open_app(account), web_url=place.web_url, installed=lambda number: _installed(account, number)
            )
            checks = judge_app(
                facts,
                repositories=place.repositories,
                address=place.address,
                has_secret=place.has_secret,
            )
        else:
            bearer = PersonalToken(account.name, account.read_token or _nothing)
            facts = fetch_person(_client(account, bearer), place.repositories or ())
            checks = judge_person(facts)
    except WindlassError as error:
        check = _tamed(failed("github", error))
        return Report(name=account.name, facts=None, checks=(check,), exit_code=error.exit_code)
    found = tuple(map(_tamed, checks))
    code = OperatorError.exit_code if any(check.state == "fail" for check in found) else 0
    return Report(name=account.name, facts=facts, checks=found, exit_code=code)


def summary(report: Report) -> Check:
    """All of a report in one line: what is worst in it, or what it reaches."""
    whose = f"{report.name}: " if report.facts is not None else ""  # else the text says it
    for state in ("fail", "warn"):
        worst = [check for check in report.checks if check.state == state]
        if worst:
            more = f" (and {len(worst) - 1} more: 'windlass github status')" if len(worst) > 1 else ""
            return replace(worst[0], name="github", text=f"{whose}{worst[0].text}{more}")
    count = len(report.reached)
    text = f"{whose}nothing is missing; {count} {'repository' if count == 1 else 'repositories'}"
    return Check(name="github", state="ok", text=text)


def _tamed(check: Check) -> Check:
    """For terminals: GitHub's answers quote what strangers wrote."""
    return replace(check, text=tame(check.text), remedy=tame(check.remedy) if check.remedy else None)


def open_app(account: Account) -> Client:
    """GitHub as the App itself sees it."""
    key = AppKey(account.name, account.app_id or 0, account.read_key or _nothing)
    return _client(account, key)


def _installed(account: Account, number: int) -> Client:
    bearer = InstallationToken(account.name, app=open_app(account), installation=number)
    return _client(account, bearer)


def _client(account: Account, bearer: Bearer) -> Client:
    return Client(
        api_url=account.api_url, bearer=bearer, clock=time.time, wait=lambda s: threading.Event().wait(s)
    )


def _nothing() -> None:
    return None


def print_checks(report: Report, invocation: Invocation, to: TextIO) -> None:
    """One line for each check, and what to do."""
    for check in report.checks:
        to.write(check_line(check, has_colour=invocation.has_colour(to)) + "\n")
    to.flush()
