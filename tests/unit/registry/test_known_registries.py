from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError
from windlass_registry.known_registries import KnownRegistries, KnownRegistry
from windlass_registry.sources.registry import RegistryAddress


def known(name: str, root: bytes = b"root", *namespaces: str) -> KnownRegistry:
    registry = RegistryAddress(name=name, address=f"https://{name}", root=root)
    return KnownRegistry(registry=registry, namespaces=namespaces)


@pytest.fixture
def registries(tmp_path: Path) -> KnownRegistries:
    return KnownRegistries(tmp_path / "config")


def test_what_was_added_is_there(registries: KnownRegistries) -> None:
    assert registries.load() == ()
    registries.add(known("a.example.org", b"one", "acme"))
    registries.add(known("b.example.org:8480", b"two"))
    assert registries.load() == (known("a.example.org", b"one", "acme"), known("b.example.org:8480", b"two"))


def test_the_same_registry_again_may_have_moved(registries: KnownRegistries) -> None:
    registries.add(known("a", b"one"))
    registries.add(known("b"))
    moved = replace(known("a", b"one").registry, address="https://elsewhere")
    registries.add(KnownRegistry(registry=moved))
    assert [each.registry.address for each in registries.load()] == ["https://b", "https://elsewhere"]


def test_another_registry_never_takes_the_place_of_one_that_is_believed(registries: KnownRegistries) -> None:
    registries.add(known("a", b"one"))
    with pytest.raises(OperatorError, match="registry remove a"):
        registries.add(known("a", b"two"))
    assert registries.load() == (known("a", b"one"),)


def test_what_was_removed_is_gone(registries: KnownRegistries) -> None:
    registries.add(known("a"))
    registries.remove("a")
    assert registries.load() == ()
    assert [path.name for path in registries.folder.iterdir()] == ["registries.json"]
    with pytest.raises(OperatorError, match="no registry 'a'"):
        registries.remove("a")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"registries": [{}]}', '{"registries": 7}', "\x00"])
def test_a_list_that_is_damaged_says_what_to_do(registries: KnownRegistries, text: str) -> None:
    registries.folder.mkdir()
    registries.path.write_text(text)
    with pytest.raises(OperatorError, match="registry add"):
        registries.load()


def test_a_lost_root_is_not_replaced_by_believing(registries: KnownRegistries) -> None:
    registries.add(known("a"))
    (registries.folder / "root-of-a.json").unlink()
    with pytest.raises(OperatorError, match="damaged"):
        registries.load()
