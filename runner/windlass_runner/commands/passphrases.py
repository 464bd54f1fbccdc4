"""A key's passphrase, from a file that the command was told: never from the command line itself."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_runner.commands.invocation import Invocation


def read_passphrase(arguments: Namespace, invocation: Invocation) -> bytes | None:
    """The first line of the file of `--passphrase-file`; None where it was not given.

    Raises:
        OperatorError: it cannot be read, or holds nothing.
    """
    if arguments.passphrase_file is None:
        return None
    path = invocation.folder / Path(arguments.passphrase_file).expanduser()
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise OperatorError(f"cannot read the passphrase: {error}") from error
    if not lines or not lines[0]:
        raise OperatorError(f"the file {path} holds no passphrase", remedy="write it into the first line")
    return lines[0]
