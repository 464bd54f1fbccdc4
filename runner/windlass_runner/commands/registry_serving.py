"""`windlass registry serve` and `windlass registry token`: a registry for others, over HTTP."""

from __future__ import annotations

import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.store_settings import holds_registry
from windlass_registry.server.accounts import Accounts
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.paint import tame
from windlass_runner.commands.registries import chosen_registry
from windlass_runner.commands.registry_list import absolute_address
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.registry_part import (
    RegistryPart,
    embedded_registry,
    own_database,
    registry_health,
)
from windlass_runner.daemon.server import address_of, listen, serving_http, stop_on_signals
from windlass_runner.daemon.settings import ServerSettings
from windlass_runner.web.app import make_app

VARIABLE: Final = "WINDLASS_REGISTRY_DATABASE"


def serve(arguments: Namespace, invocation: Invocation) -> int:
    """Serve one registry's folder until a signal comes."""
    folder = chosen_folder(arguments, invocation)
    host, _, port = arguments.listen.rpartition(":")
    if not port.isdigit():
        raise OperatorError(f"'{arguments.listen}' is no address", remedy="write HOST:PORT, as 0.0.0.0:8480")
    settings = ServerSettings(host=host.strip("[]") or "127.0.0.1", port=int(port))
    stopping = threading.Event()
    with (
        listen(settings) as listener,
        embedded_registry(
            folder,
            url=arguments.url,
            journal=Journal("registry"),
            prefix="",
            database=_database(folder, arguments, invocation),
        ) as registry,
        stop_on_signals(stopping),
        serving_http(_application(registry), listener),
    ):
        invocation.say(f"the registry {folder} is served on {address_of(listener)}")
        invocation.say("keep it behind a web server with TLS where others read it; stop with Ctrl-C")
        trouble = None if registry is None else registry.trouble()
        if trouble is not None:
            invocation.say(f"note: nobody can read it as yet: {trouble}")
        while not stopping.wait(0.5):  # a signal may reach another thread and wake nobody
            pass
    return 0


def _application(registry: RegistryPart | None) -> ASGIApp:
    assert registry is not None  # its folder was looked at before
    return make_app(hooks={}, health=lambda: registry_health(registry), parts=[registry.app])


def token(arguments: Namespace, invocation: Invocation) -> int:
    """Make, list and revoke the tokens of a registry's server."""
    if arguments.name is None and arguments.verb != "list":
        raise OperatorError("which token?", remedy=f"windlass registry token {arguments.verb} NAME")
    folder = chosen_folder(arguments, invocation)
    with _accounts(_database(folder, arguments, invocation)) as accounts:
        match arguments.verb:
            case "create":
                _create(accounts, arguments, invocation)
            case "revoke":
                gone = accounts.revoke_token(arguments.name)
                invocation.say(f"token '{gone.name}' ({gone.id}) is worth nothing any more")
            case _:
                _list(accounts, arguments, invocation)
    return 0


def _create(accounts: Accounts, arguments: Namespace, invocation: Invocation) -> None:
    made, text = accounts.add_token(
        arguments.name, namespace=arguments.namespace, at=time.time(), lifetime_s=arguments.expires
    )
    if arguments.json:
        invocation.print_json({**asdict(made), "token": text})
        return
    invocation.print(text)
    invocation.say("keep it now: only its digest is stored, and nothing shows it again")


def _list(accounts: Accounts, arguments: Namespace, invocation: Invocation) -> None:
    found = accounts.tokens()
    for one in found:
        if arguments.json:
            invocation.print_json(asdict(one))
        else:
            end = (
                ""
                if one.expires_at is None
                else time.strftime("  until %Y-%m-%d", time.gmtime(one.expires_at))
            )
            invocation.print(tame(f"{one.id}  {one.name}  {one.namespace or 'all namespaces'}{end}"))
    if not found and not arguments.json:
        invocation.say("no tokens; make one with 'windlass registry token create NAME --namespace acme'")


@contextmanager
def _accounts(database: str) -> Iterator[Accounts]:
    accounts = Accounts.open(database)
    try:
        yield accounts
    finally:
        accounts.close()


def _database(folder: Path, arguments: Namespace, invocation: Invocation) -> str:
    """Where the registry's tokens and counts are: as named, as the daemon's settings here say of its own
    registry, else beside its keys."""
    named = arguments.database or invocation.environment.get(VARIABLE)
    if named is None:
        from windlass_runner.daemon.settings import find_settings, load_settings
        from windlass_runner.run.storage import Storage

        path = find_settings(invocation.folder)
        storage = None if path is None else load_settings(path, invocation.environment).storage
        if storage is not None and Storage(storage.path).registry.resolve() == folder.resolve():
            named = storage.database
    if named is not None and not named.startswith(("postgresql://", "postgresql+psycopg://", "sqlite:///")):
        raise OperatorError("the registry's database must be a postgresql:// address", remedy="mend it")
    return named or own_database(folder)


def chosen_folder(arguments: Namespace, invocation: Invocation) -> Path:
    """The registry's folder: the named one, or the only one that is known here."""
    if arguments.folder is not None:
        found = Path(absolute_address(arguments.folder, invocation))
    else:
        address = chosen_registry(None, invocation).registry.address
        found = Path(address.removeprefix("file://"))
    if not holds_registry(found):
        raise OperatorError(f"{found} holds no registry", remedy=f"begin one: windlass registry init {found}")
    return found
