"""`[credentials.NAME]`: who the daemon is to a forge. Used by `daemon.settings`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from windlass_runner.daemon.secret_sources import SecretSource, read_secret_source
from windlass_runner.daemon.toml_reader import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A personal `token`, or a GitHub App: its `app_id` and `private_key`.

    `api_url` None: the forge's public one. `installation_id` None: found for each repository.
    `webhook_secret` holds for the repositories that name no other.
    """

    name: str
    api_url: str | None = None
    token: SecretSource | None = None
    app_id: int | None = None
    private_key: SecretSource | None = None
    installation_id: int | None = None
    webhook_secret: SecretSource | None = None


def read_credentials(section: Section, folder: Path) -> dict[str, Credentials]:
    """All of them by name. What is wrong is noted in the section."""
    return {name: _read(section.table(name), name, folder) for name in section.names()}


def _read(section: Section, name: str, folder: Path) -> Credentials:
    api_url = section.text("api_url")
    if api_url is not None and urlsplit(api_url).scheme not in ("http", "https"):
        section.error(
            "api_url", f"'{api_url}' is not an http address", "write it as https://github.example.org/api/v3"
        )
    found = Credentials(
        name=name,
        api_url=api_url.rstrip("/") if api_url is not None else None,
        token=read_secret_source(section, "token", folder),
        app_id=section.whole("app_id", least=1),
        private_key=read_secret_source(section, "private_key", folder),
        installation_id=section.whole("installation_id", least=1),
        webhook_secret=read_secret_source(section, "webhook_secret", folder),
    )
    section.finish()
    _check_kind(section)
    return found


def _check_kind(section: Section) -> None:
    """One who: a token, or an App with all that it needs."""
    remedy = "write `token`, or `app_id` and `private_key`"
    if "token" in section.data:
        for key in ("app_id", "private_key", "installation_id"):
            if key in section.data:
                section.error(key, f"{section.label(key)} has no meaning beside a token", remedy)
    elif "app_id" not in section.data:
        section.error(None, "credentials without `token` or `app_id`", remedy)
    elif "private_key" not in section.data:
        section.error("app_id", "a GitHub App without `private_key`", 'write private_key = {file = "/path"}')
