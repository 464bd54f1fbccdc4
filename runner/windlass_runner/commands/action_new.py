"""`windlass action new`: a folder with an action that works, to begin from. Overwrites nothing."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path
from typing import Final

from windlass_registry.errors import AuthorError, OperatorError, Problem
from windlass_runner.commands.action_templates import files_of
from windlass_runner.commands.invocation import Invocation

_EXECUTABLE: Final = ".sh"


def make_action(arguments: Namespace, invocation: Invocation) -> int:
    """Write the files; 0.

    Raises:
        AuthorError: the folder has something in it.
        OperatorError: it cannot be written.
    """
    shown = arguments.folder or arguments.name
    folder = invocation.folder / Path(shown).expanduser()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        remedy = f"name another folder: windlass action new {arguments.name} DIR"
        raise AuthorError(
            Problem(path=shown, line=0, column=0, message="there is something already", remedy=remedy)
        )
    files = files_of(arguments.name, using=arguments.using)
    try:
        for name, text in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            if place.suffix == _EXECUTABLE:
                place.chmod(0o755)
    except OSError as error:
        raise OperatorError(
            f"cannot write {error.filename}: {error.strerror}", remedy="let this user write there"
        ) from error
    for name in files:
        invocation.print(f"{shown.rstrip('/')}/{name}")
    invocation.say(f"try it: windlass action test {shlex.quote(shown)}")
    return 0
