"""What `windlass doctor` looks at. Every check gives one line; none of them raises."""

from __future__ import annotations

import platform
import shutil
import subprocess
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from windlass_registry.errors import OperatorError, WindlassError
from windlass_runner.commands.context import load
from windlass_runner.commands.engine_choice import open_engine
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.paint import size
from windlass_runner.run.storage import Storage

if TYPE_CHECKING:
    from windlass_runner.daemon.settings import HostSettings, Settings, StorageSettings

LEAST_GIT: Final = (2, 31)
GIB: Final = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: fine, worth a thought, or in the way."""

    name: str
    state: Literal["ok", "warn", "fail"]
    text: str
    remedy: str | None = None


def all_checks(arguments: Namespace, invocation: Invocation) -> Iterator[Check]:
    """Everything, the cheap first."""
    yield check_python()
    yield check_git()
    try:
        settings = load(arguments, invocation)
    except WindlassError as error:
        yield failed("settings", error)
        return
    source = settings.source
    yield Check(name="settings", state="ok", text=str(source) if source else "none: the defaults hold")
    folder = Path(arguments.storage) if arguments.storage else settings.storage.path
    storage = Storage(invocation.folder / folder)
    yield check_storage(storage)
    yield check_disk(storage)
    yield check_ledger(storage, settings.storage.database)
    yield check_retention(storage, settings.storage)
    yield check_clock(storage)
    yield from _schedule_checks(settings, storage)
    yield _policy_check(settings)
    yield from _registry_checks(settings, storage, invocation)
    for host in settings.hosts:
        yield check_host(host, storage, invocation)
    yield check_gpus()
    yield from _network_checks(settings, invocation)


def _policy_check(settings: Settings) -> Check:
    from windlass_runner.commands.policy_check import check_policy
    from windlass_runner.plan.compile import PlanOptions

    own = [("default_image", settings.runner.default_image or PlanOptions().default_image)]
    own += [("node_image", image) for image in dict.fromkeys(settings.actions.node_images.values())]
    return check_policy(settings.policy, images=own)


def _schedule_checks(settings: Settings, storage: Storage) -> Iterator[Check]:
    from windlass_runner.commands.schedule_check import check_schedules

    found = check_schedules(storage, settings.storage.database, now=time.time())
    if found is not None:
        yield found


def _registry_checks(settings: Settings, storage: Storage, invocation: Invocation) -> Iterator[Check]:
    from windlass_runner.commands.registry_check import check_registries

    yield from check_registries(settings, storage, invocation)


def _network_checks(settings: Settings, invocation: Invocation) -> Iterator[Check]:
    from windlass_runner.commands.network_checks import check_address, check_listen, check_repository
    from windlass_runner.daemon.forges import Forges

    yield check_listen(settings.server)
    yield check_address(settings)
    forges = Forges(settings, invocation.environment)
    for repository in settings.repositories:
        yield check_repository(repository, invocation.environment, login=forges.git_login)
    yield from _github_checks(settings, invocation)
    secrets = [(f"'{name}'", secret) for name, secret in settings.secrets.items()]
    for place in settings.environments:
        secrets += [(f"'{name}' of {place.name}", secret) for name, secret in place.secrets.items()]
    for name, secret in secrets:
        if secret.read(invocation.environment) is None:
            text = f"{name} has no value in {secret}"
            yield Check(name="secret", state="fail", text=text, remedy="set it where the daemon starts")


def _github_checks(settings: Settings, invocation: Invocation) -> Iterator[Check]:
    """One for each of the credentials for GitHub; its client is loaded only where there are any."""
    if settings.credentials:
        from windlass_runner.commands.github_status import inspect, on_github, summary

        for name in on_github(settings):
            yield summary(inspect(settings, name, invocation.environment))


def failed(name: str, error: WindlassError) -> Check:
    """An error as a check that failed."""
    if isinstance(error, OperatorError):
        return Check(name=name, state="fail", text=error.message, remedy=error.remedy)
    return Check(name=name, state="fail", text=str(error))


def check_python() -> Check:
    """The Python that runs us."""
    text = f"{platform.python_version()} on {platform.platform(terse=True)}"
    return Check(name="python", state="ok", text=text)


def check_git() -> Check:
    """git, and whether it is new enough."""
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return Check(name="git", state="fail", text="git does not run", remedy="install the package 'git'")
    words = done.stdout.split()
    version = words[2] if len(words) > 2 else ""
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts < LEAST_GIT:
        wanted = ".".join(map(str, LEAST_GIT))
        return Check(name="git", state="fail", text=f"git {version}", remedy=f"install git {wanted} or later")
    return Check(name="git", state="ok", text=f"git {version}")


def check_storage(storage: Storage) -> Check:
    """Whether the storage can be written."""
    import tempfile

    place = _existing(storage.root)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".windlass-doctor-"):
            pass
    except OSError as error:
        text = f"{storage.root} cannot be written: {error.strerror}"
        remedy = "let this user write there, or set [storage] path to another folder"
        return Check(name="storage", state="fail", text=text, remedy=remedy)
    is_new = "" if storage.root.is_dir() else " (will be made)"
    return Check(name="storage", state="ok", text=f"{storage.root}{is_new}")


def check_disk(storage: Storage) -> Check:
    """Space and inodes where the storage lies."""
    import os

    place = _existing(storage.root)
    try:
        free = shutil.disk_usage(place).free
        facts = os.statvfs(place)
    except OSError as error:
        return Check(name="disk", state="fail", text=f"{place}: {error.strerror}")
    text = f"{size(free)} free on {place}"
    if facts.f_files and facts.f_favail < 10_000:
        text = f"only {facts.f_favail} inodes free on {place}"
        return Check(name="disk", state="fail", text=text, remedy="delete old runs, or many small files")
    if free < GIB:
        return Check(name="disk", state="fail", text=text, remedy="free at least 1 GB")
    if free < 5 * GIB:
        return Check(name="disk", state="warn", text=text, remedy="images and outputs may need more")
    return Check(name="disk", state="ok", text=text)


def check_ledger(storage: Storage, database: str | None) -> Check:
    """Whether the ledger is whole and of this version."""
    from windlass_runner.commands.ledger_check import damage

    if database is None and not storage.ledger.is_file():
        return Check(name="ledger", state="ok", text="none yet")
    try:
        found = None if database is not None else damage(storage.ledger)
        if found is not None:
            remedy = "stop the daemon, move the file aside and take the newest backup"
            return Check(name="ledger", state="fail", text=f"{storage.ledger}: {found}", remedy=remedy)
        from windlass_runner.ledger.ledger import Ledger

        with Ledger.open(database or str(storage.ledger), create=False) as ledger:
            unfinished, waiting = len(ledger.runs.unfinished()), ledger.inbox.counts().waiting
    except WindlassError as error:
        return failed("ledger", error)
    text = f"whole; {unfinished} unfinished runs, {waiting} deliveries waiting"
    return Check(name="ledger", state="ok", text=text)


def check_retention(storage: Storage, keeps: StorageSettings) -> Check:
    """How much of the disk is in use, and what of it will be removed."""
    from windlass_runner.daemon.output_retention import DAY_S
    from windlass_runner.daemon.retention import all_runs
    from windlass_runner.daemon.retention_rule import that_may_go
    from windlass_runner.daemon.storage_use import folder_bytes, measure
    from windlass_runner.ledger.ledger import Ledger

    use = measure(storage)
    text = f"{size(use.total)} in use: runs {size(use.runs)}, mirrors {size(use.mirrors)}"
    if not keeps.keep_runs_days:
        return Check(name="retention", state="ok", text=f"{text}; runs are kept for ever")
    if keeps.database is None and not storage.ledger.is_file():
        return Check(name="retention", state="ok", text=text)
    try:
        with Ledger.open(keeps.database or str(storage.ledger), create=False) as ledger:
            before = time.time() - keeps.keep_runs_days * DAY_S
            old = [run.id for run in that_may_go(all_runs(ledger), before=before)]
    except WindlassError as error:
        return failed("retention", error)
    freed = size(sum(folder_bytes(storage.run(run_id)) for run_id in old))
    runs = "run" if len(old) == 1 else "runs"
    text += f"; of {len(old)} {runs} older than {keeps.keep_runs_days} days {freed} will be removed"
    return Check(name="retention", state="ok", text=text)


def check_clock(storage: Storage) -> Check:
    """The clock against what the disk remembers: it must not lie before what was written already."""
    now = time.time()
    newest = Path(__file__).stat().st_mtime
    if storage.ledger.is_file():
        newest = max(newest, storage.ledger.stat().st_mtime)
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if newest > now + 120:
        text += f", but files here were written {newest - now:.0f} s later"
        remedy = "set the clock (timedatectl set-ntp true)"
        return Check(name="clock", state="fail", text=text, remedy=remedy)
    return Check(name="clock", state="ok", text=text)


def check_host(host: HostSettings, storage: Storage, invocation: Invocation) -> Check:
    """The engine of a host: whether it answers, and what it says of itself."""
    name = host.engine if host.name == "local" else host.name
    engine = open_engine(
        host.engine, storage=storage, environment=invocation.environment, address=host.docker
    )
    try:
        facts = engine.facts()
    except WindlassError as error:
        return failed(name, error)
    finally:
        engine.close()
    text = f"{facts.name} {facts.version}, {facts.cpus} CPUs, {size(facts.memory_bytes)} memory"
    if facts.isolation == "none":
        remedy = 'only for workflows that you trust; use engine = "docker" otherwise'
        return Check(name=name, state="warn", text=f"{text}; nothing is isolated", remedy=remedy)
    return Check(name=name, state="ok", text=text)


def check_gpus() -> Check:
    """NVIDIA's own tool, where it is installed."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Check(name="gpus", state="ok", text="none (no nvidia-smi here)")
    try:
        done = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        done = None
    if done is None or done.returncode != 0:
        remedy = "see what 'nvidia-smi' says; the driver may not fit the kernel"
        return Check(name="gpus", state="warn", text="nvidia-smi fails", remedy=remedy)
    names = [line.partition(":")[2].partition("(")[0].strip() for line in done.stdout.splitlines()]
    return Check(name="gpus", state="ok", text=", ".join(filter(None, names)) or "none")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((place for place in (folder, *folder.parents) if place.is_dir()), Path("/"))
