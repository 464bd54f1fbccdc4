import base64
import itertools
import json
import shlex
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.run.masking import MASK, Masker, needles


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def streamed(masker: Masker, chunks: list[bytes]) -> bytes:
    return b"".join([*(masker.feed(chunk) for chunk in chunks), masker.flush()])


small = st.text(alphabet="ab\n'c", min_size=0, max_size=9)
secrets_and_text = st.lists(st.one_of(small, st.text(max_size=12)), max_size=4).flatmap(
    lambda secrets: st.tuples(
        st.just(secrets),
        st.lists(
            st.one_of(st.sampled_from(secrets) if secrets else st.just("x"), small, st.text(max_size=5)),
            max_size=12,
        ).map("".join),
        st.lists(st.integers(0, 200), max_size=12),
    )
)


@given(secrets_and_text)
def test_any_cut_of_the_stream_gives_what_masking_the_whole_gives(
    case: tuple[list[str], str, list[int]],
) -> None:
    secrets, text, places = case
    data = text.encode("utf-8", "surrogatepass")
    assert streamed(Masker(secrets), cut(data, places)) == Masker(secrets).mask(data)


@given(secrets_and_text)
def test_no_secret_is_left_whatever_stands_around_it(case: tuple[list[str], str, list[int]]) -> None:
    secrets, text, _ = case
    data = text.encode("utf-8", "surrogatepass")
    kept = Masker(secrets).mask(data).split(MASK)
    for needle in {n for secret in secrets for n in needles(secret)}:
        if b"*" not in needle:
            assert all(needle not in part for part in kept)


@given(st.text(alphabet="abcde", min_size=4, max_size=20), st.integers(1, 19), st.text(alphabet="xyz"))
def test_no_beginning_of_a_secret_leaves_before_its_end_is_known(
    secret: str, length: int, before: str
) -> None:
    begun = secret[: min(length, len(secret) - 1)]
    masker = Masker([secret])
    out = masker.feed((before + begun).encode())
    assert out == before.encode()
    assert masker.feed(secret[len(begun) :].encode()) + masker.flush() == MASK


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_base64_is_masked_at_each_alignment(before: str) -> None:
    secret = "hunter2 and more"
    line = base64.b64encode((before + secret).encode())
    masked = Masker([secret]).mask(line)
    assert MASK in masked
    assert len(masked) <= len(MASK) + 7


def test_wrapped_base64_of_a_long_secret_is_masked_on_every_line() -> None:
    secret = "".join(f"part{n:03d}-" for n in range(40))
    masked = Masker([secret]).mask(base64.encodebytes(secret.encode() + b"\n"))
    assert all(len(line) < 8 for line in masked.replace(MASK, b"").split(b"\n"))


@pytest.mark.parametrize(
    "form",
    [
        lambda s: quote(s, safe=""),
        lambda s: quote(s, safe="").lower().replace("a%20b", "A%20b"),
        json.dumps,
        lambda s: json.dumps(json.dumps(s)),
        shlex.quote,
        repr,
        lambda s: s.replace("'", "'\\''"),
        lambda s: s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    ],
)
def test_encoded_forms_are_masked(form: object) -> None:
    secret = "A b'c\"d&e<f>"
    assert callable(form)
    masked = Masker([secret]).mask(f"[{form(secret)}]".encode())
    assert b"c" not in masked
    assert masked.startswith(b"[")
    assert masked.endswith(b"]")


def test_each_line_of_a_secret_of_many_lines_is_masked_but_not_short_ones() -> None:
    masked = Masker(["-----BEGIN\nabcdefgh\n}\n"]).mask(b"x }\n  abcdefgh y\n-----BEGIN\n")
    assert masked == b"x }\n  *** y\n***\n"


def test_overlapping_secrets_are_covered_from_end_to_end() -> None:
    assert Masker(["abcdef", "defghi"]).mask(b"[abcdefghi]") == b"[***]"


def test_very_short_values_are_left_alone() -> None:
    assert Masker(["", "1", "no", "\n"]).mask(b"no 1") == b"no 1"


def test_a_secret_added_in_the_middle_is_masked_from_there() -> None:
    masker = Masker()
    assert masker.feed(b"token\n") == b"token\n"
    masker.add("token")
    assert masker.feed(b"tok") + masker.feed(b"en\n") + masker.flush() == b"***\n"


def test_a_whole_line_is_never_held_back() -> None:
    assert Masker(["line of text\nand more"]).feed(b"line of\n") == b"line of\n"
