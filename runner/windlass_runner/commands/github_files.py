"""What `windlass github setup` leaves on the disk: the App's secrets, and the text of the settings."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.settings import parse_settings
from windlass_runner.daemon.toml_reader import decode
from windlass_runner.forges.github.app_manifest import API_URL, NewApp

FOLDER: Final = "credentials"
"""Where the secrets lie, beside the settings."""
_NOT_FOR_GIT: Final = "# secrets: not for git\n*\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFiles:
    """The files of one App's secrets, which nobody but their owner can read."""

    private_key: Path
    webhook_secret: Path

    @staticmethod
    def of(settings: Path, name: str) -> SecretFiles:
        """Those of the credentials with that name."""
        folder = settings.parent / FOLDER
        return SecretFiles(
            private_key=folder / f"{name}.private-key.pem", webhook_secret=folder / f"{name}.webhook-secret"
        )

    def prepare(self) -> None:
        """Make the folder, and see to it that `write` will succeed: later it would be too late.

        Raises:
            OperatorError: it cannot be written, or secrets lie there already.
        """
        there = [path for path in (self.private_key, self.webhook_secret) if os.path.lexists(path)]
        if there:
            raise OperatorError(
                f"{there[0]} exists already",
                remedy="choose another name with --name, or move the file away",
            )
        folder = self.private_key.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            trial = folder / f".trial-{secrets.token_hex(8)}"
            write_private(trial, "trial\n")
            trial.unlink()
            with suppress(FileExistsError):
                write_private(folder / ".gitignore", _NOT_FOR_GIT)
        except OSError as error:
            raise OperatorError(
                f"{folder} cannot be written: {error.strerror}",
                remedy="let this user write there, or name settings in another folder with --config",
            ) from error

    def write(self, app: NewApp) -> None:
        """Raises OperatorError: the disk fails us, and the key is lost."""
        try:
            write_private(self.private_key, app.private_key.rstrip("\n") + "\n")
            if app.webhook_secret:
                write_private(self.webhook_secret, app.webhook_secret + "\n")
        except OSError as error:
            raise OperatorError(
                f"the App {app.name} is made, and its secrets cannot be stored: {error.filename}: "
                f"{error.strerror}",
                remedy=f"make room, delete the App at {app.page}, and begin again",
            ) from error


def write_private(path: Path, text: str) -> None:
    """A new file of mode 0600, whole or not at all. Raises OSError; FileExistsError where there is one."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(beside, path)  # unlike a renaming, it replaces nothing
    finally:
        beside.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredentials:
    """What the settings are to say of an App."""

    name: str
    app_id: int
    files: SecretFiles
    has_hook: bool
    api_url: str = API_URL


def credentials_text(new: NewCredentials, *, folder: Path) -> str:
    """`[credentials.NAME]`, with paths as seen from the settings' folder."""
    lines = [
        f"[credentials.{new.name}]",
        f"app_id = {new.app_id}",
        f"private_key = {{file = {_quoted(new.files.private_key, folder)}}}",
    ]
    if new.has_hook:
        lines.append(f"webhook_secret = {{file = {_quoted(new.files.webhook_secret, folder)}}}")
    if new.api_url != API_URL:
        lines.append(f"api_url = {json.dumps(new.api_url)}")
    return "\n".join(lines) + "\n"


def repository_text(url: str, *, credentials: str, poll_s: int) -> str:
    """`[[repository]]` for one of GitHub's."""
    words: Mapping[str, str | int] = {
        "url": url,
        "forge": "github",
        "credentials": credentials,
        "poll_s": poll_s,
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in words.items()]
    return "\n".join(["[[repository]]", *lines]) + "\n"


def _quoted(path: Path, folder: Path) -> str:
    with suppress(ValueError):
        path = path.relative_to(folder)
    return json.dumps(str(path), ensure_ascii=False)


def has_table(path: Path, name: str) -> bool:
    """Whether settings that hold have that table already."""
    return path.is_file() and name in decode(path.read_text(encoding="utf-8-sig"), name=str(path))


def append(path: Path, parts: Iterable[str], *, environment: Mapping[str, str]) -> None:
    """Put the parts below the file's own text, which stays as it is.

    Raises:
        OperatorError: the file cannot be written, or would not hold any more; then it is as it was.
    """
    try:
        before = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
        gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
        text = gap + "\n".join(parts)
        parse_settings(before + text, path=path, environ=environment)
        with path.open("a", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OperatorError(
            f"the settings {path} cannot be written: {reason}", remedy="put the text there by hand"
        ) from error
