"""The command line's front door: finds the command, loads it alone, and turns errors into exit codes.

The table below is all that `windlass --help` needs, so that it imports nothing. A command is a
module of `windlass_runner.commands` with `EXAMPLE` (text below its help), `configure(parser)` and
`execute(arguments, invocation) -> int`; see `windlass_runner.commands`.

Exit codes: 0 done, 1 the run failed, 2 the author can mend it, 3 the owner of the host can,
4 try again later, 130 interrupted.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # not typing's: importing it takes longer than everything else here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final, TextIO

    from windlass_registry.errors import WindlassError

GROUPS: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    (
        "Workflows of this repository",
        (
            ("init", "put a first workflow and a lock into this repository"),
            ("validate", "every problem of workflow files, each with its place"),
            ("plan", "what would run, and why"),
            ("run", "run a workflow here and now, with live progress"),
            ("lock", "pin the actions and images that the workflows use"),
            ("action", "begin an action of your own, and test its examples"),
        ),
    ),
    (
        "Runs",
        (
            ("runs", "list runs"),
            ("show", "one run: its jobs, outputs and metrics"),
            ("logs", "what the jobs of a run wrote, also live"),
            ("cancel", "stop a run"),
            ("stop", "end an app: its job succeeds"),
            ("approve", "let jobs that wait for an approval go on, or turn them away"),
            ("deployments", "what was deployed where, and who let it"),
            ("delete", "remove runs with their logs and artifacts, or a workflow"),
            ("rerun", "run a run again, or only what failed in it"),
            ("start", "start a workflow of a repository that the daemon watches"),
            ("status", "what stands on a commit"),
        ),
    ),
    (
        "Samples",
        (
            ("samples", "sample workflows to subscribe to"),
            ("subscribe", "bring a sample into this repository, or up to date"),
            ("unsubscribe", "keep the workflow, and hear of no more updates"),
            ("copy", "a workflow of this repository once more, under another name"),
        ),
    ),
    (
        "Registry",
        (
            ("search", "find actions and samples"),
            ("info", "one action: what it takes and gives, and its releases"),
            ("publish", "make a release of a folder, signed, for others to use"),
            ("yank", "tell everybody not to start using a release"),
            ("deprecate", "say what to use instead"),
            ("advise", "tell everybody that releases are dangerous"),
            ("verify", "who vouches for what the lock pins, one line a check"),
            ("keys", "the keys that publish: make, change, take away"),
            ("registry", "begin a registry, grant namespaces, choose whom to believe"),
        ),
    ),
    (
        "This machine",
        (
            ("serve", "the daemon: watches repositories and runs their workflows"),
            ("hook", "print the script that tells the daemon of a push"),
            ("tokens", "who may use the daemon's HTTP API"),
            ("github", "make a GitHub App for the daemon, and see what is missing there"),
            ("doctor", "check this machine, and say what to do"),
            ("completion", "print the completion script for bash, zsh or fish"),
        ),
    ),
)
COMMANDS: Final[dict[str, str]] = {name: line for _, rows in GROUPS for name, line in rows}
_HEAD: Final = """\
usage: windlass COMMAND [ARGUMENTS]

Push YAML, haul GPU work.
"""
_TAIL: Final = """
  windlass COMMAND --help    what a command takes, with an example
  windlass --version         the version
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code of the process."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed_streams()
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard_output()
        return 0
    return code


def _dispatch(words: list[str]) -> int:
    match words:
        case [] | ["-h" | "--help", *_] | ["help"]:
            sys.stdout.write(overview())
            return 0
        case ["--version" | "-V", *_]:
            return _print_version()
        case ["help", name, *_]:
            return _run(name, ["--help"])
        case [name, *rest]:
            return _run(name, rest)
    raise AssertionError(words)


def overview() -> str:
    """The text of `windlass --help`."""
    lines = [_HEAD]
    for title, rows in GROUPS:
        lines.append(f"{title}:")
        lines += [f"  {name:<12} {line}" for name, line in rows]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n" + _TAIL


def _print_version() -> int:
    from importlib.metadata import version

    sys.stdout.write(f"windlass {version('windlass')}\n")
    return 0


def _run(name: str, words: list[str]) -> int:
    if name not in COMMANDS:
        return _refuse(name)
    from windlass_runner.commands.invocation import Invocation, load_command, parser_of

    command = load_command(name)
    arguments = parser_of(name, command, line=COMMANDS[name]).parse_args(words)
    environment = os.environ  # noqa: TID251 - this is the one place
    invocation = Invocation(environment=environment, out=sys.stdout, err=sys.stderr)
    try:
        return command.execute(arguments, invocation)
    except Exception as error:
        # Imported only now: a command that raises nothing of ours need not load it (20 ms).
        from windlass_registry.errors import WindlassError

        if not isinstance(error, WindlassError):
            raise
        sys.stdout.flush()
        sys.stderr.write(describe(error, colour=invocation.has_colour(sys.stderr)))
        return error.exit_code


def _refuse(name: str) -> int:
    import difflib

    kind = "option" if name.startswith("-") else "command"
    close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    remedy = f"did you mean '{close[0]}'?" if close else "'windlass --help' lists the commands"
    sys.stderr.write(f"windlass: unknown {kind} '{name}'; {remedy}\n")
    return 2


def describe(error: WindlassError, *, colour: bool = False) -> str:
    """What a person reads of an error: an author's problems as they are, one on a line each."""
    from windlass_registry.errors import AuthorError, UpstreamError

    if isinstance(error, AuthorError):
        return "".join(f"{problem}\n" for problem in error.problems)
    head = "\x1b[1;31mwindlass:\x1b[0m " if colour else "windlass: "
    tail = ""
    if isinstance(error, UpstreamError) and error.retry_after_s is not None:
        tail = f"; try again in {error.retry_after_s:.0f} s"
    return f"{head}{error}{tail}\n"


def _open_closed_streams() -> None:
    """Started with `>&-`, as some service programs do, we have no stream at all."""
    if sys.stdout is None or sys.stderr is None:
        nowhere = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere


def _discard_output() -> None:
    """Nobody reads any more: keep the interpreter from saying so when it flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    streams: tuple[TextIO, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
