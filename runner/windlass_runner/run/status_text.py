"""The note on a commit as text: all that `windlass status` needs, and so the cheapest of imports.

No dataclasses and no `typing` here: importing them takes longer than everything else that command does.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

UNFINISHED: Final = frozenset({"queued", "waiting", "running"})


def parse_note(text: str | None) -> dict[str, object] | None:
    """The document of a stored note; None where there is none, or it is not one of ours."""
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("workflows"), list) else None


_SIGNS: Final = {
    "success": ("✓", "32"),
    "failure": ("✗", "31"),
    "timed_out": ("✗", "31"),
    "cancelled": ("■", "33"),
    "skipped": ("-", "2"),
    "neutral": ("!", "33"),
    "running": ("●", "36"),
    "queued": ("○", "2"),
    "waiting": ("‖", "33"),
}


def render_status(note: Mapping[str, object], *, has_colour: bool = False) -> str:
    """A note as aligned text for a terminal; whatever a note lacks or has wrong is left out."""
    lines = [f"{str(note.get('commit', ''))[:12]}  {_state(note, has_colour)}".strip()]
    for workflow in mappings(note.get("workflows")):
        run = f"  run {_plain(workflow['run'])}" if workflow.get("run") else ""
        head = f"{_plain(workflow.get('name', ''))}  {_state(workflow, has_colour)}{_took(workflow)}{run}"
        lines += ["", head, *_told(workflow, "  ")]
        jobs = mappings(workflow.get("jobs"))
        width = max((len(_title(job)) for job in jobs), default=0)
        for job in jobs:
            lines.append(f"  {_sign(job, has_colour)} {_title(job).ljust(width)}  {_word(job)}{_took(job)}")
            lines += [*_told(job, "      "), *_figures(job)]
        if workflow.get("url"):
            lines.append(f"  {_plain(workflow['url'])}")
    return "\n".join(lines) + "\n"


def _told(entry: Mapping[str, object], indent: str) -> list[str]:
    """The reason, a line of it for each problem, what is to be known, and the annotations that the reason
    does not hold already."""
    reasons = str(entry["reason"]).split("\n") if entry.get("reason") else []
    lines = [f"{indent}{_plain(reason)}" for reason in reasons]
    notes = entry.get("notes")
    lines += [f"{indent}note: {_plain(note)}" for note in notes] if isinstance(notes, list) else []
    for remark in mappings(entry.get("annotations")):
        message = str(remark.get("message", ""))
        if any(reason == message or reason.endswith(f": {message}") for reason in reasons):
            continue
        place = f"{_plain(remark['file'])}:{_plain(remark.get('line', 0))}: " if remark.get("file") else ""
        lines.append(f"{indent}{_plain(remark.get('level', ''))}: {place}{_plain(message)}")
    return lines


def _figures(job: Mapping[str, object]) -> list[str]:
    lines = []
    metrics = job.get("metrics")
    if isinstance(metrics, dict) and metrics:
        lines.append("      " + "  ".join(f"{_plain(name)} {_number(metrics[name])}" for name in metrics))
    for output in mappings(job.get("outputs")):
        where = next((output[key] for key in ("ref", "url", "path", "value") if output.get(key)), None)
        if where is not None:  # else an empty text: nothing to show
            lines.append(f"      {_plain(output.get('name', ''))} → {_plain(where)}")
    return lines


def _state(entry: Mapping[str, object], has_colour: bool) -> str:
    return f"{_sign(entry, has_colour)} {_word(entry)}"


def _sign(entry: Mapping[str, object], has_colour: bool) -> str:
    sign, colour = _SIGNS.get(str(entry.get("state")), ("?", "0"))
    return f"\x1b[{colour}m{sign}\x1b[0m" if has_colour else sign


def _word(entry: Mapping[str, object]) -> str:
    return _plain(entry.get("state", "unknown")).replace("_", " ")


def _title(entry: Mapping[str, object]) -> str:
    return _plain(entry.get("name") or entry.get("key") or "")


def _took(entry: Mapping[str, object]) -> str:
    seconds = entry.get("duration_s")
    return f"  {duration_text(float(seconds))}" if isinstance(seconds, (int, float)) else ""


def duration_text(seconds: float) -> str:
    """A time span as people say it: ``0.4 s``, ``2 min 5 s``, ``3 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, (int, float)) else _plain(value)


def _plain(value: object) -> str:
    """Text without what would steer a terminal: a note is written by whoever may push."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def mappings(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
