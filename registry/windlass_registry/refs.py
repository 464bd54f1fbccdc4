"""What a `uses:` text names: a package of a registry, a folder of the repository, or a git source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from windlass_registry.versions import (
    VERSION_FORMS,
    Digest,
    VersionError,
    VersionRange,
    parse_version_or_digest,
)

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_HOST = re.compile(
    r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)(?::[0-9]{1,5})?\Z|localhost:[0-9]{1,5}\Z"
)
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_GIT_URL = re.compile(r"git\+(?:https?|ssh|file)://\S+")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_LONGEST = 1024

GITHUB: Final = "https://github.com/"
"""Where `github.com/owner/repo` lies."""
COPY_IT: Final = "copy the action into a folder of this repository and write './folder'"
_CHOOSE_AN_IMAGE: Final = "leave it out: choose an 'image' that has it"
INSTEAD: Final[Mapping[str, str]] = {
    "actions/checkout": "leave it out: the commit lies in /workspace already; for another repository "
    "write 'git-checkout@v1'",
    "actions/setup-python": "leave it out: choose an image that has Python, or write 'python@v1'",
    "actions/upload-artifact": "write outputs: {NAME: {type: artifact}} at the job, and put the files into "
    "/outputs/NAME",
    "actions/download-artifact": "write inputs: {NAME: JOB.outputs.NAME} at the job, and read /inputs/NAME",
    **dict.fromkeys(
        ("actions/setup-node", "actions/setup-java", "actions/setup-go", "actions/setup-dotnet"),
        _CHOOSE_AN_IMAGE,
    ),
}
"""What to write in place of actions that people bring along from GitHub."""


class RefError(ValueError):
    """The text names no action. The caller knows where it stands and adds the place."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message + (f"; {remedy}" if remedy else ""))
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRef:
    """`[host/][namespace/]name@version`. No host: the registries of the settings."""

    host: str | None = None
    namespace: str | None = None
    name: str
    version: VersionRange | Digest

    @property
    def full_name(self) -> str:
        """The name that an index knows: with the namespace, where there is one."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRef:
    """`./path` or `$/path`: a folder of the same repository at the same commit.

    `path` is relative, normal (no `.` or `..`), with `/`; '' is the repository's root.
    """

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRef:
    """`github.com/owner/repo[/path]@ref`, or `git+https://…[.git/path]@ref`, `git+https://…[//path]@ref`."""

    url: str
    path: str = ""
    ref: str

    @property
    def name(self) -> str:
        """What the action is called: where it lies, without its ref."""
        if self.url.startswith(GITHUB):
            where, between = self.url.removeprefix("https://"), "/"
        else:
            where, between = f"git+{self.url}", "/" if self.url.endswith(".git") else "//"
        return f"{where}{between}{self.path}" if self.path else where

    @property
    def source(self) -> str:
        """The repository, as a lock names it."""
        return f"git+{self.url}"


ActionRef = RegistryRef | LocalRef | GitRef


def parse_uses(text: str) -> ActionRef:
    """Read the text of a `uses:`.

    Raises:
        RefError: it names no action; says what to write.
    """
    return _parsed(text)


@lru_cache(maxsize=1 << 13)
def _parsed(text: str) -> ActionRef:
    _refuse_impossible(text)
    if text in (".", "$") or text.startswith(("./", "$/")):
        return LocalRef(path=_local_path(text))
    if text.startswith("docker://"):
        raise RefError(
            "an image is not an action here", remedy=f"write 'uses: container@v1' with 'image: {text[9:]}'"
        )
    if is_git(text):
        return _parse_git(text if text.startswith(("github.com/", "git+")) else f"github.com/{text}")
    if text.startswith(("/", "../", "~")):
        raise RefError(
            f"'{text}' lies outside the repository", remedy="write './path' for a folder of the repository"
        )
    return _parse_registry(text)


def is_git(text: str) -> bool:
    """Whether a `uses` names a git repository. `owner/repo[/path]@COMMIT`, GitHub's spelling, does so without
    its host: no release has a version of 40 hexadecimal digits."""
    if text.startswith(("github.com/", "git+")):
        return True
    body, _, ref = text.rpartition("@")
    owner, slash, _ = body.partition("/")
    is_named = slash and _NAME.match(owner) and not _HOST.match(owner) and body not in INSTEAD
    return bool(is_named and _COMMIT.match(ref))


def as_inside_git(text: str, around: GitRef) -> str:
    """What a `uses` means inside an action from a git repository, written out.

    There `owner/repo[/path]@ref` is GitHub's spelling, and `$/path` is a folder of the same repository at the
    same commit. All else means what it means everywhere.
    """
    if text.startswith("$/"):
        return f"{GitRef(url=around.url, path=text[2:], ref=around.ref).name}@{around.ref}"
    first, slash, _ = text.partition("/")
    is_githubs = slash and _NAME.match(first) and not _HOST.match(first) and "@" in text
    return f"github.com/{text}" if is_githubs else text


def known_on_github(ref: RegistryRef) -> str:
    """The remedy for a name with a namespace that no registry has: it is often GitHub's."""
    return f"for GitHub's own write 'github.com/{ref.full_name}@{ref.version}', or {COPY_IT}"


def _refuse_impossible(text: str) -> None:
    if not text:
        raise RefError("no action is named", remedy="write one such as 'script@v1'")
    if "${{" in text:
        raise RefError(
            "an expression cannot choose the action", remedy="name it, and choose between jobs with 'if'"
        )
    if len(text) > _LONGEST or _CONTROL.search(text):
        raise RefError(
            f"'{text[:40]!s}' is not a reference to an action".replace("\n", " "),
            remedy="write it without spaces, such as 'script@v1' or './folder'",
        )


def _local_path(text: str) -> str:
    if "\\" in text:
        raise RefError(f"'{text}' has a backslash", remedy="write paths with '/'")
    parts = [part for part in text.split("/")[1:] if part not in ("", ".")]
    if ".." in parts:
        raise RefError(
            f"'{text}' goes upwards", remedy="write the path from the repository's root, without '..'"
        )
    return "/".join(parts)


def _parse_git(text: str) -> GitRef:
    body, found, ref = text.rpartition("@")
    if not found or not ref or "/" not in body:
        raise RefError(f"'{text}' names no commit, tag or branch", remedy="end it with '@' and one of these")
    if ref.startswith("-"):
        raise RefError(f"'{ref}' is not a git ref")
    if text.startswith("github.com/"):
        owner, _, rest = body.removeprefix("github.com/").partition("/")
        repository, _, path = rest.partition("/")
        if not _NAME.match(owner) or not _NAME.match(repository):
            raise RefError(f"'{text}' names no repository", remedy="write 'github.com/owner/repository@ref'")
        return GitRef(url=f"{GITHUB}{owner}/{repository}", path=_local_path("/" + path), ref=ref)
    if not _GIT_URL.match(body):
        raise RefError(f"'{text}' is no git address", remedy="write 'git+https://host/repository.git@ref'")
    scheme, _, rest = body.removeprefix("git+").partition("://")
    where, inside, path = rest.partition("//")
    if not inside:
        where, inside, path = rest.partition(".git/")
        where += ".git" if inside else ""
    return GitRef(url=f"{scheme}://{where}", path=_local_path("/" + path), ref=ref)


def _parse_registry(text: str) -> RegistryRef:
    body, found, version = text.partition("@")
    parts = body.split("/")
    host = parts.pop(0) if len(parts) > 1 and _HOST.match(parts[0]) else None
    namespace = parts.pop(0) if len(parts) > 1 else None
    if len(parts) != 1 or not all(_NAME.match(part) for part in (*parts, namespace or "a")):
        raise RefError(
            f"'{text}' is not a reference to an action",
            remedy=_no_reference(text, parts),
        )
    if not found or not version:
        raise RefError(f"'{text}' names no version", remedy=f"write a version, such as '{body}@v1'")
    return RegistryRef(
        host=host,
        namespace=namespace,
        name=parts[0],
        version=_version(version, body=body, may_be_githubs=namespace is not None and host is None),
    )


def _no_reference(text: str, parts: list[str]) -> str:
    if "/.github/workflows/" in text:
        return "a workflow is not an action: put its jobs into an action.yml with 'using: workflow'"
    if len(parts) > 1 and all(_NAME.match(part) for part in parts):
        return COPY_IT
    return "write 'name@version', 'namespace/name@version' or './folder'"


def _version(version: str, *, body: str, may_be_githubs: bool) -> VersionRange | Digest:
    try:
        return parse_version_or_digest(version)
    except VersionError as error:
        if body in INSTEAD:
            raise RefError(f"unknown action '{body}@{version}'", remedy=INSTEAD[body]) from error
        remedy = f"write one of {VERSION_FORMS}"
        if may_be_githubs and not version.startswith("sha256"):
            remedy = f"for GitHub's write 'github.com/{body}@{version}'; for a version one of {VERSION_FORMS}"
        raise RefError(str(error), remedy=remedy) from error
