"""The parts of the daemon that take more than a call to make. Called by `daemon.wiring`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from windlass_registry.catalog import Catalog
from windlass_registry.samples.releases import SampleSource
from windlass_registry.store import Store
from windlass_runner.daemon.environment_settings import described
from windlass_runner.daemon.host import open_digests
from windlass_runner.daemon.mirror_upkeep import MirrorUpkeep
from windlass_runner.daemon.retention import Retention
from windlass_runner.daemon.sample_offering import SampleOffering
from windlass_runner.daemon.sample_updates import SampleUpdates
from windlass_runner.daemon.settings import Settings
from windlass_runner.daemon.storage_files import keep_key
from windlass_runner.data.trees import remove_tree
from windlass_runner.engines.base import Engine
from windlass_runner.forges.base import Proposing
from windlass_runner.forges.git import Git
from windlass_runner.forges.git_program import GitProgram
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord
from windlass_runner.run.host import Host
from windlass_runner.run.storage import Storage
from windlass_runner.run.workspace import Mirror, private_copy
from windlass_runner.upkeep.image_pins import PATIENCE_S
from windlass_runner.web.links import Links


def make_host(
    settings: Settings,
    environ: Mapping[str, str],
    storage: Storage,
    ledger: Ledger,
    engine: Engine,
    packages: Store,
    mirror_of: Callable[[str], Mirror],
) -> Host:
    """What runs need of this machine and of the settings."""
    first = settings.hosts[0]

    def secret(name: str) -> str | None:
        source = settings.secrets.get(name)
        return source.read(environ) if source is not None else None

    def fill_workspace(run: RunRecord, folder: Path) -> None:
        mirror = mirror_of(run.repository)
        mirror.fetch(ref=run.ref or run.sha, sha=run.sha)
        tree = mirror.checkout(run.sha)
        remove_tree(folder)
        private_copy(tree, folder)
        folder.chmod(0o777)

    return Host(
        ledger=ledger,
        engine=engine,
        storage=storage,
        action_folder=packages.path,
        fill_workspace=fill_workspace,
        secret=secret,
        environments=described(settings.environments, settings.repositories, environ),
        clock=time.time,
        parallelism=first.parallelism or settings.runner.parallelism,
        name=first.name,
        cache_bytes=settings.storage.cache_bytes,
    )


def make_retention(
    settings: Settings, storage: Storage, git: Git, ledger: Ledger, mirror_of: Callable[[str], Mirror]
) -> Retention:
    """What removes the old, by the settings."""

    def mirror_keys() -> frozenset[str]:
        watched = {repository.url for repository in settings.repositories}
        needed = {run.repository for run in ledger.runs.unfinished()}
        return frozenset(mirror_of(url).key for url in watched | needed)

    return Retention(
        ledger=ledger,
        storage=storage,
        keeps=settings.storage,
        upkeep=MirrorUpkeep(git, storage.root),
        mirror_keys=mirror_keys,
        clock=time.time,
        monotonic=time.monotonic,
    )


def make_sample_updates(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    storage: Storage,
    ledger: Ledger,
    git: Git,
    program: GitProgram,
    mirror_of: Callable[[str], Mirror],
    sources: Sequence[SampleSource],
    catalog: Catalog,
    proposing: Callable[[str], Proposing | None],
) -> SampleUpdates:
    """What offers newer releases of samples, by the settings."""
    offering = SampleOffering(
        ledger=ledger,
        git=git,
        program=program,
        mirror_of=mirror_of,
        sources=sources,
        catalog=catalog,
        open_digests=lambda: open_digests(settings.hosts[0], environ, limit_s=PATIENCE_S),
        proposing=proposing,
        scratch=storage.root / "sample-updates",
        clock=time.time,
    )
    return SampleUpdates(repositories=settings.repositories, offering=offering, monotonic=time.monotonic)


def make_links(settings: Settings, storage: Storage) -> Links | None:
    """What opens files to those who have a link; None where nobody was told how to reach the daemon."""
    if settings.server.url is None:
        return None
    key = keep_key(storage.link_key)
    return Links(
        address=settings.server.url,
        key=key,
        apps_address=settings.server.apps_url,
        tells_apps=settings.server.link_apps,
    )
