"""The one file that starts `git` (decision 0001).

Repositories and addresses may come from strangers, so nothing they hold can start a program here:
hooks, `ext::` addresses, file system monitors and (for our own mirrors) every configuration but the
mirror's are off, prompts fail at once, and no address, ref or commit can be taken for an option.
"""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_runner.forges.git_errors import explain, unavailable
from windlass_runner.forges.git_login import Login, login_variables

_NO_PROGRAMS: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.attributesFile=/dev/null",
    "core.quotePath=false",
    "protocol.ext.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "push.gpgSign=false",
    "fetch.recurseSubmodules=false",
)
_GIT: Final = ("git", *(part for setting in _NO_PROGRAMS for part in ("-c", setting)))
_OPERATOR_PARTS: Final = ("GIT_SSH", "GIT_SSL_", "GIT_PROXY_", "GIT_CONFIG_")
_ALONE: Final = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_COUNT": "0"}
_BLOCK_BYTES: Final = 512
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class GitProgram:
    """Runs git with a safe environment. Holds no state; may be used from several threads.

    `environment` is the process's own (PATH, HOME, proxies); variables that would point git
    elsewhere, as inside a hook, are left out. `file_limit_bytes`: no file that it writes is larger.
    Every call may raise `OperatorError` (git missing, no such repository, no access) and `network` also
    `UpstreamError`.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        login: Callable[[str], Login | None] = lambda _url: None,
        timeout_s: float = 60.0,
        network_timeout_s: float = 600.0,
        file_limit_bytes: int | None = None,
    ) -> None:
        kept = {
            name: value
            for name, value in environment.items()
            if not name.startswith("GIT_") or name.startswith(_OPERATOR_PARTS)
        }
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
        self._environment = {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes", "PATH": os.defpath, **kept, **quiet}
        self._login = login
        self._timeout_s = timeout_s
        self._network_timeout_s = network_timeout_s
        self._start = _GIT if file_limit_bytes is None else (*_limited(file_limit_bytes), *_GIT)

    def local(
        self,
        arguments: Sequence[str],
        *,
        inside: Path | None = None,
        stdin: bytes = b"",
        allowed: tuple[int, ...] = (),
        extra: Mapping[str, str] | None = None,
        owner: tuple[int, int] | None = None,
        timeout_s: float | None = None,
    ) -> bytes:
        """On a repository of ours (or a bare one beside us): no configuration but its own.

        `owner`: run as that user and group (we must be root), so that what is written is theirs.
        """
        place = ["--git-dir", str(inside)] if inside is not None else []
        variables = {**_ALONE, **(extra or {})}
        return self._run(
            [*place, *arguments],
            stdin=stdin,
            allowed=allowed,
            variables=variables,
            timeout_s=timeout_s,
            owner=owner,
        )

    def network(
        self,
        arguments: Sequence[str],
        *,
        url: str,
        inside: Path | None = None,
        timeout_s: float = math.inf,
    ) -> bytes:
        """With the operator's configuration (credentials, proxies). `timeout_s`: less than for a transfer."""
        place = ["--git-dir", str(inside)] if inside is not None else []
        limit_s = min(timeout_s, self._network_timeout_s)
        login = self._login(url)
        variables = login_variables(url, login, self._environment) if login is not None else {}
        return self._run([*place, *arguments], url=url, timeout_s=limit_s, variables=variables)

    def work_tree(self, arguments: Sequence[str], folder: Path, *, allowed: tuple[int, ...] = ()) -> bytes:
        """In somebody's working tree, with their ignore rules and git's check of its owner."""
        return self._run(["-C", str(folder), *arguments], allowed=allowed)

    def _run(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        allowed: tuple[int, ...] = (),
        variables: Mapping[str, str] | None = None,
        url: str | None = None,
        timeout_s: float | None = None,
        owner: tuple[int, int] | None = None,
    ) -> bytes:
        limit_s = timeout_s if timeout_s is not None else self._timeout_s
        try:
            with subprocess.Popen(
                [*self._start, *arguments],
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**self._environment, **(variables or {})},
                start_new_session=True,
                user=owner[0] if owner is not None else None,
                group=owner[1] if owner is not None else None,
                extra_groups=() if owner is not None else None,
            ) as process:
                out, err = _communicate(process, stdin, limit_s, url=url)
        except FileNotFoundError as error:
            raise OperatorError("git is not installed", remedy="install the package 'git'") from error
        if process.returncode and process.returncode not in allowed:
            raise explain(arguments, err.decode("utf-8", "replace"), url=url)
        return out if not process.returncode else b""


def _communicate(
    process: subprocess.Popen[bytes], stdin: bytes, limit_s: float, *, url: str | None
) -> tuple[bytes, bytes]:
    try:
        return process.communicate(stdin or None, timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)  # also its ssh or http child
        raise unavailable(url, f"no answer within {limit_s:g} s") from error
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def _limited(file_bytes: int) -> tuple[str, ...]:
    """What starts a program that can write no file larger than that (POSIX counts in blocks): a strange
    repository cannot fill the disk."""
    return ("/bin/sh", "-c", 'ulimit -f "$0" && exec "$@"', str(-(-file_bytes // _BLOCK_BYTES)))


def checked_sha(sha: str) -> str:
    """A full object name, or an error: what is not one is never handed to git."""
    if not _SHA.match(sha):
        raise OperatorError(f"'{sha}' is not a full commit name", remedy="give all 40 hexadecimal digits")
    return sha


_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)|\.\Z|/\Z|\A[-/.]")


def checked_ref(ref: str) -> str:
    """A full ref name by git's rules (git-check-ref-format), or an error."""
    if _BAD_REF.search(ref) or not (ref.startswith("refs/") or ref == "HEAD"):
        raise OperatorError(f"'{ref}' is not a ref", remedy="a ref is written out, as refs/heads/main")
    return ref


def checked_address(url: str) -> str:
    """A repository's address as it may be handed to git, or an error."""
    if not url or url.startswith("-") or any(ord(letter) < 32 for letter in url):
        raise OperatorError(f"'{url}' is not a git address", remedy="give a URL or a path")
    return url
