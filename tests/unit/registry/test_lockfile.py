from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.registry.packages import catalog, folders, release
from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.lock import ImagePin, LockFile, Pin
from windlass_registry.lockfile import dump_lock, load_lock, parse_lock, save_lock
from windlass_registry.resolver import resolve

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
pins = st.builds(
    Pin,
    name=texts,
    version=st.one_of(st.none(), st.sampled_from(["1.0.0", "2.3.4-rc.1"])),
    commit=st.one_of(st.none(), st.binary(min_size=20, max_size=20).map(bytes.hex)),
    digest=st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}"),
    source=texts,
)


digests = st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")
images = st.one_of(
    digests.map(lambda digest: ImagePin(digest=f"example.org/x@{digest}")),
    digests.map(lambda digest: ImagePin(local_id=digest)),
)
locks = st.builds(
    LockFile,
    pins=st.dictionaries(texts, pins, max_size=5),
    images=st.dictionaries(texts, images, max_size=3),
    datasets=st.dictionaries(texts, texts, max_size=2),
    models=st.dictionaries(texts, texts, max_size=2),
)


@given(locks)
def test_what_is_written_is_read_again(lock: LockFile) -> None:
    text = dump_lock(lock)
    assert parse_lock(text, "lock.yaml") == lock
    assert dump_lock(parse_lock(text.encode(), "lock.yaml")) == text


def test_a_lock_reads_well() -> None:
    lock = resolve(
        ["b@v1", "a@v1"], catalog=catalog(release("a", "1.0.0"), release("b", "1.2.0")), local=folders()
    )
    assert dump_lock(lock) == (
        "# Written by 'windlass lock'. Commit it; change it only with 'windlass lock --upgrade'.\n"
        "lock: 1\n"
        "actions:\n"
        '  "a@v1":\n'
        '    name: "a"\n'
        '    version: "1.0.0"\n'
        f'    digest: "{release("a", "1.0.0").digest}"\n'
        '    source: "builtin"\n'
        '  "b@v1":\n'
        '    name: "b"\n'
        '    version: "1.2.0"\n'
        f'    digest: "{release("b", "1.2.0").digest}"\n'
        '    source: "builtin"\n'
    )


def test_the_repositorys_own_folders_are_not_locked() -> None:
    shell = "name: n\nruns: {using: composite, steps: [{uses: a@v1}]}"
    lock = resolve(["./tool"], catalog=catalog(release("a", "1.0.0")), local=folders(tool=shell))
    assert list(lock.pins().pins) == ["a@v1"]


def test_every_problem_of_a_lock_is_told() -> None:
    text = (
        "lock: 3\nactins: {}\nactions:\n  a@v1: {name: a, version: '1', digest: x, surce: b}\n  b@v1: [1]\n"
    )
    with pytest.raises(AuthorError) as caught:
        parse_lock(text, "lock.yaml")
    found = [str(problem) for problem in caught.value.problems]
    assert "written by a newer Windlass" in found[0]
    assert "did you mean 'actions'?" in found[1]
    assert {problem.line for problem in caught.value.problems} == {1, 2, 4, 5}


def test_a_lock_says_its_format() -> None:
    with pytest.raises(AuthorError, match="does not say its format"):
        parse_lock("actions: {}", "lock.yaml")


def test_a_lock_is_saved_whole_and_loaded_again(tmp_path: Path) -> None:
    assert load_lock(tmp_path) is None
    lock = LockFile(
        pins={"a@v1": Pin(name="a", version="1.0.0", digest="sha256:" + "0" * 64, source="builtin")}
    )
    place = save_lock(tmp_path, lock)
    assert place == tmp_path / ".windlass" / "lock.yaml"
    assert load_lock(tmp_path) == lock
    assert [each.name for each in place.parent.iterdir()] == ["lock.yaml"]


def test_a_lock_that_cannot_be_read_is_the_owners_to_mend(tmp_path: Path) -> None:
    (tmp_path / ".windlass" / "lock.yaml").mkdir(parents=True)
    with pytest.raises(OperatorError):
        load_lock(tmp_path)
    with pytest.raises(OperatorError):
        save_lock(tmp_path, LockFile())
    assert [each.name for each in (tmp_path / ".windlass").iterdir()] == ["lock.yaml"]


def test_images_and_commits_read_well_and_make_it_a_newer_file() -> None:
    digest = "sha256:" + "0" * 64
    lock = LockFile(
        pins={
            "github.com/a/b@v1": Pin(
                name="github.com/a/b", commit="1" * 40, digest=digest, source="git+https://github.com/a/b"
            )
        },
        images={"mine:dev": ImagePin(local_id=digest), "python:3.12": ImagePin(digest=f"python@{digest}")},
        datasets={"digits": "3"},
    )
    assert dump_lock(lock).partition("\n")[2] == (
        "lock: 2\n"
        "actions:\n"
        '  "github.com/a/b@v1":\n'
        '    name: "github.com/a/b"\n'
        f'    commit: "{"1" * 40}"\n'
        f'    digest: "{digest}"\n'
        '    source: "git+https://github.com/a/b"\n'
        "images:\n"
        '  "mine:dev":\n'
        f'    local-id: "{digest}"\n'
        '  "python:3.12":\n'
        f'    digest: "python@{digest}"\n'
        "datasets:\n"
        '  "digits": "3"\n'
    )


def test_the_pin_of_an_image_says_one_thing() -> None:
    digest = "sha256:" + "0" * 64
    text = (
        f"lock: 2\nimages:\n  a: {{digest: 'a@{digest}', local-id: '{digest}'}}\n  b: {{digest: nothing}}\n"
    )
    with pytest.raises(AuthorError) as caught:
        parse_lock(text, "lock.yaml")
    assert [problem.line for problem in caught.value.problems] == [3, 4]
