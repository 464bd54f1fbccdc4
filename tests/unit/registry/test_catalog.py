from __future__ import annotations

from pathlib import Path

import pytest

from unit.registry.packages import release
from windlass_registry.catalog import Catalog, Registry
from windlass_registry.errors import OperatorError
from windlass_registry.index import Index, Release
from windlass_registry.refs import RefError, RegistryRef, parse_uses
from windlass_registry.store import Store


def ref(uses: str) -> RegistryRef:
    found = parse_uses(uses)
    assert isinstance(found, RegistryRef)
    return found


def registry(name: str, *releases: Release, namespaces: frozenset[str] | None = None) -> Registry:
    return Registry(name=name, source=Index.of(releases), namespaces=namespaces)


def catalog(*registries: Registry) -> Catalog:
    return Catalog(builtin=Index.of([release("train", "1.0.0")]), registries=registries)


def test_no_registry_answers_for_a_name_without_a_namespace() -> None:
    among = catalog(registry("evil", release("train", "9.0.0")))
    assert [str(each.version) for each in among.releases(ref("train@v1"))] == ["1.0.0"]


def test_a_namespace_that_a_registry_claims_is_looked_up_there_alone() -> None:
    ours = registry("ours", release("acme/x", "1.0.0"), namespaces=frozenset({"acme"}))
    theirs = registry("theirs", release("acme/x", "9.0.0"), release("acme/y", "1.0.0"))
    among = catalog(theirs, ours)
    assert [str(each.version) for each in among.releases(ref("acme/x@v1"))] == ["1.0.0"]
    with pytest.raises(RefError, match="unknown action 'acme/y@v1'"):
        among.releases(ref("acme/y@v1"))


def test_two_registries_with_the_same_name_are_told_apart_by_whoever_asks() -> None:
    among = catalog(
        registry("a.org", release("acme/x", "1.0.0")), registry("b.org", release("acme/x", "2.0.0"))
    )
    with pytest.raises(
        RefError, match=r"two registries have 'acme/x': a.org and b.org; write 'a.org/acme/x@v1'"
    ):
        among.releases(ref("acme/x@v1"))
    assert [str(each.version) for each in among.releases(ref("b.org/acme/x@v2"))] == ["2.0.0"]


def test_a_registry_that_nobody_added_is_said() -> None:
    with pytest.raises(RefError, match=r"the settings name no registry 'c.org'"):
        catalog().releases(ref("c.org/acme/x@v1"))


def test_an_unknown_name_with_a_namespace_may_be_githubs() -> None:
    with pytest.raises(RefError, match=r"write 'github.com/astral-sh/setup-uv@v5'"):
        catalog().releases(ref("astral-sh/setup-uv@v5"))


def test_a_package_that_is_here_is_compared_before_it_is_given(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "action.yml").write_text(
        "name: x\nruns: {using: composite, steps: [{run: 'true', shell: sh}]}\n"
    )
    store = Store(tmp_path / "store")
    digest = store.add_folder(folder)
    among = Catalog(builtin=Index({}), stores=[Store(tmp_path / "empty"), store])
    found = among.stored(digest)
    assert found is not None
    assert (found.manifest.name, found.digest, found.folder) == ("x", digest, store.path(digest))
    assert among.stored("sha256:" + "0" * 64) is None

    place = store.path(digest) / "action.yml"
    place.parent.chmod(0o755)
    place.chmod(0o644)
    place.write_text("name: other\nruns: {using: composite, steps: [{run: 'true', shell: sh}]}\n")
    with pytest.raises(OperatorError, match="was changed on disk"):
        Catalog(builtin=Index({}), stores=[store]).stored(digest)
