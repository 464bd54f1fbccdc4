"""The daemon's settings: one frozen value from `windlass.toml`, environment and files for secrets.

The only place beside `cli` that looks at the environment, and it does so through an argument.
Unknown keys are errors with their line; a secret is never written into the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from windlass_registry.errors import OperatorError, Problem
from windlass_registry.policy import Policy
from windlass_runner.daemon.action_settings import ActionSettings, read_actions
from windlass_runner.daemon.credentials import Credentials, read_credentials
from windlass_runner.daemon.environment_settings import EnvironmentSettings, read_environments
from windlass_runner.daemon.policy_settings import GIT_ADDRESSES, read_policy
from windlass_runner.daemon.registry_settings import RegistrySettings, read_registries
from windlass_runner.daemon.repository_settings import RepositorySettings, read_repositories
from windlass_runner.daemon.secret_sources import SecretSource, read_secret_source
from windlass_runner.daemon.server_addresses import apps_address, listen_address, web_address
from windlass_runner.daemon.toml_reader import Places, Section, SettingsError, decode
from windlass_runner.run.kept import DEFAULT_LIMIT_BYTES
from windlass_runner.workflow.quantities import size_bytes

DEFAULT_FILES: Final = ("windlass.toml", "/etc/windlass/windlass.toml")
"""Where settings are looked for when none are named."""
KEEP_RUNS_DAYS: Final = 90
"""How long runs are kept unless told; the newest ones stay in any case (`daemon.retention_rule`)."""
_ENGINES: Final = ("docker", "process")
_DOCKER_SCHEMES: Final = ("unix://", "tcp://", "ssh://", "http://", "https://", "npipe://")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the daemon listens, and how others reach it (for links)."""

    host: str = "127.0.0.1"
    port: int = 8470
    url: str | None = None
    apps_url: str | None = None
    """The same daemon under a host name for apps alone; with `*` for its first label, one for each."""
    link_apps: bool = False
    """Whether checks, notes and pages of runs carry the links of apps, which open them to whoever reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where everything lies, and for how long. `database` is a PostgreSQL address; None: SQLite under `path`.

    Days are counted from the end of a run; 0: for ever. Logs and artifacts go with their run at the latest.
    """

    path: Path
    database: str | None = None
    objects: str | None = None
    keep_runs_days: int = KEEP_RUNS_DAYS
    keep_logs_days: int = 0
    keep_artifacts_days: int = 0
    cache_bytes: int = DEFAULT_LIMIT_BYTES
    """For each repository, what its jobs keep for later runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """One machine that runs jobs."""

    name: str = "local"
    engine: Literal["docker", "process"] = "docker"
    docker: str | None = None
    """The engine's address; None: docker's own default."""
    parallelism: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How jobs run where they do not say."""

    default_image: str | None = None
    """None: the program's own default."""
    parallelism: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the owner of the machine decides."""

    server: ServerSettings = ServerSettings()
    storage: StorageSettings
    repositories: tuple[RepositorySettings, ...] = ()
    hosts: tuple[HostSettings, ...] = (HostSettings(),)
    runner: RunnerSettings = RunnerSettings()
    actions: ActionSettings = field(default_factory=ActionSettings)
    registries: tuple[RegistrySettings, ...] = ()
    policy: Policy = field(default_factory=lambda: Policy(git_sources=GIT_ADDRESSES))
    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    environments: tuple[EnvironmentSettings, ...] = ()
    instance_types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: Path | None = None
    """The file it was read from; None: all defaults."""


def find_settings(folder: Path) -> Path | None:
    """The settings file that is used when none is named, or None where there is none."""
    candidates = (folder / name for name in DEFAULT_FILES)
    return next((path for path in candidates if path.is_file()), None)


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings; None: the defaults, which serve one machine.

    Raises:
        SettingsError: with every problem of the file and its line.
        OperatorError: the file cannot be read.
    """
    if path is None:
        return Settings(storage=StorageSettings(path=default_storage(environ)))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OperatorError(
            f"the settings {path} cannot be read: {reason}", remedy="name another file with --config"
        ) from error
    return parse_settings(text, path=path, environ=environ)


def parse_settings(text: str, *, path: Path, environ: Mapping[str, str]) -> Settings:
    """The text of a settings file as a value. Relative paths in it start at its folder."""
    problems: list[Problem] = []
    data = decode(text, name=str(path))
    root = Section(data, name=str(path), places=Places(text), problems=problems)
    folder = Path(os.path.normpath(path.absolute().parent))  # it stands in notes and messages
    credentials = read_credentials(root.table("credentials"), folder)
    settings = Settings(
        server=_server(root.table("server")),
        storage=_storage(root.table("storage"), folder, environ),
        repositories=read_repositories(root, folder, credentials),
        hosts=_hosts(root),
        runner=_runner(root.table("runner")),
        actions=read_actions(root),
        registries=read_registries(root, folder),
        policy=read_policy(root.table("policy")),
        credentials=credentials,
        secrets=_secrets(root.table("secrets"), folder),
        environments=read_environments(root, folder),
        instance_types=_instance_types(root.table("instance-types")),
        source=path,
    )
    root.finish()
    if problems:
        raise SettingsError(*sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return settings


def default_storage(environ: Mapping[str, str]) -> Path:
    """Where things lie unless told: a system folder for root, else the user's state folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/windlass")
    state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".local/state")
    return Path(state) / "windlass"


def _server(section: Section) -> ServerSettings:
    host, port = "127.0.0.1", 8470
    listen = section.text("listen")
    if listen is not None:
        found = listen_address(listen)
        if found is None:
            section.error("listen", f"'{listen}' is not an address", "write it as 127.0.0.1:8470")
        else:
            host, port = found
    url = web_address(section, "url", "https://ci.example.org")
    apps_url = apps_address(section, url)
    link_apps = section.flag("link_apps") or False
    section.finish()
    return ServerSettings(host=host, port=port, url=url, apps_url=apps_url, link_apps=link_apps)


def _storage(section: Section, folder: Path, environ: Mapping[str, str]) -> StorageSettings:
    path = section.text("path")
    database = section.text("database")
    if database is not None and not database.startswith(("postgresql://", "postgresql+psycopg://")):
        section.error(
            "database", "'storage.database' must be a postgresql:// address", "leave it out for SQLite"
        )
    objects = section.text("objects")
    runs = section.whole("keep_runs_days", least=0)
    logs = section.whole("keep_logs_days", least=0)
    artifacts = section.whole("keep_artifacts_days", least=0)
    cache = section.text("cache")
    cache_bytes = DEFAULT_LIMIT_BYTES if cache is None else size_bytes(cache)
    if cache_bytes is None:
        section.error("cache", f"'{cache}' is not a size", "write it as 20GB")
    section.finish()
    where = _absolute(path, folder, environ) if path is not None else default_storage(environ)
    return StorageSettings(
        path=where,
        database=database,
        objects=objects,
        keep_runs_days=KEEP_RUNS_DAYS if runs is None else runs,
        keep_logs_days=logs or 0,
        keep_artifacts_days=artifacts or 0,
        cache_bytes=DEFAULT_LIMIT_BYTES if cache_bytes is None else cache_bytes,
    )


def _absolute(text: str, folder: Path, environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        return Path(home) / text[2:]
    return folder / text


def _hosts(root: Section) -> tuple[HostSettings, ...]:
    hosts: dict[str, HostSettings] = {}
    for section in root.tables("host"):
        name = section.text("name") or "local"
        docker = section.text("docker")
        if docker is not None and not docker.startswith(_DOCKER_SCHEMES):
            section.error(
                "docker", f"'{docker}' is not an engine's address", "write unix:///var/run/docker.sock"
            )
        engine = section.choice("engine", _ENGINES)
        parallelism = section.whole("parallelism", least=1)
        section.finish()
        if name in hosts:
            section.error("name", f"two hosts have the name '{name}'", "give each its own")
        hosts[name] = HostSettings(
            name=name,
            engine="process" if engine == "process" else "docker",
            docker=docker,
            parallelism=parallelism,
        )
    return tuple(hosts.values()) or (HostSettings(),)


def _runner(section: Section) -> RunnerSettings:
    image = section.text("default_image")
    parallelism = section.whole("parallelism", least=1)
    section.finish()
    return RunnerSettings(default_image=image, parallelism=parallelism or 4)


def _secrets(section: Section, folder: Path) -> dict[str, SecretSource]:
    sources = {name: read_secret_source(section, name, folder) for name in section.names()}
    return {name: source for name, source in sources.items() if source is not None}


def _instance_types(section: Section) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for name in section.names():
        words = section.table(name)
        memory = words.text("memory")
        if memory is not None and size_bytes(memory) is None:
            words.error("memory", f"'{memory}' is not an amount of memory", "write it as 30GB")
        values = {
            "gpu": words.whole("gpu", least=0),
            "cpu": words.number("cpu", least=0),
            "memory_bytes": size_bytes(memory) if memory else None,
        }
        words.finish()
        found[name] = {key: value for key, value in values.items() if value is not None}
    return found
