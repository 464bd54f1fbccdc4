import threading
from pathlib import Path

import pytest

from windlass_registry.errors import AuthorError
from windlass_runner.data.trees import remove_tree
from windlass_runner.data.versions import Origin, Version, VersionStore, parse_ref


@pytest.fixture
def store(tmp_path: Path) -> VersionStore:
    return VersionStore(tmp_path / "storage", clock=lambda: 7.0)


def commit(store: VersionStore, tmp_path: Path, ref: str, text: str, *, run: str | None = None) -> Version:
    folder = tmp_path / f"out-{text}"
    if not folder.exists():
        (folder / "d").mkdir(parents=True)
        (folder / "d" / "x").write_text(text)
    return store.commit("dataset", ref, folder, origin=Origin(run=run or text), metrics={"n": 1.0})


def test_versions_are_numbered_and_the_newest_is_meant(store: VersionStore, tmp_path: Path) -> None:
    first, second = (commit(store, tmp_path, "digits", text) for text in "ab")
    assert (first.number, second.number) == (1, 2)
    assert store.resolve("dataset", "digits") == second
    assert store.resolve("dataset", "digits:latest") == second
    assert store.resolve("dataset", "digits:1") == first
    assert (first.path / "d" / "x").read_text() == "a"
    assert (first.ref, first.metrics, first.created) == ("digits:1", {"n": 1.0}, 7.0)
    assert store.versions("dataset", "digits") == (first, second)


def test_a_tag_moves_to_what_is_committed_to_it(store: VersionStore, tmp_path: Path) -> None:
    commit(store, tmp_path, "acme/digits:clean", "a")
    moved = commit(store, tmp_path, "acme/digits:clean", "b")
    commit(store, tmp_path, "acme/digits", "c")
    assert store.resolve("dataset", "acme/digits:clean") == moved
    assert moved.ref == "acme/digits:2"
    assert store.names("dataset") == ("acme/digits",)


def test_committing_the_same_output_again_is_the_same_version(store: VersionStore, tmp_path: Path) -> None:
    first = commit(store, tmp_path, "digits:t", "a", run="r")
    commit(store, tmp_path, "digits", "b")
    assert commit(store, tmp_path, "digits:t", "a", run="r") == first


def test_a_version_outlives_the_run_that_made_it(store: VersionStore, tmp_path: Path) -> None:
    version = commit(store, tmp_path, "digits", "a")
    remove_tree(tmp_path / "out-a")
    assert (version.path / "d" / "x").read_text() == "a"
    assert (version.path / "d" / "x").stat().st_mode & 0o222 == 0


def test_what_a_crash_left_half_made_is_no_version(store: VersionStore, tmp_path: Path) -> None:
    commit(store, tmp_path, "digits", "a")
    half = tmp_path / "storage" / "datasets" / "default" / "digits" / "versions" / ".0123.new" / "content"
    half.mkdir(parents=True)
    assert [version.number for version in store.versions("dataset", "digits")] == [1]


def test_commits_at_the_same_time_each_get_a_number(store: VersionStore, tmp_path: Path) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(commit(store, tmp_path, "d", f"t{n}").number))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1, 9))


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("digitz", "did you mean 'digits'"),
        ("digits:claen", "did you mean 'clean'"),
        ("digits:9", "no version or tag '9'"),
        ("../etc", "does not name"),
        ("a/b/c", "does not name"),
        ("", "does not name"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    store: VersionStore, tmp_path: Path, ref: str, words: str
) -> None:
    commit(store, tmp_path, "digits:clean", "a")
    with pytest.raises(AuthorError) as caught:
        store.resolve("dataset", ref, path="train.yaml", line=3, column=5)
    assert words in str(caught.value)
    assert str(caught.value).startswith("train.yaml:3:5: ")


@pytest.mark.parametrize("ref", ["digits:3", "digits:latest"])
def test_nobody_chooses_a_number(store: VersionStore, tmp_path: Path, ref: str) -> None:
    with pytest.raises(AuthorError, match="cannot be written to"):
        commit(store, tmp_path, ref, "a")


def test_a_reference_is_taken_apart() -> None:
    found = parse_ref("acme/digits:v1.2")
    assert (found.namespace, found.name, found.label, found.number) == ("acme", "digits", "v1.2", None)
    assert parse_ref("digits:12").number == 12
