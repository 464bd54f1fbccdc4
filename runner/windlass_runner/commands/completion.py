"""`windlass completion`: the script that lets a shell complete commands, options and files."""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Mapping
from importlib.util import find_spec

from windlass_runner.commands.invocation import Invocation, load_command, parser_of

EXAMPLE = """
eval "$(windlass completion bash)"                                # in ~/.bashrc
windlass completion zsh > ~/.zfunc/_windlass
windlass completion fish > ~/.config/fish/completions/windlass.fish
"""


def configure(parser: ArgumentParser) -> None:
    """The shell."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Print the script."""
    from windlass_runner.cli import COMMANDS

    options = {name: _options(name, line) for name, line in COMMANDS.items() if _exists(name)}
    match arguments.shell:
        case "bash":
            text = bash(options)
        case "zsh":
            text = zsh(options, COMMANDS)
        case _:
            text = fish(options, COMMANDS)
    invocation.out.write(text)
    return 0


def _exists(name: str) -> bool:
    return find_spec(f"windlass_runner.commands.{name}") is not None


def _options(name: str, line: str) -> list[Action]:
    parser = parser_of(name, load_command(name), line=line)
    return [action for action in parser._actions if action.help != SUPPRESS]


def _flags(actions: list[Action]) -> list[str]:
    return [flag for action in actions for flag in action.option_strings if flag.startswith("--")]


def _words(actions: list[Action]) -> list[str]:
    """The fixed words that a positional argument may be."""
    return [str(word) for action in actions if not action.option_strings for word in action.choices or ()]


def bash(options: Mapping[str, list[Action]]) -> str:
    """The script for bash."""
    cases = "\n".join(
        f'    {name}) words="{" ".join([*_flags(actions), *_words(actions)])}" ;;'
        for name, actions in options.items()
    )
    return f"""\
_windlass() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{" ".join(options)} --help --version" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -X '-*' -- "$current") $(compgen -f -- "$current")) ;;
  esac
}}
complete -o filenames -F _windlass windlass
"""


def zsh(options: Mapping[str, list[Action]], lines: Mapping[str, str]) -> str:
    """The script for zsh."""
    commands = "\n".join(f"    {_quoted(f'{name}:{lines[name]}')}" for name in options)
    cases = "\n".join(
        f"    {name}) _arguments {' '.join(_zsh_flags(actions))} '*:file:_files' ;;"
        for name, actions in options.items()
    )
    return f"""\
#compdef windlass
_windlass() {{
  local -a commands
  commands=(
{commands}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
{cases}
  esac
}}
if [ "$funcstack[1]" = "_windlass" ]; then _windlass "$@"; else compdef _windlass windlass; fi
"""


def _zsh_flags(actions: list[Action]) -> list[str]:
    found: list[str] = []
    for action in actions:
        text = _plain(action.help).replace("[", "(").replace("]", ")").replace(":", " ")
        value = "" if action.nargs == 0 else f":{(action.metavar or action.dest)!s}:_files"
        found += [
            _quoted(f"{flag}[{text}]{value}") for flag in action.option_strings if flag.startswith("--")
        ]
        if not action.option_strings and action.choices:
            found.append(_quoted(f"1:{action.dest}:({' '.join(map(str, action.choices))})"))
    return found


def fish(options: Mapping[str, list[Action]], lines: Mapping[str, str]) -> str:
    """The script for fish."""
    rows = []
    for name, actions in options.items():
        rows.append(f"complete -c windlass -n __fish_use_subcommand -f -a {name} -d {_quoted(lines[name])}")
        seen = f"-n '__fish_seen_subcommand_from {name}'"
        for action in actions:
            needs = "" if action.nargs == 0 else " -r"
            rows += [
                f"complete -c windlass {seen} -l {flag[2:]}{needs} -d {_quoted(_plain(action.help))}"
                for flag in action.option_strings
                if flag.startswith("--")
            ]
        rows += [f"complete -c windlass {seen} -f -a {word}" for word in _words(actions)]
    return "\n".join(rows) + "\n"


def _plain(text: str | None) -> str:
    return (text or "").replace("%%", "%").replace("'", "’")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "’") + "'"
