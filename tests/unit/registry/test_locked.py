"""What a lock pins comes from the store, and nobody is asked; what is not there is fetched and compared."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unit.registry.packages import folders, release, using
from windlass_registry.catalog import Catalog, Registry
from windlass_registry.choosing import CoolDown, Rules
from windlass_registry.errors import UpstreamError
from windlass_registry.index import Index, Release, WrongPackage
from windlass_registry.lock import LockFile, Pin
from windlass_registry.policy import Policy
from windlass_registry.resolver import Fetching, Lock, ResolutionError, resolve
from windlass_registry.sources.packages import Package, load_package
from windlass_registry.store import Store

COMPOSITE = "name: {name} {version}\nruns: {{using: composite, steps: [{step}]}}\n"


class Unreachable:
    """A registry that nobody may ask. `learned` is what this machine knows of it."""

    def __init__(self, *learned: Release) -> None:
        self._learned = Index.of(learned)

    def names(self) -> Sequence[str]:
        raise UpstreamError("there is no network")

    def releases(self, _name: str) -> Sequence[Release]:
        raise UpstreamError("there is no network")

    def news(self, name: str) -> Sequence[Release]:
        return self._learned.known(name)

    def known(self, name: str) -> Sequence[Release]:
        return self._learned.known(name)


class Shop:
    """Packages in a folder, one for each name, and the store that they come into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "store")
        self.fetched: list[str] = []

    def release(self, name: str, version: str = "1.0.0", *uses: str, **facts: str) -> Release:
        place = self.folder / "made" / name / version
        place.mkdir(parents=True)
        step = ", ".join(f"{{uses: '{each}'}}" for each in uses) or "{run: 'true', shell: sh}"
        (place / "action.yml").write_text(COMPOSITE.format(name=name, version=version, step=step))
        found = load_package(place, shown_as=name)
        assert found is not None

        def load() -> Package:
            self.fetched.append(f"{name} {version}")
            self.store.add_folder(place)
            return found

        made = release(name, version, source="main", **facts)
        return replace(made, digest=found.digest, uses=uses, load=load)

    def catalog(self, *releases: Release) -> Catalog:
        return self.asking(Index.of(releases))

    def asking(self, source: Index | Unreachable) -> Catalog:
        registry = Registry(name="main", source=source)
        return Catalog(builtin=Index({}), registries=[registry], stores=[self.store])


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def resolved(
    catalog: Catalog, *uses: str, lock: LockFile | None = None, policy: Policy | None = None
) -> Lock:
    rules = Rules(policy=policy or Policy())
    return resolve(uses, catalog=catalog, lock=lock, local=folders(), rules=rules)


def refused(catalog: Catalog, *uses: str, lock: LockFile | None = None, policy: Policy | None = None) -> str:
    with pytest.raises(ResolutionError) as caught:
        resolved(catalog, *uses, lock=lock, policy=policy)
    return str(caught.value)


def test_a_lock_is_kept_without_asking_anybody(shop: Shop) -> None:
    among = shop.catalog(shop.release("acme/a", "1.0.0", "acme/b@v1"), shop.release("acme/b"))
    first = resolved(among, "acme/a@v1")
    assert sorted(shop.fetched) == ["acme/a 1.0.0", "acme/b 1.0.0"]

    offline = resolved(shop.asking(Unreachable()), "acme/a@v1", lock=first.pins())
    assert offline.pins() == first.pins()
    assert (offline.unpinned, len(shop.fetched)) == ((), 2)
    assert offline.actions["acme/b@v1"].folder == shop.store.path(first.actions["acme/b@v1"].digest)


def test_what_the_store_lacks_is_fetched_by_version_and_compared(shop: Shop) -> None:
    made = shop.release("acme/a")
    pins = resolved(shop.catalog(made), "acme/a@v1").pins()
    shop.store = Store(shop.folder / "another")
    assert resolved(shop.catalog(made), "acme/a@v1", lock=pins).pins() == pins
    assert shop.fetched == ["acme/a 1.0.0", "acme/a 1.0.0"]

    shop.store = Store(shop.folder / "a third")
    another = shop.release("acme/a", "1.0.1")
    pretended = replace(another, version=made.version)
    assert "is not what the lock pins" in refused(shop.catalog(pretended), "acme/a@v1", lock=pins)


def test_a_package_with_other_bytes_than_were_signed_is_refused_by_name(shop: Shop) -> None:
    made, other = shop.release("acme/a"), shop.release("acme/a", "2.0.0")
    replaced = replace(made, load=replace(other, digest=made.digest).load, digest="sha256:" + "f" * 64)
    said = refused(shop.catalog(replaced), "acme/a@v1")
    assert "acme/a 1.0.0 is not what was asked for" in said
    assert "do not run it" in said


def test_a_package_that_its_source_refuses_is_a_failed_resolution(shop: Shop) -> None:
    def load() -> Package:
        raise WrongPackage("the archive was replaced")

    inner = replace(shop.release("acme/b"), load=load)
    said = refused(shop.catalog(shop.release("acme/a", "1.0.0", "acme/b@v1"), inner), "acme/a@v1")
    assert "acme/b 1.0.0 is not what its publisher signed: the archive was replaced" in said
    assert "(used by acme/a@v1)" in said


def test_a_manifest_that_uses_something_else_than_was_signed_is_refused(shop: Shop) -> None:
    made = replace(shop.release("acme/a", "1.0.0", "acme/evil@v1"), uses=("acme/b@v1",))
    said = refused(shop.catalog(made, shop.release("acme/b")), "acme/a@v1")
    assert (
        "acme/a 1.0.0 uses other actions than its publisher signed: acme/evil@v1; signed: acme/b@v1" in said
    )


def test_nothing_is_fetched_where_something_cannot_be_resolved(shop: Shop) -> None:
    among = shop.catalog(shop.release("acme/a", "1.0.0", "acme/nope@v1"), shop.release("acme/b"))
    assert "unknown action 'acme/nope@v1' (used by acme/a@v1)" in refused(among, "acme/b@v1", "acme/a@v1")
    assert shop.fetched == []


def test_packages_are_fetched_side_by_side_each_once(shop: Shop) -> None:
    meeting = threading.Barrier(3, timeout=30)

    def slowly(made: Release) -> Release:
        def load() -> Package:
            meeting.wait()
            return made.load()

        return replace(made, load=load)

    among = shop.catalog(*(slowly(shop.release(f"acme/{name}")) for name in "abc"))
    told: list[Fetching] = []
    uses = ["acme/a@v1", "acme/b@v1", "acme/c@v1", "acme/c@^1"]
    resolve(uses, catalog=among, local=folders(), on_fetch=told.append)
    assert sorted(shop.fetched) == ["acme/a 1.0.0", "acme/b 1.0.0", "acme/c 1.0.0"]
    assert [each.done for each in told] == [0, 1, 2, 3]
    assert {each.total for each in told} == {3}


def test_two_versions_of_one_action_live_side_by_side(shop: Shop) -> None:
    among = shop.catalog(
        shop.release("acme/a", "1.0.0", "acme/c@v1"),
        shop.release("acme/b", "1.0.0", "acme/c@v2"),
        shop.release("acme/c", "1.3.0"),
        shop.release("acme/c", "2.0.0"),
    )
    found = resolved(among, "acme/a@v1", "acme/b@v1").actions
    assert (found["acme/c@v1"].version, found["acme/c@v2"].version) == ("1.3.0", "2.0.0")


def test_what_is_too_young_is_not_even_fetched(shop: Shop) -> None:
    now = datetime(2026, 3, 10, tzinfo=UTC)
    old, new = shop.release("acme/a", "1.0.0"), shop.release("acme/a", "1.1.0")
    old, new = (replace(each, published=now - timedelta(days=1)) for each in (old, new))
    pins = resolved(shop.catalog(old), "acme/a@v1").pins()
    week = CoolDown(period=timedelta(days=7), now=now)
    rules = Rules(cool_down=week, previous=pins.pins)
    lock = resolve(["acme/a@v1"], catalog=shop.catalog(old, new), local=folders(), rules=rules)
    assert lock.pins() == pins
    assert [str(each.release.version) for each in lock.held_back["acme/a@v1"]] == ["1.1.0"]
    assert shop.fetched == ["acme/a 1.0.0"]

    changed = {"acme/a@v1": replace(pins.pins["acme/a@v1"], digest="sha256:" + "f" * 64)}
    rules = Rules(cool_down=week, previous=changed)
    lock = resolve(["acme/a@v1"], catalog=shop.catalog(old, new), local=folders(), rules=rules)
    assert lock.actions["acme/a@v1"].version == "1.1.0"  # what is not there any more cannot stay


def test_a_yank_that_this_machine_has_learned_of_is_told_without_the_network(shop: Shop) -> None:
    made = shop.release("acme/a")
    pins = resolved(shop.catalog(made), "acme/a@v1").pins()
    yanked = shop.asking(Unreachable(replace(made, yanked="leaks tokens")))
    assert resolved(yanked, "acme/a@v1", lock=pins).warnings == (
        "acme/a 1.0.0 was yanked by its publisher: leaks tokens",
    )
    said = refused(yanked, "acme/a@v1", lock=pins, policy=Policy(yanked="refuse"))
    assert "may not run here: acme/a 1.0.0 was yanked by its publisher: leaks tokens" in said


def test_a_pin_outside_of_what_is_asked_for_is_refused_without_the_network(shop: Shop) -> None:
    made = shop.release("acme/a", "2.0.0")
    pin = resolved(shop.catalog(made), "acme/a@v2").pins().pins["acme/a@v2"]
    said = refused(shop.asking(Unreachable()), "acme/a@v1", lock=LockFile(pins={"acme/a@v1": pin}))
    assert "the lock pins 'acme/a@v1' to 2.0.0, which is outside it" in said


def test_a_lock_that_has_the_bytes_of_something_else_is_refused(shop: Shop) -> None:
    made, other = shop.release("acme/a"), shop.release("acme/b")
    among = shop.catalog(made, other)
    resolved(among, "acme/a@v1", "acme/b@v1")
    forged = LockFile(
        pins={"acme/a@v1": Pin(name="acme/a", version="1.0.0", digest=other.digest, source="main")}
    )
    assert "is not what the lock pins" in refused(among, "acme/a@v1", lock=forged)


def test_a_statement_is_asked_for_where_the_settings_ask_for_one(shop: Shop) -> None:
    made = shop.release("acme/a")
    pins = resolved(shop.catalog(made), "acme/a@v1").pins()
    policy = Policy(require_signatures=True)
    said = refused(shop.catalog(made), "acme/a@v1", lock=pins, policy=policy)
    assert "not signed with a statement" in said
    signed = replace(made, statement="sha256:" + "0" * 64)
    assert resolved(shop.catalog(signed), "acme/a@v1", lock=pins, policy=policy).pins() == pins
    with pytest.raises(UpstreamError):  # a lock is written by the author: it proves no signature
        resolved(shop.asking(Unreachable()), "acme/a@v1", lock=pins, policy=policy)


def test_a_namespace_that_is_not_allowed_is_refused_pinned_or_not(shop: Shop) -> None:
    among = shop.catalog(shop.release("acme/a"))
    pins = resolved(among, "acme/a@v1").pins()
    policy = Policy(namespaces=frozenset({"other"}))
    for lock in (None, pins):
        assert "do not allow the namespace 'acme'" in refused(among, "acme/a@v1", lock=lock, policy=policy)


def test_what_a_local_action_uses_is_settled_with_the_rest(shop: Shop) -> None:
    among = shop.catalog(shop.release("acme/a"))
    local = folders(tool=using("acme/a@v1"))
    assert set(resolve(["./tool"], catalog=among, local=local).actions) == {"./tool", "acme/a@v1"}
