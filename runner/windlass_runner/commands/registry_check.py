"""The registries, for `windlass doctor`: whether they are believed, and what has to be signed anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from windlass_registry.errors import WindlassError
from windlass_registry.hosting.folder import PRIVATE, RegistryFolder
from windlass_registry.hosting.store_settings import holds_registry, load_store
from windlass_registry.index import Source
from windlass_registry.store import Store
from windlass_runner.commands.checks import Check, failed
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.registries import known_registries, open_folder, open_source, utc_now
from windlass_runner.daemon.registries import open_registries
from windlass_runner.daemon.settings import Settings
from windlass_runner.run.storage import Storage

SOON: Final = timedelta(days=90)
"""Who has to go to a safe should hear of it a while before."""


def check_registries(settings: Settings, storage: Storage, invocation: Invocation) -> Iterator[Check]:
    """The daemon's own, those of its settings, and those that this user believes."""
    own = storage.root / "registry"
    if holds_registry(own):
        yield check_own(open_folder(own), utc_now())
    packages = Store(storage.packages)
    for each in open_registries(settings.registries, storage=storage, packages=packages, clock=utc_now)[1:]:
        yield _check_reading(each.name, each.source)
    try:
        known = known_registries(invocation).load()
    except WindlassError as error:
        yield failed("registries", error)
        return
    for one in known:
        if Path(one.registry.address) != own:
            yield _check_reading(one.registry.name, open_source(one.registry, invocation))


def check_own(folder: RegistryFolder, now: datetime) -> Check:
    """A registry of this machine: whether readers will go on believing it."""
    name = "registry"
    try:
        if folder.is_ours():
            folder.refresh()
        state = folder.roles()
        ends = state.ends()
    except WindlassError as error:
        return failed(name, error)
    if (folder.folder / PRIVATE).stat().st_mode & 0o077:
        remedy = f"take it from them: chmod 700 {folder.folder / PRIVATE}"
        return Check(name=name, state="fail", text="others may read its private folder", remedy=remedy)
    role, end = min(ends.items(), key=lambda item: item[1])
    if role == "timestamp" and end > now:  # signed anew by itself: what people have to do is of interest
        del ends[role]
        role, end = min(ends.items(), key=lambda item: item[1])
    count = len(state.namespaces())
    namespaces = "1 namespace" if count == 1 else f"{count} namespaces"
    where = load_store(folder.folder)
    shown = f"{folder.folder} ({where.url})" if where is not None else str(folder.folder)
    text = f"{shown}: {namespaces}; '{role}' is signed until {end:%Y-%m-%d}"
    if end <= now:
        return Check(name=name, state="fail", text=text, remedy=_remedy(role))
    if end - now < SOON:
        return Check(name=name, state="warn", text=text, remedy=_remedy(role))
    return Check(name=name, state="ok", text=text)


def _check_reading(name: str, source: Source) -> Check:
    """Whether it answers and is believed: that is found out before a name is looked for."""
    try:
        source.releases("nobody/nothing")
    except WindlassError as error:
        return failed(f"registry {name}", error)
    return Check(name=f"registry {name}", state="ok", text="is read and believed")


def _remedy(role: str) -> str:
    if role in ("root", "targets"):
        return "with its owner's keys: windlass registry rekey"
    if role == "timestamp":
        return "windlass registry refresh"
    return f"with its owner's key: windlass keys renew {role.partition('.')[0]}"
