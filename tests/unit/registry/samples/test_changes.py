"""An upgrade, three ways, file by file."""

from __future__ import annotations

import pytest

from windlass_registry.samples.changes import File, Merged, upgrade


def never(ours: bytes, base: bytes, theirs: bytes) -> Merged:
    raise AssertionError("nothing to merge here")


def joined(ours: bytes, base: bytes, theirs: bytes) -> Merged:
    return Merged(content=ours + b"|" + base + b"|" + theirs, conflicts=base.count(b"both"))


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "outcome", "content"),
    [
        (b"1", b"1", b"2", "written", b"2"),
        (b"1", b"mine", b"1", "kept", None),
        (b"1", b"2", b"2", "unchanged", None),
        (b"1", b"1", None, "deleted", None),
        (b"1", b"mine", None, "kept", None),
        (b"1", None, None, "unchanged", None),
        (b"1", None, b"2", "kept", None),
        (b"1", b"mine", b"2", "merged", b"mine|1|2"),
        (b"both", b"mine", b"2", "conflict", b"mine|both|2"),
        (b"\0", b"mine", b"2", "conflict", None),
        (None, b"mine", b"2", "merged", b"mine||2"),
    ],
)
def test_each_side_of_a_file(
    base: bytes | None, ours: bytes | None, theirs: bytes | None, outcome: str, content: bytes | None
) -> None:
    wanted = {} if theirs is None else {"a": File(content=theirs)}
    merge = joined if outcome in ("merged", "conflict") else never
    (change,) = upgrade(base={"a": base}, ours={"a": ours}, theirs=wanted, merge=merge)
    assert change.outcome == outcome
    assert (None if change.file is None else change.file.content) == content


def test_a_file_that_is_new_in_the_sample_is_written() -> None:
    (change,) = upgrade(base={}, ours={}, theirs={"new": File(content=b"x")}, merge=never)
    assert (change.outcome, change.note) == ("written", "new in this release")


def test_a_new_file_where_the_repository_has_its_own_is_merged_not_overwritten() -> None:
    (change,) = upgrade(base={}, ours={"new": b"mine"}, theirs={"new": File(content=b"x")}, merge=joined)
    assert change.file is not None
    assert change.file.content == b"mine||x"
