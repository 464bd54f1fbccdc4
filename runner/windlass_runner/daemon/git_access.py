"""The environment in which the daemon's git reaches the watched repositories."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from windlass_runner.daemon.storage_files import keep_text
from windlass_runner.forges.local_refs import local_path


def git_environment(environ: Mapping[str, str], *, root: Path, urls: Iterable[str]) -> dict[str, str]:
    """The process's own, with a configuration that adds to the user's: a repository on this machine
    that the settings name may be read whoever owns it (git asks for that since CVE-2022-24765).

    Raises:
        StorageUnwritable
    """
    path = root / "gitconfig"
    lines = [f"[include]\n\tpath = {json.dumps(included)}\n" for included in _own_files(environ)]
    for url in urls:
        folder = _folder(url)
        if folder is not None:
            lines += [f"[safe]\n\tdirectory = {json.dumps(name, ensure_ascii=False)}\n" for name in folder]
    keep_text(path, "".join(lines))
    return {**environ, "GIT_CONFIG_GLOBAL": str(path)}


def _own_files(environ: Mapping[str, str]) -> list[str]:
    """What git would read for this user (https://git-scm.com/docs/git-config#FILES)."""
    if named := environ.get("GIT_CONFIG_GLOBAL"):
        return [named]
    home = environ.get("HOME")
    base = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None)
    files = [f"{base}/git/config"] if base else []
    return [*files, f"{home}/.gitconfig"] if home else files


def _folder(url: str) -> tuple[str, ...] | None:
    """The names by which git may know a repository on this machine."""
    found = local_path(url)
    if found is None:
        path = url.removeprefix("file://")
        return (path,) if path.startswith("/") else None
    return tuple(dict.fromkeys((str(found), str(found.parent)) if found.name == ".git" else (str(found),)))
