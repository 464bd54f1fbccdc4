from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.registry.packages import catalog, folders, release
from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.lock import LockFile, Pin
from windlass_registry.lockfile import dump_lock, load_lock, parse_lock, save_lock
from windlass_registry.resolver import resolve

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
pins = st.builds(
    Pin,
    name=texts,
    version=st.one_of(st.none(), st.sampled_from(["1.0.0", "2.3.4-rc.1"])),
    digest=st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}"),
    source=texts,
)


@given(st.dictionaries(texts, pins, max_size=5))
def test_what_is_written_is_read_again(found: dict[str, Pin]) -> None:
    text = dump_lock(LockFile(pins=found))
    assert parse_lock(text, "lock.yaml") == LockFile(pins=found)
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
        "lock: 2\nactins: {}\nactions:\n  a@v1: {name: a, version: '1', digest: x, surce: b}\n  b@v1: [1]\n"
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
