"""Where the daemon looks actions up: what is built in, registries, git repositories, its own store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from windlass_registry.catalog import Catalog, Registry
from windlass_registry.sources.builtin import load_builtin
from windlass_registry.sources.git import LARGEST_FILE_BYTES, GitSource
from windlass_registry.sources.git_tags import TagWatch
from windlass_registry.store import Store
from windlass_runner.forges.git import Git
from windlass_runner.run.storage import Storage


def watch_tags(environ: Mapping[str, str], *, on_new: Callable[[], None]) -> TagWatch:
    """Looks after the tags that locks pin, when its `turn` is called."""
    return TagWatch(_git(environ), clock=time.monotonic, on_new=on_new)


def open_catalog(
    environ: Mapping[str, str],
    *,
    storage: Storage,
    packages: Store,
    registries: Sequence[Registry] = (),
    tags: TagWatch | None = None,
) -> Catalog:
    """The daemon's catalog. `tags`: what is seen of tags meanwhile."""
    return Catalog(
        builtin=load_builtin(),
        registries=registries,
        git=GitSource(_git(environ), root=storage.root / "git", store=packages, tags=tags),
        stores=[packages],
    )


def _git(environ: Mapping[str, str]) -> Git:
    """Without the daemon's credentials: a workflow would read with them what its author may not."""
    return Git(environment=environ, file_limit_bytes=LARGEST_FILE_BYTES)
