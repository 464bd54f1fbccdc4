"""What a branch with an update is called, and what its commit and its pull request say. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from windlass_runner.upkeep.sample_updates import Update

_SHOWN: Final = ("written", "merged", "deleted", "kept", "conflict")
_WORDS: Final = {
    "written": "as the release has it",
    "merged": "merged with what was edited here",
    "deleted": "deleted",
    "kept": "left as it is here",
    "conflict": "**changed on both sides**",
}


def branch_name(name: str, version: str) -> str:
    """The branch that an update of a subscription is offered on."""
    return f"windlass/update-{name}-v{version}"


def title(update: Update) -> str:
    """The first line of the commit, and the title of the pull request."""
    return f"Update {update.old.name} to {update.release.name} {update.release.version}"


def commit_message(update: Update) -> str:
    """What the commit says."""
    text = f"{title(update)}\n\nFrom {update.old.version}.\n\n{update.release.notes}"
    return text.rstrip() + "\n"


def proposal_text(update: Update, *, unlocked: Sequence[str] = ()) -> str:
    """What the pull request says, as Markdown: the conflicts first, for nobody may merge them unseen.
    `unlocked`: what of the workflows could not be pinned, or on one machine alone."""
    parts = [*_settle(update), *_about(update), *_files(update)]
    if unlocked:
        parts += ["\n## The lock\n", "What could not be pinned, or for the daemon's own machine alone:\n"]
        parts += [f"- {_one_line(each)}" for each in unlocked]
    return "\n".join(parts).rstrip() + "\n"


def _settle(update: Update) -> Iterator[str]:
    if update.conflicts:
        yield "> [!WARNING]"
        yield "> **Settle this before you merge.** These files were changed here and in the release, in the"
        yield "> same place. Where they are text, both stand there between `<<<<<<<` and `>>>>>>>`:"
        yield ">"
        yield from (f"> - `{change.path}`: {change.note}" for change in update.conflicts)
        yield ""


def _about(update: Update) -> Iterator[str]:
    release = update.release
    yield f"`{release.name}` {release.version} is out; `{update.old.name}` is at {update.old.version}."
    yield from (f"\n**{_one_line(warning)}**" for warning in release.warnings)
    if release.notes:
        yield "\n## Release notes\n"
        yield from (f"> {line}".rstrip() for line in release.notes.splitlines())


def _files(update: Update) -> Iterator[str]:
    listed = [change for change in update.changes if change.outcome in _SHOWN]
    yield "\n## Files\n"
    if not listed:
        yield "None but what Windlass keeps of the subscription."
        return
    yield "| File | What happens |"
    yield "|---|---|"
    for change in listed:
        note = f" ({change.note})" if change.note else ""
        yield f"| `{change.path}` | {_WORDS[change.outcome]}{note} |"


def _one_line(text: str) -> str:
    return " ".join(text.split())
