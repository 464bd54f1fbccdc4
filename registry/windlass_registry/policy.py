"""What the owner of a machine allows to run: pure questions, asked before anything is fetched or started.

The daemon reads it from `[policy]` of its settings. The default allows everything, which is right for
somebody who runs their own files at their own keyboard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from windlass_registry.advisories import Severity, at_least
from windlass_registry.index import Release
from windlass_registry.refs import GitRef, RegistryRef

DOCKER_HUB = "docker.io"
"""The registry that is meant where an image's name has no host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which actions and images may run here. What is built in and what lies in the repository always may."""

    namespaces: frozenset[str] | None = None
    """The namespaces of registries, as `acme` or `registry.example.org/acme`; None: all."""
    require_signatures: bool = False
    """Only releases whose publisher signed a statement of where they were made."""
    image_registries: tuple[str, ...] | None = None
    """Where images may come from: hosts (`ghcr.io`), or with a path (`ghcr.io/acme`); None: anywhere."""
    git_sources: tuple[str, ...] | None = None
    """Beginnings of the git addresses that may be used (`https://github.com/acme/`); None: all, (): none."""
    require_lock: bool = False
    """Only what `.windlass/lock.yaml` pins: actions and images."""
    yanked: Literal["warn", "refuse"] = "warn"
    """What becomes of a release that is pinned, and was yanked."""
    moved_tags: Literal["warn", "refuse"] = "warn"
    """What becomes of a git source that is pinned, and whose tag was moved since."""
    refuse_advisories: Severity | None = None
    """Releases with a security notice as severe as that may not run; None: they may, with a warning."""

    def refuses_namespace(self, ref: RegistryRef) -> str | None:
        """Why actions of that namespace may not run; None: they may."""
        if self.namespaces is None or ref.namespace is None:
            return None
        if ref.namespace in self.namespaces or f"{ref.host}/{ref.namespace}" in self.namespaces:
            return None
        return f"the settings of this runner do not allow the namespace '{ref.namespace}'"

    def refuses_git(self, ref: GitRef) -> str | None:
        """Why that git source may not be used; None: it may."""
        if self.git_sources is None:
            return None
        is_plain = "%" not in ref.url and ".." not in ref.url.split("/")  # git's client would resolve these
        if is_plain and any(is_below(ref.url, each) for each in self.git_sources):
            return None
        if not self.git_sources:
            return "the settings of this runner allow no actions from git repositories"
        return f"the settings of this runner do not allow actions from {ref.url}"

    def refuses_release(self, release: Release) -> str | None:
        """Why that release may not run, in a few words; None: it may."""
        if self.require_signatures and release.statement is None and release.source != "builtin":
            return "not signed with a statement of where it was made, which this runner's settings ask for"
        if self.refuse_advisories is not None:
            notice = at_least(release.advisories, self.refuse_advisories)
            return None if notice is None else f"{release.name} {release.version} has a {notice.line()}"
        return None

    def refuses_image(self, image: str) -> str | None:
        """Why that image may not run; None: it may. `image`: a name without expressions."""
        if self.image_registries is None:
            return None
        name = image_repository(image)
        if any(is_below(name, each) for each in self.image_registries):
            return None
        return f"the settings of this runner do not allow images from '{name.rpartition('/')[0]}'"


def is_below(text: str, start: str) -> bool:
    """Whether a path begins with another, in whole parts: `ghcr.io/acme/x` with `ghcr.io/acme`."""
    if start.endswith(("/", ":")):
        return text.startswith(start)
    return text == start or text.startswith((start + "/", start + ".git/")) or text == start + ".git"


def image_repository(image: str) -> str:
    """The full name of an image without tag and digest: `python:3.12` is `docker.io/library/python`."""
    name = image.partition("@")[0]
    host, slash, rest = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = DOCKER_HUB, name if slash else f"library/{name}"
    if host == "index.docker.io":
        host = DOCKER_HUB
    repository, colon, tag = rest.rpartition(":")
    return f"{host}/{repository if colon and '/' not in tag else rest}"
