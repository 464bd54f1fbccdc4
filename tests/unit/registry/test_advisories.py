from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from windlass_registry.advisories import Advisory, Severity, affected, at_least, is_id, make_advisory, worst
from windlass_registry.versions import Version, VersionError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VERSIONS = [Version.parse(text) for text in ("2.0.0", "2.0.0-rc.1", "1.2.0", "1.1.0", "1.0.0")]


def notice(severity: Severity, title: str = "t", *, days: int = 0) -> Advisory:
    at = NOON + timedelta(days=days)
    return make_advisory("acme/a", severity=severity, title=title, text="x", versions="all", at=at)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("<1.2.0", "1.1.0 1.0.0"),
        ("<=v1.2.0", "1.2.0 1.1.0 1.0.0"),
        (">=1.1.0 <2.0.0", "2.0.0-rc.1 1.2.0 1.1.0"),
        (">1.1.0, < 2.0.0-rc.1", "1.2.0"),
        ("=1.1.0", "1.1.0"),
        ("1.1.0", "1.1.0"),
        ("v1", "1.2.0 1.1.0 1.0.0"),
        ("^1.1", "1.2.0 1.1.0"),
        ("all", "2.0.0 2.0.0-rc.1 1.2.0 1.1.0 1.0.0"),
        ("<0.1.0", ""),
    ],
)
def test_which_releases_a_range_means(text: str, meant: str) -> None:
    assert " ".join(map(str, affected(text, VERSIONS))) == meant


@pytest.mark.parametrize("text", ["", "<", "<1.2", "<1.2.0 nonsense", "1.0.0 <1.2.0", "<>1.0.0", "~"])
def test_what_is_no_range_is_an_error(text: str) -> None:
    with pytest.raises(VersionError):
        affected(text, VERSIONS)


def test_the_worst_notice_is_the_most_severe_and_of_these_the_newest() -> None:
    low, high, newer = notice("low", days=9), notice("high"), notice("high", "newer", days=1)
    assert worst([low, high, newer]) == newer
    assert worst([]) is None
    assert at_least([low], "medium") is None
    assert at_least([low, high], "high") == high
    assert at_least([high], "critical") is None


def test_the_id_comes_of_what_is_said() -> None:
    assert notice("high").id == notice("high").id
    assert notice("high").id != notice("high", "other").id
    assert is_id(notice("high").id)
    assert not is_id("WN-1")
