"""Actions of git repositories for this user: git is loaded when the first of them is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock as Mutex
from typing import TYPE_CHECKING

from windlass_registry.refs import GitRef
from windlass_registry.store import Store

if TYPE_CHECKING:
    from windlass_registry.catalog import GitPackage, GitPackages


class LaterGit:
    """Implements `catalog.GitPackages`; packages go into `store`."""

    def __init__(self, environment: Mapping[str, str], *, root: Path, store: Store) -> None:
        self._environment = environment
        self._root = root
        self._store = store
        self._mutex = Mutex()
        self._opened: GitPackages | None = None

    def fetch(self, ref: GitRef, *, commit: str | None = None) -> GitPackage:
        """See `catalog.GitPackages`."""
        return self._open().fetch(ref, commit=commit)

    def moved(self, ref: GitRef, commit: str, *, asks: bool) -> str | None:
        """See `catalog.GitPackages`. Nothing is known without asking: nobody looks after tags here."""
        return self._open().moved(ref, commit, asks=True) if asks else None

    def _open(self) -> GitPackages:
        from windlass_registry.sources.git import LARGEST_FILE_BYTES, GitSource
        from windlass_runner.forges.git import Git

        with self._mutex:
            if self._opened is None:
                git = Git(environment=self._environment, file_limit_bytes=LARGEST_FILE_BYTES)
                self._opened = GitSource(git, root=self._root, store=self._store)
            return self._opened
