"""`windlass doctor`: checks this machine for the daemon and for local runs, and says what to do."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_json

if TYPE_CHECKING:
    from windlass_runner.commands.checks import Check

EXAMPLE = """
windlass doctor
windlass doctor --config /etc/windlass/windlass.toml --json
"""
_MARKS: Final = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def configure(parser: ArgumentParser) -> None:
    """Whose settings, and the form of the answer."""
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    parser.add_argument("--storage", metavar="FOLDER", help="check this storage in place of the settings'")
    add_json(parser)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """One line for each check; 3 where one of them fails."""
    from windlass_runner.commands.checks import all_checks

    found: list[Check] = []
    for check in all_checks(arguments, invocation):
        found.append(check)
        if not arguments.json:
            invocation.print(check_line(check, has_colour=invocation.has_colour(invocation.out)))
            invocation.out.flush()
    has_failed = any(check.state == "fail" for check in found)
    if arguments.json:
        invocation.print_json({"ok": not has_failed, "checks": [asdict(check) for check in found]})
    return 3 if has_failed else 0


def check_line(check: Check, *, has_colour: bool) -> str:
    """A check as people read it, and below it what to do."""
    from windlass_runner.commands.paint import Paint

    paint = Paint(has_colour)
    mark, tint = _MARKS[check.state]
    line = f"{paint(mark, tint)} {paint(f'{check.state:<4}', tint)}  {check.name:<12} {check.text}"
    return line + (f"\n{'':<21}{paint('→', tint)} {check.remedy}" if check.remedy else "")
