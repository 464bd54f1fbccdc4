"""`windlass status`: what stands on a commit. Reads the git note and nothing else, and so is fast."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json
from windlass_runner.run.status_text import UNFINISHED, parse_note, render_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

EXAMPLE = """
windlass status                  # the commit that is checked out
windlass status main~2 --json
"""
NOTES: Final = "windlass"
Note = dict[str, object]
_REF: Final = f"refs/notes/{NOTES}"


def configure(parser: ArgumentParser) -> None:
    """The commit, and where its note may have to be fetched from."""
    parser.add_argument(
        "commit", nargs="?", default="HEAD", metavar="COMMIT", help="any name git knows (HEAD)"
    )
    parser.add_argument("--remote", metavar="NAME", help="fetch the notes from there (origin)")
    parser.add_argument("--no-fetch", action="store_true", help="only what lies in this repository")
    parser.add_argument("--exit-code", action="store_true", help="exit 1 where a workflow did not succeed")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Print the note on the commit; 1 where there is none."""
    commit: str = arguments.commit
    environment = invocation.environment
    document = _read(commit, environment)
    if not arguments.no_fetch and (document is None or not is_final(document)):
        document = (_fetch(arguments.remote, environment) and _read(commit, environment)) or document
    if document is None:
        invocation.say(f"no status on {commit}: no daemon has answered on this commit (yet)")
        return 1
    if arguments.json:
        invocation.print_json(document)
    else:
        has_colour = invocation.has_colour(invocation.out)
        invocation.out.write(render_status(document, has_colour=has_colour))
    return int(arguments.exit_code and document.get("state") not in ("success", "skipped"))


def is_final(note: Note) -> bool:
    """Whether nothing that the note tells of will change any more by itself."""
    return note.get("state") not in UNFINISHED


def _read(commit: str, environment: Mapping[str, str]) -> Note | None:
    """The note on a commit as data, None where it has none."""
    code, out = _git(environment, "notes", f"--ref={NOTES}", "show", commit)
    if code == 0:
        note = parse_note(out.decode("utf-8", "replace"))
        if note is None:
            from windlass_runner.commands.status_errors import strange_note

            raise strange_note(commit, _REF)
        return note
    if _git(environment, "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}")[0] == 0:
        return None
    from windlass_runner.commands.status_errors import not_a_repository, unknown_commit

    if _git(environment, "rev-parse", "--git-dir")[0] != 0:
        raise not_a_repository()
    raise unknown_commit(commit)


def _fetch(remote: str | None, environment: Mapping[str, str]) -> bool:
    """Bring the notes from the repository that the daemon writes them to."""
    if remote is None:
        known = _git(environment, "remote")[1].decode().split()
        remote = "origin" if "origin" in known else next(iter(known), None)
    if remote is None:
        return False
    call = ("fetch", "--quiet", "--no-tags", "--", remote, f"+{_REF}:{_REF}")
    return _git({**environment, "GIT_TERMINAL_PROMPT": "0"}, *call)[0] == 0


def _git(environment: Mapping[str, str], *words: str) -> tuple[int, bytes]:
    """Exit code and output of git. Without `subprocess`, whose import takes longer than git does."""
    read, write = os.pipe()
    try:
        actions = (
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, write, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        )
        process = os.posix_spawnp("git", ["git", *words], environment, file_actions=actions)
    except FileNotFoundError as error:
        os.close(read)
        from windlass_runner.commands.status_errors import no_git

        raise no_git() from error
    finally:
        os.close(write)
    with os.fdopen(read, "rb") as stream:
        out = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), out
