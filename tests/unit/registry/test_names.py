from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_registry.names import (
    RESERVED,
    check_likeness,
    check_name,
    check_namespace,
    check_new_namespace,
    is_name,
    is_namespace,
    reads_like,
)
from windlass_registry.publication import Refused

NAMES = st.from_regex(r"[a-z0-9](?:-?[a-z0-9]){0,18}", fullmatch=True)


@pytest.mark.parametrize("name", ["acme", "a", "0", "acme-2", "a-b-c", "x" * 39])
def test_these_may_be_names(name: str) -> None:
    assert is_name(name)
    check_name(f"acme/{name}")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-a",
        "a-",
        "a--b",
        "A",
        "a_b",
        "a.b",
        "a b",
        "a\n",
        "x" * 40,
        "\u0430cme",
        "acme\u200b",
        "a\x1b[m",
        ".",
    ],
)
def test_these_may_not(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(Refused) as caught:
        check_namespace(name)
    assert caught.value.why == "name"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_names_are_nobodys_namespace(name: str) -> None:
    assert not is_namespace(name)
    with pytest.raises(Refused, match="reserved"):
        check_namespace(name)


def test_a_name_without_a_namespace_is_a_built_in_actions() -> None:
    with pytest.raises(Refused, match="built-in"):
        check_name("train")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("train", "tra1n"),  # look-alikes
        ("train", "traln"),
        ("script", "5cript"),
        ("evaluate", "evaiuate"),
        ("modern", "modem"),
        ("git-checkout", "gitcheckout"),
        ("train", "trian"),  # swapped
        ("train", "trains"),  # one more
        ("train", "tran"),  # one less
        ("train", "brain"),  # one changed
        ("train", "train"),
    ],
)
def test_these_read_alike(one: str, other: str) -> None:
    assert reads_like(one, other)
    assert reads_like(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("train", "trainer"), ("cut", "cat"), ("fit", "fix"), ("train", "deploy"), ("", "a")]
)
def test_these_do_not(one: str, other: str) -> None:
    assert not reads_like(one, other)
    assert not reads_like(other, one)


@given(name=NAMES.filter(lambda name: len(name) > 4), data=st.data())
def test_one_slip_of_the_finger_is_always_found(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from("abcxyz089-"))
    for slip in (
        name[:at] + name[at + 1 :],
        name[:at] + letter + name[at:],
        name[:at] + letter + name[at + 1 :],
        name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :] if at else name,
    ):
        assert reads_like(name, slip)
        assert reads_like(slip, name)


def test_a_built_in_actions_own_name_may_be_taken_in_a_namespace() -> None:
    check_likeness("acme/train", builtin=["train"], existing=[])
    with pytest.raises(Refused, match="reads like the built-in action 'train'"):
        check_likeness("acme/trian", builtin=["train"], existing=[])


def test_the_same_name_in_a_namespace_that_looks_alike_is_refused() -> None:
    check_likeness("other/fit", builtin=[], existing=["acme/fit"])
    check_likeness("acme/fits", builtin=[], existing=["acme/fit"])
    with pytest.raises(Refused, match="acme/fit"):
        check_likeness("acne/fit", builtin=[], existing=["acme/fit"])


def test_a_namespace_may_be_granted_again_to_another_key() -> None:
    check_new_namespace("acme", ["acme", "other"])
    with pytest.raises(Refused, match="--despite-likeness"):
        check_new_namespace("acme2", ["acme"])
