"""`windlass registry login`: the token that lets this user publish to a registry's server.

Tokens lie in the user's configuration, one file for each registry, readable by nobody else. In CI the
variable `WINDLASS_REGISTRY_TOKEN` takes their place.
"""

from __future__ import annotations

import getpass
import os
from argparse import Namespace
from hashlib import sha256
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_registry.server_publishing import ServerPublishing
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.registries import chosen_registry, config_folder

VARIABLE: Final = "WINDLASS_REGISTRY_TOKEN"


def login(arguments: Namespace, invocation: Invocation) -> int:
    """Try the token, and keep it."""
    registry = chosen_registry(arguments.name, invocation).registry
    text = _read(arguments, invocation)
    found = ServerPublishing(registry.address, token=text).check_token()
    place = _place(registry.address, invocation)
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text + "\n")
    except OSError as error:
        raise OperatorError(f"cannot keep the token in {place}: {error.strerror}") from error
    if arguments.json:
        invocation.print_json({"registry": registry.name, **found})
    else:
        what = f"the namespace '{found.get('namespace')}'" if found.get("namespace") else "all namespaces"
        invocation.say(f"token '{found.get('name')}' for {what} of {registry.name} is kept in {place}")
    return 0


def token_for(address: str, invocation: Invocation) -> str:
    """The token for a registry's server.

    Raises:
        OperatorError: there is none.
    """
    given = invocation.environment.get(VARIABLE, "").strip()
    if given:
        return given
    try:
        return _place(address, invocation).read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        remedy = f"ask its owner for one, then: windlass registry login, or set {VARIABLE}"
        raise OperatorError(f"no token for {address} is here", remedy=remedy) from error


def _read(arguments: Namespace, invocation: Invocation) -> str:
    if arguments.token_file is None:
        return getpass.getpass("token: ", stream=invocation.err).strip()
    try:
        return Path(arguments.token_file).expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OperatorError(f"cannot read {arguments.token_file}: {error.strerror}") from error


def _place(address: str, invocation: Invocation) -> Path:
    name = sha256(address.rstrip("/").encode()).hexdigest()[:16]
    return config_folder(invocation.environment) / "tokens" / name
