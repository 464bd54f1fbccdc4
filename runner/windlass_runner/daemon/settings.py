"""The daemon's settings: one frozen value from `windlass.toml`, environment and files for secrets.

The only place beside `cli` that looks at the environment, and it does so through an argument.
Unknown keys are errors with their line; a secret is never written into the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from windlass_registry.documents import did_you_mean
from windlass_registry.errors import OperatorError, Problem
from windlass_runner.daemon.credentials import Credentials, read_credentials
from windlass_runner.daemon.secret_sources import SecretSource, read_secret_source
from windlass_runner.daemon.toml_reader import Places, Section, SettingsError, decode
from windlass_runner.workflow.quantities import size_bytes

DEFAULT_FILES: Final = ("windlass.toml", "/etc/windlass/windlass.toml")
"""Where settings are looked for when none are named."""
_FORGES: Final = ("git", "github", "gitea", "gitlab")
_HOSTED_NAMES: Final = {
    "github": re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+\Z"),
    "gitea": re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+\Z"),
    "gitlab": re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)+\Z"),
}
"""How a repository is named on forges that have one of their own."""
_TITLES: Final = {"github": "GitHub", "gitea": "Gitea", "gitlab": "GitLab"}
_CHECKS_PER: Final = ("workflow", "job")
_SKIPPED: Final = ("skipped", "success")
_ENGINES: Final = ("docker", "process")
_DOCKER_SCHEMES: Final = ("unix://", "tcp://", "ssh://", "http://", "https://", "npipe://")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the daemon listens, and how others reach it (for links)."""

    host: str = "127.0.0.1"
    port: int = 8470
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where everything lies. `database` is a PostgreSQL address; None: SQLite under `path`."""

    path: Path
    database: str | None = None
    objects: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySettings:
    """One watched repository. `poll_s` 0: webhooks only. `name` is `owner/name` on GitHub."""

    url: str
    name: str
    poll_s: float = 2.0
    forge: str = "git"
    credentials: str | None = None
    webhook_secret: SecretSource | None = None
    checks_per: str = "workflow"
    """Whether a forge shows a check for each `workflow` alone, or beside it one for each `job`."""
    skipped: str = "skipped"
    """How the check of a workflow that path filters keep from running concludes: `skipped` or `success`."""
    comment: bool = False
    """Whether a comment on each pull request (of GitHub) tells how its newest commit stands."""
    run_existing: bool = False
    """Whether what stands on the branches when the repository is first seen is run."""


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
    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
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
        repositories=_repositories(root, folder, credentials),
        hosts=_hosts(root),
        runner=_runner(root.table("runner")),
        credentials=credentials,
        secrets=_secrets(root.table("secrets"), folder),
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
        found = _address(listen)
        if found is None:
            section.error("listen", f"'{listen}' is not an address", "write it as 127.0.0.1:8470")
        else:
            host, port = found
    url = section.text("url")
    if url is not None and urlsplit(url).scheme not in ("http", "https"):
        section.error("url", f"'{url}' is not an http address", "write it as https://ci.example.org")
    section.finish()
    return ServerSettings(host=host, port=port, url=url.rstrip("/") if url else None)


def _address(text: str) -> tuple[str, int] | None:
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        return None
    return host, int(port)


def _storage(section: Section, folder: Path, environ: Mapping[str, str]) -> StorageSettings:
    path = section.text("path")
    database = section.text("database")
    if database is not None and not database.startswith(("postgresql://", "postgresql+psycopg://")):
        section.error(
            "database", "'storage.database' must be a postgresql:// address", "leave it out for SQLite"
        )
    objects = section.text("objects")
    section.finish()
    where = _absolute(path, folder, environ) if path is not None else default_storage(environ)
    return StorageSettings(path=where, database=database, objects=objects)


def _absolute(text: str, folder: Path, environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        return Path(home) / text[2:]
    return folder / text


def _repositories(
    root: Section, folder: Path, credentials: Mapping[str, Credentials]
) -> tuple[RepositorySettings, ...]:
    found: dict[str, RepositorySettings] = {}
    for section in root.tables("repository"):
        repository = _repository(section, folder, credentials)
        if repository is None:
            continue
        if repository.url in found:
            section.error("url", f"the repository {repository.url} is named twice", "keep one of the two")
        elif any(repository.name == other.name for other in found.values()):
            section.error(
                None, f"two repositories have the name '{repository.name}'", "give one of them another `name`"
            )
        found[repository.url] = repository
    return tuple(found.values())


def _repository(
    section: Section, folder: Path, credentials: Mapping[str, Credentials]
) -> RepositorySettings | None:
    url = section.text("url")
    name = section.text("name")
    poll_s = section.number("poll_s", least=0)
    forge = section.choice("forge", _FORGES)
    account = section.text("credentials")
    secret = read_secret_source(section, "webhook_secret", folder)
    checks_per = section.choice("checks_per", _CHECKS_PER)
    skipped = section.choice("skipped", _SKIPPED)
    comment = section.flag("comment")
    if comment and forge != "github":
        section.error("comment", "comments are written on GitHub only", "leave it out")
    run_existing = section.flag("run_existing")
    section.finish()
    if url is None:
        if "url" not in section.data:
            section.error(None, "a repository without `url`", "say which repository to watch")
        return None
    address = repository_address(url, folder)
    if _holds_password(address):  # it would stand in the log, on /healthz and in what jobs are told
        section.error("url", "'repository.url' holds a password", "leave it to a credential helper of git's")
    found = _credentials(section, account, forge, credentials)
    name = name or (_whole_name(address) if forge == "gitlab" else _short_name(address))
    if forge in _HOSTED_NAMES and not _HOSTED_NAMES[forge].match(name):
        key = "name" if "name" in section.data else "url"
        text = f"'{name}' is not the name of a repository on {_TITLES[forge]}"
        section.error(key, text, f'write name = "{"group" if forge == "gitlab" else "owner"}/name"')
    return RepositorySettings(
        url=address,
        name=name,
        poll_s=2.0 if poll_s is None else float(poll_s),
        forge=forge or "git",
        credentials=account,
        webhook_secret=secret or (found.webhook_secret if found is not None else None),
        checks_per=checks_per or "workflow",
        skipped=skipped or "skipped",
        comment=bool(comment),
        run_existing=bool(run_existing),
    )


def _credentials(
    section: Section, name: str | None, forge: str | None, known: Mapping[str, Credentials]
) -> Credentials | None:
    if name is not None and name not in known:
        remedy = did_you_mean(name, known) or f"add [credentials.{name}]"
        section.error("credentials", f"there are no credentials '{name}'", remedy)
    found = known.get(name or "")
    if forge not in _TITLES:
        return found
    title = _TITLES[forge]
    if name is None and "credentials" not in section.data:
        whose = "a GitHub App or a token" if forge == "github" else "a token"
        section.error(
            "forge",
            f"a repository on {title} without `credentials`",
            f"name those of {whose}: [credentials.NAME]",
        )
    if found is not None and forge != "github" and found.app_id is not None:
        section.error("credentials", f"{title} knows no Apps", f"write `token` in [credentials.{name}]")
    if found is not None and forge == "gitea" and found.api_url is None:
        remedy = f'write api_url = "https://git.example.org/api/v1" in [credentials.{name}]'
        section.error("credentials", "where Gitea is has to be told", remedy)
    return found


def repository_address(url: str, folder: Path) -> str:
    """An address in the one form that everything else uses: paths are absolute `file://` addresses."""
    if "://" in url:
        return url.rstrip("/")
    head, colon, _ = url.partition(":")
    if colon and "/" not in head:  # git's short form for ssh, host:path
        return url.rstrip("/")
    return "file://" + os.path.normpath(folder / url)


def _holds_password(url: str) -> bool:
    user, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at) and ":" in user


def _short_name(url: str) -> str:
    """The last two parts of an address as people name a repository: `acme/digits`."""
    parts = _whole_name(url).split("/")
    return "/".join(parts[-1:] if url.startswith("file://") else parts[-2:])


def _whole_name(url: str) -> str:
    """An address from its first folder on."""
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url.rpartition(":")[2]
    parts = [part for part in path.removesuffix("/.git").removesuffix(".git").split("/") if part]
    return "/".join(parts) or url


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
