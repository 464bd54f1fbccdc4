from __future__ import annotations

import pytest

from windlass_registry.measurements import (
    LARGEST,
    Measured,
    measured_file,
    measured_to_json,
    read_measured,
    read_measured_file,
    tell_measured,
)

GOOD = Measured(examples=2, milliseconds=1092, peak_memory_bytes=151_000_000, image_bytes=2_410_000_000)
DIGEST = "sha256:" + "0" * 64


def test_it_is_told_to_people_in_round_numbers() -> None:
    assert tell_measured(GOOD) == [("run time", "1.1 s"), ("peak memory", "151 MB"), ("image", "2.4 GB")]
    assert tell_measured(Measured(examples=1, milliseconds=90_000)) == [("run time", "90 s")]
    assert tell_measured(Measured(examples=1, milliseconds=600_000))[0][1] == "10 min"
    assert tell_measured(Measured(examples=1, milliseconds=9_000_000))[0][1] == "2.5 h"


def test_the_file_holds_the_package_that_was_measured() -> None:
    assert read_measured_file(measured_file(GOOD, digest=DIGEST)) == (DIGEST, GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"milliseconds": 1.5},
        {"milliseconds": None},
        {"examples": True},
        {"image_bytes": -1},
        {"image_bytes": LARGEST + 1},
        {"more": 1},
    ],
)
def test_anything_else_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"number|exactly"):
        read_measured({**measured_to_json(GOOD), **change})


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"digest": "x"}', b"\xff"])
def test_a_file_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_measured_file(content)
