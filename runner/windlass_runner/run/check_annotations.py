"""What a check says of lines of files: the job's own remarks, problems of a workflow file, and what the
end of a failed job's log speaks of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from windlass_runner.forges.base import CheckAnnotation
from windlass_runner.run.problem_matchers import find_problems, repository_path
from windlass_runner.run.report import RemarkReport

ANNOTATIONS_KEPT: Final = 100
_WORST_FIRST: Final = ("failure", "warning", "notice")


def to_annotations(
    remarks: Iterable[RemarkReport], log_end: Sequence[str] = ()
) -> tuple[CheckAnnotation, ...]:
    """Remarks that have a place in the repository, then what the lines of the log tell beyond them; the
    worst first."""
    said = [found for remark in remarks if (found := _annotation(remark)) is not None]
    known = {(one.path, one.line) for one in said}
    said += [one for one in find_problems(log_end) if (one.path, one.line) not in known]
    said.sort(key=lambda one: _WORST_FIRST.index(one.level))
    return tuple(said[:ANNOTATIONS_KEPT])


def without_place(remarks: Iterable[RemarkReport]) -> list[RemarkReport]:
    """The remarks of which no annotation can be made."""
    return [remark for remark in remarks if _annotation(remark) is None]


def _annotation(remark: RemarkReport) -> CheckAnnotation | None:
    path = repository_path(remark.file) if remark.file else None
    if path is None:
        return None
    line = remark.line or 1
    return CheckAnnotation(
        path=path,
        line=line,
        end_line=max(remark.end_line or line, line),
        level=_level(remark.level),
        message=remark.message,
        title=remark.title or "",
        column=remark.column,
        end_column=remark.end_column,
    )


def _level(word: str) -> Literal["notice", "warning", "failure"]:
    match word:
        case "error":
            return "failure"
        case "warning":
            return "warning"
        case _:
            return "notice"
