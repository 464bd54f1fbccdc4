"""Where the daemon looks actions up: what is built in, registries, git repositories, its own store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from windlass_registry.catalog import Catalog, Registry
from windlass_registry.sources.builtin import load_builtin
from windlass_registry.sources.git import LARGEST_FILE_BYTES, GitSource
from windlass_registry.store import Store
from windlass_runner.forges.git import Git
from windlass_runner.run.storage import Storage


def open_catalog(
    environ: Mapping[str, str], *, storage: Storage, packages: Store, registries: Sequence[Registry] = ()
) -> Catalog:
    """The daemon's catalog. Its credentials are not git's here: a workflow would read with them what its
    author may not."""
    git = Git(environment=environ, file_limit_bytes=LARGEST_FILE_BYTES)
    return Catalog(
        builtin=load_builtin(),
        registries=registries,
        git=GitSource(git, root=storage.root / "git", store=packages),
        stores=[packages],
    )
