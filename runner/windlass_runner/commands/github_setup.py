"""`windlass github setup`: from nothing to an App whose key lies here, and what is still to do then."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
import webbrowser
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.commands.context import SETTINGS_FILE, settings_path
from windlass_runner.commands.github_files import (
    NewCredentials,
    SecretFiles,
    append,
    credentials_text,
    has_table,
    repository_text,
)
from windlass_runner.commands.github_html import made_page, start_page
from windlass_runner.commands.github_return import HOST, ReturnPage
from windlass_runner.commands.github_status import Place, Report, inspect_account, open_app, print_checks
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.paint import tame
from windlass_runner.daemon.settings import Settings, find_settings, load_settings
from windlass_runner.forges.github.app_manifest import (
    API_URL,
    NAME_LENGTH,
    NewApp,
    check_public_address,
    installation_address,
    make_manifest,
    parse_conversion,
    registration_address,
    web_address,
)
from windlass_runner.forges.github.client import Client, NotFound
from windlass_runner.forges.github.forge import Account

_LOOK_EVERY_S: Final = 3.0
"""How often it is asked whether the App is installed by now."""
_TRY_AGAIN_S: Final = (1.0, 3.0, 9.0)
"""A code is worth an App: GitHub is asked again where it does not answer."""
_POLL_WITH_HOOK_S: Final = 300
_POLL_ALONE_S: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What shall be made, checked as far as can be before anything is."""

    name: str
    app_name: str
    organization: str | None
    address: str | None
    """How GitHub reaches the daemon; None: not at all."""
    api_url: str
    web_url: str
    path: Path
    """The settings file; it need not exist."""
    settings: Settings
    files: SecretFiles = field(repr=False)


class _Nobody:
    """Asks GitHub without a name: a code needs no other proof."""

    name = "setup"

    def token(self, now: float) -> str:
        """None."""
        return ""

    def renew(self) -> bool:
        """There is no other."""
        return False


def set_up(arguments: Namespace, invocation: Invocation) -> int:
    """Make the App, wait until it is installed, and tell what is missing.

    Raises:
        OperatorError, UpstreamError: no App was made, or its key is lost.
    """
    wish = read_wish(arguments, invocation)
    wish.files.prepare()
    app = _make(wish, arguments, invocation)
    account = Account(name=wish.name, api_url=wish.api_url, app_id=app.id, read_key=lambda: app.private_key)
    new = NewCredentials(
        name=wish.name,
        app_id=app.id,
        files=wish.files,
        has_hook=bool(app.webhook_secret),
        api_url=wish.api_url,
    )
    _put(
        [*_server(wish, invocation), credentials_text(new, folder=wish.path.parent)],
        wish,
        arguments,
        invocation,
    )
    invocation.say(f"now install it on repositories: {tame(installation_address(app.page))}")
    if not arguments.no_wait:
        invocation.say("waiting until it is (Ctrl-C: later; 'windlass github status' tells what is missing)")
        _await_installation(account, limit_s=arguments.timeout)
    place = Place(
        web_url=wish.web_url,
        address=wish.address,
        has_secret=bool(app.webhook_secret),
        repositories=None,
    )
    report = inspect_account(account, place)
    _put(list(_repositories(report, wish)), wish, arguments, invocation)
    print_checks(report, invocation, invocation.err)
    return report.exit_code


def read_wish(arguments: Namespace, invocation: Invocation) -> Wish:
    """What is asked for, with what the settings say already.

    Raises:
        OperatorError: it cannot be done like that.
    """
    found = settings_path(arguments, invocation) or find_settings(invocation.folder)
    path = (found or invocation.folder / SETTINGS_FILE).absolute()
    settings = load_settings(path if path.is_file() else None, invocation.environment)
    if arguments.name in settings.credentials:
        raise OperatorError(
            f"{path} has credentials '{arguments.name}' already", remedy="choose another name with --name"
        )
    api_url = _http_address(arguments.api_url or API_URL)
    web_url = _http_address(arguments.web_url) if arguments.web_url else web_address(api_url)
    url = arguments.url or settings.server.url
    if url is not None:
        check_public_address(url)
    return Wish(
        name=arguments.name,
        app_name=(arguments.app_name or _app_name(arguments.organization))[:NAME_LENGTH],
        organization=arguments.organization,
        address=url.rstrip("/") if url else None,
        api_url=api_url,
        web_url=web_url,
        path=path,
        settings=settings,
        files=SecretFiles.of(path, arguments.name),
    )


def _http_address(text: str) -> str:
    if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname:
        raise OperatorError(f"'{text}' is not an http address", remedy="write it as https://git.example.org")
    return text.rstrip("/")


def _app_name(organization: str | None) -> str:
    """Names of Apps are unique at GitHub, whose page lets a person change it."""
    words = re.sub(r"[^A-Za-z0-9-]+", "-", organization or socket.gethostname().partition(".")[0])
    return f"windlass-{words.strip('-').lower()}"


def _make(wish: Wish, arguments: Namespace, invocation: Invocation) -> NewApp:
    """Send a browser to GitHub, and make an App of the code that it brings back. Its secrets are stored."""
    made: list[NewApp] = []
    with ReturnPage(port=arguments.port) as page:
        manifest = make_manifest(name=wish.app_name, address=wish.address, return_to=page.return_to)
        post_to = registration_address(wish.web_url, organization=wish.organization, state=page.state)

        def take(code: str) -> str:
            app = parse_conversion(_convert(code, wish))
            wish.files.write(app)
            made.append(app)
            return made_page(name=app.name, install_at=installation_address(app.page))

        owner = wish.organization or "you"
        page.open(start=lambda: start_page(manifest, post_to=post_to, owner=owner), take=take)
        _invite(page, arguments, invocation)
        page.wait(arguments.timeout)
    [app] = made
    invocation.say(f"{tame(app.name)} is made; its secrets lie in {wish.files.private_key.parent}")
    return app


def _invite(page: ReturnPage, arguments: Namespace, invocation: Invocation) -> None:
    has_screen = any(invocation.environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if (
        (has_screen or sys.platform == "darwin")
        and not arguments.no_browser
        and webbrowser.open(page.address)
    ):
        invocation.say(f"go on in the browser; if it does not show, open {page.address}")
        return
    invocation.say(f"open {page.address} in a browser")
    invocation.say(f"from another machine: ssh -L {page.port}:{HOST}:{page.port} {socket.gethostname()}")


def _convert(code: str, wish: Wish) -> Any:
    client = Client(api_url=wish.api_url, bearer=_Nobody(), clock=time.time, wait=_pause)
    for pause_s in (*_TRY_AGAIN_S, None):
        try:
            return client.request("POST", f"/app-manifests/{quote(code, safe='')}/conversions")
        except NotFound as error:
            raise OperatorError(
                "GitHub does not take the code: it is older than an hour, or was used",
                remedy=f"delete the App '{wish.app_name}' at GitHub if it is there, and begin again",
            ) from error
        except UpstreamError:
            if pause_s is None:
                raise
            _pause(pause_s)
    raise AssertionError(code)


def _await_installation(account: Account, *, limit_s: float) -> None:
    """Until the App is installed anywhere, or the time is over."""
    ends_at = time.monotonic() + limit_s
    client = open_app(account)
    while time.monotonic() < ends_at:
        with suppress(UpstreamError):
            if client.request("GET", "/app/installations"):
                return
        _pause(min(_LOOK_EVERY_S, max(ends_at - time.monotonic(), 0)))


def _repositories(report: Report, wish: Wish) -> Iterator[str]:
    """What the settings are to say of the repositories that they do not watch yet."""
    poll_s = _POLL_ALONE_S if wish.address is None else _POLL_WITH_HOOK_S
    watched = {repository.name.lower() for repository in wish.settings.repositories}
    for name in report.reached:
        if name.lower() not in watched:
            yield repository_text(f"{wish.web_url}/{name}", credentials=wish.name, poll_s=poll_s)


def _server(wish: Wish, invocation: Invocation) -> list[str]:
    """The daemon's address, where the settings tell none or another: a table of theirs is not changed."""
    if wish.address in (None, wish.settings.server.url):
        return []
    line = f"url = {json.dumps(wish.address)}"
    if not has_table(wish.path, "server"):
        return [f"[server]\n{line}\n"]
    invocation.say(f"write {line} under [server] in {wish.path}")
    return []


def _put(parts: list[str], wish: Wish, arguments: Namespace, invocation: Invocation) -> None:
    """Append to the settings, or print what belongs there."""
    if not parts:
        return
    if arguments.write:
        try:
            append(wish.path, parts, environment=invocation.environment)
        except OperatorError as error:
            invocation.say(f"{error}")
        else:
            invocation.say(f"written to {wish.path}: {', '.join(part.splitlines()[0] for part in parts)}")
            return
    invocation.say(f"this belongs in {wish.path}:")
    invocation.print("\n".join(parts))
    invocation.out.flush()


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)
