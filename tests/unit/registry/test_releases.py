from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_registry.advisories import SEVERITIES, make_advisory
from windlass_registry.measurements import LARGEST, Measured
from windlass_registry.releases import (
    Deprecation,
    ReleaseError,
    ReleaseFacts,
    Yank,
    custom_of,
    format_time,
    parse_release,
    parse_time,
)
from windlass_registry.versions import Version

PLAIN = st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=60).filter(str.isprintable)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
DIGESTS = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)
FACTS = st.builds(
    ReleaseFacts,
    name=st.sampled_from(["acme/train", "a/b", "acme-2/predict-it"]),
    version=st.sampled_from(["1.0.0", "0.0.1-rc.1", "10.20.30", "1.0.0+build.5"]).map(Version.parse),
    digest=DIGESTS,
    size_bytes=st.integers(0, 1 << 40),
    kind=st.sampled_from(["action", "sample"]),
    summary=PLAIN,
    picture=st.sampled_from(["", "picture.svg", "docs/shown.png"]),
    uses=st.lists(st.sampled_from(["script@v1", "acme/x@^1.2", "./folder"]), max_size=3).map(tuple),
    published=TIMES,
    notes=PLAIN.map(lambda text: text + "\n\n\t- more"),
    statement=DIGESTS,
    yanked=st.none() | st.builds(Yank, reason=PLAIN, at=TIMES),
    deprecated=st.none() | st.builds(Deprecation, successor=st.none() | st.just("acme/fit@v1"), reason=PLAIN),
    measured=st.none()
    | st.builds(
        Measured,
        examples=st.integers(1, 99),
        milliseconds=st.integers(0, LARGEST),
        peak_memory_bytes=st.none() | st.integers(0, LARGEST),
        image_bytes=st.none() | st.integers(0, LARGEST),
    ),
    advisories=st.lists(
        st.builds(
            make_advisory,
            st.just("acme/train"),
            severity=st.sampled_from(SEVERITIES),
            title=PLAIN,
            text=PLAIN.map(lambda text: text + "\n\nmore"),
            versions=st.sampled_from(["<1.2.0", "all"]),
            at=TIMES,
        ),
        max_size=3,
    ).map(tuple),
)
DIGEST = "sha256:" + "0" * 64
GOOD: dict[str, Any] = {
    "kind": "action",
    "summary": "",
    "uses": [],
    "published": "2026-03-01T12:00:00Z",
    "notes": "",
    "statement": "sha256:" + "0" * 64,
}


def read(
    custom: object, *, path: str = "acme/train/1.0.0", digest: str = "sha256:" + "0" * 64
) -> ReleaseFacts:
    return parse_release(path, digest=digest, size_bytes=7, custom=custom)


@given(facts=FACTS)
def test_what_is_written_is_read(facts: ReleaseFacts) -> None:
    custom = json.loads(json.dumps(custom_of(facts)))
    found = parse_release(facts.path, digest=facts.digest, size_bytes=facts.size_bytes, custom=custom)
    assert found == facts
    assert found.version.build == facts.version.build


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from([*GOOD, "yanked", "deprecated", "measured", "advisories", "more"]), value=JSON)
def test_nonsense_is_an_error_of_ours_or_nothing(key: str, value: object) -> None:
    said = ""
    try:
        read({"windlass": {**GOOD, key: value}})
    except ReleaseError as error:
        said = str(error)
    assert said.isprintable()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "virus"},
        {"kind": None},
        {"summary": None},
        {"summary": "x" * 301},
        {"summary": "two\nlines"},
        {"summary": "\x1b[31mred"},
        {"summary": "\u202egnp.exe"},  # written backwards
        {"notes": "bell\x07"},
        {"notes": "x" * 16_001},
        {"uses": "script@v1"},
        {"uses": [7]},
        {"uses": ["no version"]},
        {"uses": ["script@v1"] * 201},
        {"published": "yesterday"},
        {"published": "2026-03-01T12:00:00+00:00"},
        {"published": "2026-13-01T12:00:00Z"},
        {"statement": "sha256:short"},
        {"yanked": {"reason": "x"}},
        {"yanked": {"reason": "x", "at": "now"}},
        {"yanked": True},
        {"deprecated": {"successor": "not a reference", "reason": ""}},
        {"unheard": "of"},
    ],
)
def test_what_is_not_as_agreed_is_refused(change: dict[str, Any]) -> None:
    assert read({"windlass": GOOD}).kind == "action"
    with pytest.raises(ReleaseError, match=r"the release acme/train/1\.0\.0 cannot be read"):
        read({"windlass": {**GOOD, **change}})


@pytest.mark.parametrize("custom", [None, {}, [], {"windlass": None}, {"windlass": []}])
def test_a_target_without_our_facts_is_no_release(custom: object) -> None:
    with pytest.raises(ReleaseError, match="missing"):
        read(custom)


@pytest.mark.parametrize(
    "path", ["acme/1.0.0", "acme/train/v1.0.0", "acme/train/1.0", "a/b/c/1.0.0", "\x1b/b/c"]
)
def test_a_path_is_namespace_name_and_version(path: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        read({"windlass": GOOD}, path=path)
    assert str(caught.value).isprintable()


def test_a_digest_of_another_kind_is_refused() -> None:
    with pytest.raises(ReleaseError):
        read({"windlass": GOOD}, digest="sha256:")


def test_others_may_add_to_what_is_signed() -> None:
    assert read({"windlass": GOOD, "somebody": {"else": 1}}).kind == "action"


@given(moment=TIMES)
def test_times_are_whole_seconds_of_utc(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment
    elsewhere = moment.astimezone(datetime.now(UTC).astimezone().tzinfo) if moment.year > 1970 else moment
    assert parse_time(format_time(elsewhere)) - moment == timedelta(0)
