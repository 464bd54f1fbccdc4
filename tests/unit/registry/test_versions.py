from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_registry.versions import (
    Digest,
    Version,
    VersionError,
    VersionRange,
    parse_version_or_digest,
)

numbers = st.integers(min_value=0, max_value=10**6)
pre_parts = st.one_of(numbers, st.from_regex(r"[A-Za-z-][0-9A-Za-z-]{0,5}", fullmatch=True))
versions = st.builds(
    Version,
    major=st.integers(0, 3),
    minor=st.integers(0, 3),
    patch=st.integers(0, 3),
    pre=st.lists(pre_parts, max_size=3).map(tuple),
)


def v(text: str) -> Version:
    return Version.parse(text)


def allowed(text: str, *found: str) -> list[str]:
    wanted = VersionRange.parse(text)
    return [each for each in found if wanted.contains(v(each))]


@given(versions)
def test_a_version_reads_as_it_is_written(version: Version) -> None:
    assert Version.parse(str(version)) == version
    assert Version.parse(f"v{version}") == version


@given(versions, versions, versions)
def test_versions_have_one_order(a: Version, b: Version, c: Version) -> None:
    assert sum((a < b, a == b, a > b)) == 1
    assert not (a <= b <= c) or a <= c


def test_the_order_is_that_of_the_specification() -> None:
    pre = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    order = [*(v(f"1.0.0-{each}") for each in pre), v("1.0.0"), v("1.0.1")]
    assert sorted([*order[3:], *order[:3]]) == order


def test_build_metadata_does_not_count() -> None:
    assert v("1.0.0+a") == v("1.0.0+b")
    assert str(v("1.0.0+a")) == "1.0.0+a"


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "a.b.c", " 1.2.3", "1.2.3\n"]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(VersionError):
        Version.parse(text)


ALL = ("0.0.3", "0.1.9", "0.2.0", "0.2.7", "1.0.0", "1.2.0", "1.2.3", "1.2.9", "1.3.0", "2.0.0", "2.0.0-rc.1")


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("v1", ["1.0.0", "1.2.0", "1.2.3", "1.2.9", "1.3.0"]),
        ("1", ["1.0.0", "1.2.0", "1.2.3", "1.2.9", "1.3.0"]),
        ("1.x", ["1.0.0", "1.2.0", "1.2.3", "1.2.9", "1.3.0"]),
        ("v1.2", ["1.2.0", "1.2.3", "1.2.9"]),
        ("1.2.x", ["1.2.0", "1.2.3", "1.2.9"]),
        ("^1.2", ["1.2.0", "1.2.3", "1.2.9", "1.3.0"]),
        ("^1.2.3", ["1.2.3", "1.2.9", "1.3.0"]),
        ("~1.2.3", ["1.2.3", "1.2.9"]),
        ("~1.2", ["1.2.0", "1.2.3", "1.2.9"]),
        ("~1", ["1.0.0", "1.2.0", "1.2.3", "1.2.9", "1.3.0"]),
        ("^0.2", ["0.2.0", "0.2.7"]),
        ("^0.0.3", ["0.0.3"]),
        ("^0", ["0.0.3", "0.1.9", "0.2.0", "0.2.7"]),
        ("v0", ["0.0.3", "0.1.9", "0.2.0", "0.2.7"]),
        ("v1.2.3", ["1.2.3"]),
        ("1.2.3", ["1.2.3"]),
        ("2.0.0-rc.1", ["2.0.0-rc.1"]),
        ("^2.0.0-rc.1", ["2.0.0", "2.0.0-rc.1"]),
        ("x", [each for each in ALL if "-" not in each]),
        ("*", [each for each in ALL if "-" not in each]),
    ],
)
def test_a_range_allows(text: str, chosen: list[str]) -> None:
    assert allowed(text, *ALL) == chosen


@pytest.mark.parametrize(
    "text", ["", "v", "main", "latest", "^", "~x", "1.2.3.4", "v1.", ">=1", "1.x.2", "01", "^1.x"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(VersionError):
        VersionRange.parse(text)


@given(versions, st.sampled_from(["^", "~", "v", ""]))
def test_a_full_version_lies_in_its_own_range(version: Version, sign: str) -> None:
    assert VersionRange.parse(f"{sign}{version}").contains(version)


@given(st.lists(versions), st.integers(0, 3), st.integers(0, 3))
def test_the_newest_is_the_greatest_that_is_allowed(found: list[Version], major: int, minor: int) -> None:
    wanted = VersionRange.parse(f"v{major}.{minor}")
    newest = wanted.newest(found)
    inside = [each for each in found if wanted.contains(each)]
    assert (newest is None) == (not inside)
    assert all(newest is not None and each <= newest for each in inside)
    assert all(not each.pre for each in inside)


@given(numbers, numbers)
def test_a_caret_range_ends_before_the_next_major(major: int, minor: int) -> None:
    wanted = VersionRange.parse(f"^{major + 1}.{minor}")
    assert wanted.contains(Version(major=major + 1, minor=minor + 7, patch=9))
    assert not wanted.contains(Version(major=major + 2, minor=0, patch=0))


def test_a_digest_is_exact() -> None:
    text = "sha256:" + "ab" * 32
    assert parse_version_or_digest(text) == Digest(text=text)
    for wrong in ("sha256:ab", text.upper(), text + "0"):
        with pytest.raises(VersionError):
            Digest.parse(wrong)


@given(st.text(max_size=40))
def test_any_text_is_a_version_a_range_or_refused(text: str) -> None:
    for parse in (Version.parse, VersionRange.parse, parse_version_or_digest):
        try:
            parse(text)
        except VersionError:
            continue
