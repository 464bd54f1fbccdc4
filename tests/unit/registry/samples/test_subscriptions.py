"""The file of subscriptions: what is written is what is read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.samples.subscriptions import (
    Subscription,
    dump_subscriptions,
    object_name,
    parse_subscriptions,
    write_file,
)

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
VALUES = st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS | st.integers(), max_size=3)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), VALUES, max_size=4), TEXTS)
def test_what_is_written_is_what_is_read(parameters: dict[str, object], accepted: str) -> None:
    one = Subscription(
        name="mine",
        sample="classify@v1",
        version="1.0.0",
        digest="sha256:" + "0" * 64,
        source="builtin",
        folder="code",
        parameters=parameters,  # type: ignore[arg-type]
        accepted=accepted,
        files={"code/train.py": "0" * 40},
    )
    assert parse_subscriptions(dump_subscriptions({"mine": one})) == {"mine": one}


def test_a_path_that_leaves_the_repository_is_refused() -> None:
    text = "samples:\n  a:\n    sample: a@v1\n    version: 1.0.0\n    digest: x\n    folder: a\n"
    for path in ("../x", "/etc/passwd", ".git/config"):
        with pytest.raises(AuthorError, match="outside the repository"):
            parse_subscriptions(f"{text}    files: {{'{path}': '0'}}\n")


@pytest.mark.parametrize(
    ("name", "folder"), [("a", "../x"), ("a", "/etc"), ("a", ".git/hooks"), ("../a", "a"), ("a/b", "a")]
)
def test_a_subscription_writes_into_the_repository_alone(name: str, folder: str) -> None:
    text = f"samples:\n  {name}:\n    sample: a@v1\n    version: 1.0.0\n    digest: x\n    folder: {folder}\n"
    with pytest.raises(AuthorError, match=r"outside the repository|cannot be a workflow's name"):
        parse_subscriptions(text)


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(AuthorError, match="newer Windlass"):
        parse_subscriptions("subscriptions: 2\nsamples: {}\n")


def test_a_file_is_named_as_git_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello\n")
    named = subprocess.run(
        ["git", "hash-object", "file"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert object_name(b"hello\n") == named.decode().strip()


def test_nothing_is_written_behind_a_link_that_leaves_the_repository(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "code").symlink_to(outside)
    with pytest.raises(OperatorError, match="leaves the repository"):
        write_file(root, "code/train.py", b"x")
    assert not list(outside.iterdir())
