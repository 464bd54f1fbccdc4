"""Checks out a git repository into an output of the job. Python 3.7 and later."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

ASKPASS = """#!/bin/sh
case "$1" in
  Username*//{host}\\'*) printf '%s\\n' "$WINDLASS_GIT_USERNAME" ;;
  Password*[@/]{host}\\'*) printf '%s\\n' "$WINDLASS_GIT_PASSWORD" ;;
  *) exit 1 ;;
esac
"""


class Remote(NamedTuple):
    """A repository's address without credentials, and the credentials."""

    url: str
    host: str
    username: str
    password: str


def fail(message: str) -> NoReturn:
    """Say what is wrong, as an annotation, and stop."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error::git-checkout: {escaped}", flush=True)
    sys.exit(1)


def read_input(name: str) -> str:
    return os.environ.get(f"INPUT_{name.upper()}", "").strip()


def folder(variable: str, path: str) -> Path:
    """One of the job's folders: where the engine says, else at its usual place."""
    return Path(os.environ.get(variable) or path)


def placed(path: str) -> Path:
    """A path as the author wrote it, on this machine."""
    for variable, usual in (
        ("WINDLASS_OUTPUTS", "/outputs"),
        ("WINDLASS_WORKSPACE", "/workspace"),
    ):
        if path == usual or path.startswith(usual + "/"):
            return folder(variable, usual) / path[len(usual) + 1 :]
    return Path(path)


def scratch_folder() -> str | None:
    """Where temporary files go; None for the system's own place."""
    place = os.environ.get("RUNNER_TEMP", "")
    return place if place and Path(place).is_dir() else None


def choose_target(path: str) -> Path:
    """Where to check out; it is empty or does not exist yet."""
    if path:
        target = placed(path)
        if target.exists() and not (target.is_dir() and is_empty(target)):
            fail(f"'{path}' is not empty; choose another 'path'")
        return target
    outputs = folder("WINDLASS_OUTPUTS", "/outputs")
    found = sorted(each.name for each in outputs.iterdir() if each.is_dir()) if outputs.is_dir() else []
    if len(found) > 1:
        fail(f"the job has several outputs ({', '.join(found)}); choose one with 'path: /outputs/{found[0]}'")
    target = outputs / found[0] if found else Path.cwd()
    if not is_empty(target):
        fail(
            f"the output '{found[0]}' is not empty; choose another place with 'path'"
            if found
            else "the job has no output to check out into; declare one of type volume, or give 'path'"
        )
    return target


def is_empty(place: Path) -> bool:
    return next(place.iterdir(), None) is None


def read_remote() -> Remote:
    url = read_input("url")
    if not url:
        fail("give the repository's address as 'url'")
    if url.startswith("-") or re.search(r"[\x00-\x1f]", url) or "::" in url.split("/")[0]:
        fail(f"'{url}' is not the address of a repository")
    username = read_input("username") or os.environ.get("GIT_USERNAME", "")
    password = read_input("password") or os.environ.get("GIT_PASSWORD", "")
    if not re.match(r"https?://", url):
        return Remote(url, "", username, password)
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    given_user, _, given_password = user.partition(":")
    if given_user and not given_password and not password:
        given_user, given_password = "", unquote(given_user)  # https://TOKEN@host/…
    return Remote(
        url=urlunsplit(parts._replace(netloc=host)),
        host=host,
        username=username or unquote(given_user),
        password=password or unquote(given_password),
    )


class Git:
    """Runs git with the credentials within its reach, and nowhere else."""

    def __init__(self, remote: Remote, scratch: Path) -> None:
        self.variables = dict(
            os.environ, GIT_TERMINAL_PROMPT="0", GIT_ALLOW_PROTOCOL="file:git:http:https:ssh"
        )
        for name in ("INPUT_PASSWORD", "GIT_PASSWORD", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            self.variables.pop(name, None)
        self.variables.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
        self._write_settings(scratch)
        if remote.password and remote.host:
            self._write_askpass(remote, scratch)

    def _write_settings(self, scratch: Path) -> None:
        """The user's own settings, and leave to read a repository that is somebody else's."""
        own = Path(os.environ.get("GIT_CONFIG_GLOBAL") or Path(os.path.expanduser("~")) / ".gitconfig")  # noqa: PTH111
        settings = scratch / "gitconfig"
        settings.write_text(f'[include]\n\tpath = "{own}"\n[safe]\n\tdirectory = *\n', encoding="utf-8")
        self.variables["GIT_CONFIG_GLOBAL"] = str(settings)

    def _write_askpass(self, remote: Remote, scratch: Path) -> None:
        program = scratch / "askpass"
        program.write_text(ASKPASS.format(host=shlex.quote(remote.host)), encoding="utf-8")
        program.chmod(0o700)
        self.variables.update(
            GIT_ASKPASS=str(program),
            WINDLASS_GIT_USERNAME=remote.username or "x-access-token",
            WINDLASS_GIT_PASSWORD=remote.password,
        )

    def run(self, *words: str) -> None:
        """Run git, its output shown; stop the job where it fails."""
        done = subprocess.run(["git", "-c", "credential.helper=", *words], env=self.variables)
        if done.returncode:
            fail(f"'git {words[0] if words[0] != '-C' else words[2]}' failed; git says above why")

    def ask(self, *words: str) -> str:
        """What git answers, '' where it fails."""
        done = subprocess.run(
            ["git", "-c", "credential.helper=", *words],
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return done.stdout.strip() if done.returncode == 0 else ""


def checkout(git: Git, target: Path, ref: str) -> str:
    """Bring `ref` into the working tree; gives the branch's or tag's name, '' for a commit."""
    inside = ("-C", str(target))
    quiet = ("-c", "advice.detachedHead=false")
    branch = re.sub(r"^(refs/heads/|origin/)", "", ref)
    tag = re.sub(r"^refs/tags/", "", ref)
    if not ref:
        if not git.ask(*inside, "rev-parse", "--verify", "HEAD^{commit}"):
            fail("the repository has no commit on its default branch; name one with 'ref'")
        git.run(*inside, "checkout", "--quiet", "--force", "HEAD")
        return git.ask(*inside, "symbolic-ref", "--short", "HEAD")
    if git.ask(*inside, "rev-parse", "--verify", f"refs/remotes/origin/{branch}^{{commit}}"):
        git.run(*inside, "checkout", "--quiet", "--force", "-B", branch, "--track", f"origin/{branch}")
        return branch
    if git.ask(*inside, "rev-parse", "--verify", f"refs/tags/{tag}^{{commit}}"):
        git.run(*inside, *quiet, "checkout", "--quiet", "--force", "--detach", f"refs/tags/{tag}")
        return tag
    commit = git.ask(*inside, "rev-parse", "--verify", f"{ref}^{{commit}}") if looks_like_commit(ref) else ""
    if not commit and git.ask(*inside, "fetch", "--quiet", "origin", ref) is not None:
        commit = git.ask(*inside, "rev-parse", "--verify", "FETCH_HEAD^{commit}")
    if not commit:
        fail(f"the repository has no branch, tag or commit '{ref}'")
    git.run(*inside, *quiet, "checkout", "--quiet", "--force", "--detach", commit)
    return "" if looks_like_commit(ref) else ref


def looks_like_commit(ref: str) -> bool:
    return re.match(r"[0-9a-fA-F]{4,64}\Z", ref) is not None


def tell(name: str, value: str) -> None:
    """Set an output of the step."""
    place = os.environ.get("GITHUB_OUTPUT")
    if place:
        with Path(place).open("a", encoding="utf-8") as stream:
            stream.write(f"{name}={value}\n")


def main() -> int:
    remote = read_remote()
    ref = read_input("ref") or read_input("branch")
    if ref.startswith("-") or re.search(r"[\x00-\x20:^~?*\[\\]", ref):
        fail(f"'{ref}' is not a branch, tag or commit")
    if shutil.which("git") is None:
        fail("the image has no git; choose one that has it with 'defaults.image'")
    target = choose_target(read_input("path"))
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="git-", dir=scratch_folder()) as scratch:
        git = Git(remote, Path(scratch))
        print(f"Cloning {remote.url}", flush=True)
        git.run("clone", "--quiet", "--no-checkout", "--", remote.url, str(target))
        name = checkout(git, target, ref)
        commit = git.ask("-C", str(target), "rev-parse", "HEAD")
        subject = git.ask("-C", str(target), "log", "-1", "--format=%s")
    tell("commit", commit)
    tell("ref", name)
    print(f"Checked out {name or 'commit'} at {commit[:12]}: {subject}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
