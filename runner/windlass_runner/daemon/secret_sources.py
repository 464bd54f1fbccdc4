"""Where secrets lie: never in the settings themselves. Used by `daemon.settings` and `daemon.credentials`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from windlass_runner.daemon.toml_reader import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSource:
    """Where a secret's value lies: in a variable of the environment, or in a file."""

    env: str | None = None
    file: Path | None = None

    def read(self, environ: Mapping[str, str]) -> str | None:
        """The value as it is now (files may be replaced while we run), or None where there is none."""
        if self.env is not None:
            return environ.get(self.env)
        try:
            return (self.file or Path()).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError:
            return None

    def __str__(self) -> str:
        return f"the variable {self.env}" if self.env is not None else f"the file {self.file}"


def read_secret_source(section: Section, key: str, folder: Path) -> SecretSource | None:
    """Where the secret `key` of a table lies; None where it is not told, or wrongly (which is noted)."""
    value = section.data.get(key)
    remedy = f'write {key} = {{env = "NAME"}} or {{file = "/path"}}'
    if value is not None and not isinstance(value, dict):
        section.known(key)
        section.error(key, f"{section.label(key)} is a secret and is not written here", remedy)
        return None
    source = section.table(key)
    env, file = source.text("env"), source.text("file")
    source.finish()
    if value is None:
        return None
    if (env is None) == (file is None):
        section.error(key, f"{section.label(key)} names no place or two", remedy)
        return None
    return SecretSource(env=env, file=None if file is None else folder / file)
