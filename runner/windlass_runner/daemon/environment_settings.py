"""`[[environment]]`: where jobs deploy to, who lets them, and the secrets that only they get. Used by
`daemon.settings`; `described` makes of it what `run` asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.secret_sources import SecretSource, read_secret_source
from windlass_runner.daemon.toml_reader import Section
from windlass_runner.run.environments import LONGEST_WAIT_S, EnvironmentRules, Environments
from windlass_runner.workflow.patterns import PatternError, check, matches


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """One environment. `repository`: a name, or a pattern of names; None: of every repository."""

    name: str
    repository: str | None = None
    branches: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    approvals: int = 0
    wait_s: float = 0.0
    timeout_s: float = LONGEST_WAIT_S
    url: str | None = None
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)

    def is_of(self, repository: str) -> bool:
        """Whether it is one of that repository (by its name)."""
        return self.repository is None or matches(self.repository, repository)


def read_environments(root: Section, folder: Path) -> tuple[EnvironmentSettings, ...]:
    """All of them, in the order of the file. What is wrong is noted in the sections."""
    found: dict[tuple[str, str | None], EnvironmentSettings] = {}
    for section in root.tables("environment"):
        one = _environment(section, folder)
        if one is None:
            continue
        if (one.name.casefold(), one.repository) in found:
            section.error("name", f"the environment '{one.name}' stands twice", "keep one of the two")
        found[one.name.casefold(), one.repository] = one
    return tuple(found.values())


def described(
    environments: Iterable[EnvironmentSettings],
    repositories: Iterable[RepositorySettings],
    environ: Mapping[str, str],
) -> Environments:
    """What holds for an environment of a repository. One that names it goes before one for all."""
    ordered = sorted(environments, key=lambda one: one.repository is None)
    names = {repository.url: repository.name for repository in repositories}

    def find(repository: str, name: str) -> EnvironmentRules | None:
        called = names.get(repository, repository)
        same = (one for one in ordered if one.name.casefold() == name.casefold())  # as GitHub takes them
        one = next((one for one in same if one.is_of(called)), None)
        return None if one is None else _rules(one, environ)

    return find


def _rules(one: EnvironmentSettings, environ: Mapping[str, str]) -> EnvironmentRules:
    def secret(name: str) -> str | None:
        source = one.secrets.get(name)
        return None if source is None else source.read(environ) or ""

    return EnvironmentRules(
        name=one.name,
        branches=one.branches,
        approvers=one.approvers,
        approvals=one.approvals,
        wait_s=one.wait_s,
        timeout_s=one.timeout_s,
        url=one.url,
        secret=secret,
    )


def _environment(section: Section, folder: Path) -> EnvironmentSettings | None:
    name, repository = section.text("name"), section.text("repository")
    branches, approvers = section.texts("branches"), section.texts("approvers")
    approvals = section.whole("approvals", least=0)
    wait_s, timeout_s = section.number("wait_s", least=0), section.number("timeout_s", least=0)
    url = section.text("url")
    secrets = _secrets(section.table("secrets"), folder)
    section.finish()
    for key, patterns in (("repository", (repository,) if repository else ()), ("branches", branches)):
        _check_patterns(section, key, patterns)
    if url is not None and urlsplit(url).scheme not in ("http", "https"):
        section.error("url", f"'{url}' is not an http address", "write it as https://app.example.org")
    if approvers and approvals is not None and approvals > len(set(map(str.casefold, approvers))):
        remedy = "name more approvers, or ask for fewer approvals"
        section.error("approvals", f"{approvals} approvals cannot come from {len(approvers)} people", remedy)
    if name is None:
        if "name" not in section.data:
            section.error(None, "an environment without `name`", "write what jobs have under `environment`")
        return None
    return EnvironmentSettings(
        name=name,
        repository=repository,
        branches=branches,
        approvers=approvers,
        approvals=approvals if approvals is not None else 1 if approvers else 0,
        wait_s=float(wait_s or 0),
        timeout_s=LONGEST_WAIT_S if timeout_s is None else float(timeout_s),
        url=url,
        secrets=secrets,
    )


def _secrets(section: Section, folder: Path) -> dict[str, SecretSource]:
    sources = {name: read_secret_source(section, name, folder) for name in section.names()}
    return {name: source for name, source in sources.items() if source is not None}


def _check_patterns(section: Section, key: str, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        try:
            check(pattern)
        except PatternError as error:
            section.error(key, f"{section.label(key)}: '{pattern}': {error}")
