from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from unit.registry.packages import digest_of, release
from windlass_registry.choosing import Choice, CoolDown, Rules, choose
from windlass_registry.index import Release
from windlass_registry.policy import Policy
from windlass_registry.refs import RefError, RegistryRef, parse_uses

NOW = datetime(2026, 3, 10, tzinfo=UTC)
WEEK = Rules(cool_down=CoolDown(period=timedelta(days=7), now=NOW))


def chosen(uses: str, *releases: Release, rules: Rules | None = None) -> Choice:
    ref = parse_uses(uses)
    assert isinstance(ref, RegistryRef)
    newest_first = sorted(releases, key=lambda each: each.version, reverse=True)
    return choose(ref, newest_first, rules or Rules())


def refusal(uses: str, *releases: Release, rules: Rules | None = None) -> RefError:
    with pytest.raises(RefError) as caught:
        chosen(uses, *releases, rules=rules)
    return caught.value


def aged(version: str, days: float, **facts: str) -> Release:
    return release("acme/train", version, published=NOW - timedelta(days=days), **facts)


def test_what_is_younger_than_the_cool_down_is_held_back_and_said_until_when() -> None:
    choice = chosen("acme/train@v1", aged("1.0.0", 30), aged("1.1.0", 6), aged("1.2.0", 1), rules=WEEK)
    assert str(choice.release.version) == "1.0.0"
    assert [(str(each.release.version), each.until) for each in choice.held_back] == [
        ("1.2.0", NOW + timedelta(days=6)),
        ("1.1.0", NOW + timedelta(days=1)),
    ]


def test_a_release_just_as_old_as_the_cool_down_is_taken() -> None:
    assert not chosen("acme/train@v1", aged("1.0.0", 7), rules=WEEK).held_back


def test_where_nothing_older_fits_the_newest_is_taken_and_called_young() -> None:
    choice = chosen("acme/train@v1", aged("1.0.0", 3), aged("1.1.0", 1), rules=WEEK)
    assert (str(choice.release.version), choice.is_young) == ("1.1.0", True)


@pytest.mark.parametrize("version", ["v1.1.0", digest_of("acme/train", "1.1.0")])
def test_who_names_one_release_gets_it_however_young(version: str) -> None:
    choice = chosen(f"acme/train@{version}", aged("1.0.0", 30), aged("1.1.0", 1), rules=WEEK)
    assert (str(choice.release.version), choice.is_young) == ("1.1.0", False)


def test_what_is_built_in_has_no_age() -> None:
    assert str(chosen("train@v1", release("train", "1.5.0"), rules=WEEK).release.version) == "1.5.0"


def test_every_release_that_is_not_taken_has_its_reason() -> None:
    error = refusal(
        "acme/train@v1",
        aged("1.2.0", 1, yanked="leaks tokens"),
        aged("1.1.0", 1, yanked="leaks tokens"),
        aged("1.0.0", 1, yanked=""),
        aged("2.0.0", 1),
    )
    assert error.message == (
        "no release of 'acme/train' that matches 'v1' may be taken "
        "(1.2.0, 1.1.0: yanked: leaks tokens; 1.0.0: yanked)"
    )
    assert error.remedy == "write 'acme/train@v2'"


def test_who_deprecates_says_what_to_use() -> None:
    error = refusal("acme/train@v1", aged("1.0.0", 1, yanked="old", deprecated="acme/fit@v1"))
    assert error.remedy == "its publisher says to use 'acme/fit@v1'"


def test_a_host_stays_in_front_of_what_to_write_instead() -> None:
    error = refusal("r.example.org/acme/train@v1", aged("0.3.0", 1))
    assert error.remedy == "write 'r.example.org/acme/train@v0.3'; there are: 0.3.0"


def test_without_a_statement_a_release_is_not_taken_where_signatures_are_asked_for() -> None:
    rules = Rules(policy=Policy(require_signatures=True))
    signed = release("acme/train", "1.0.0", source="main", statement="sha256:" + "0" * 64)
    unsigned = release("acme/train", "1.1.0", source="main")
    assert chosen("acme/train@v1", signed, unsigned, rules=rules).release == signed
    error = refusal("acme/train@v1", unsigned, rules=rules)
    assert "1.1.0: not signed with a statement of where it was made" in error.message
    assert "[policy]" in (error.remedy or "")


def test_a_sample_is_no_action() -> None:
    error = refusal("acme/digits@v1", release("acme/digits", "1.0.0", kind="sample"))
    assert "1.0.0: a sample, no action" in error.message
    assert "windlass subscribe acme/digits@v1" in (error.remedy or "")


def test_no_release_is_looked_at_behind_the_one_that_is_taken() -> None:
    looked: list[str] = []

    class Shelf(tuple[Release, ...]):
        def __iter__(self) -> Iterator[Release]:
            for each in tuple.__iter__(self):
                looked.append(str(each.version))
                yield each

    ref = parse_uses("train@v1")
    assert isinstance(ref, RegistryRef)
    shelf = Shelf(release("train", f"1.{number}.0") for number in range(99, -1, -1))
    choose(ref, shelf, Rules())
    assert looked == ["1.99.0"]
