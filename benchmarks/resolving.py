"""Resolution: 200 actions of 10,000 releases, from the facts that lie on the disk, and of a lock."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Beside, Figure
from benchmarks.measuring import BenchmarkFailed, Sample, in_turn, timed
from windlass_registry.catalog import Catalog, Registry
from windlass_registry.facts_book import FactsBook, Releases
from windlass_registry.index import Release
from windlass_registry.lock import LockFile, ResolvedAction
from windlass_registry.refs import LocalRef
from windlass_registry.releases import ReleaseFacts, custom_of
from windlass_registry.resolver import Lock, resolve
from windlass_registry.sources.builtin import load_builtin
from windlass_registry.sources.packages import Package, load_package
from windlass_registry.store import Store
from windlass_registry.versions import Version

_NAMES, _VERSIONS, _ROW = 200, 50, 20
"""200 names of 50 releases; in rows of 20, each of which uses the next."""
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


class _FromDisk:
    """A registry as a process that begins finds it: a book of facts, and packages in the store."""

    def __init__(self, path: Path, store: Store) -> None:
        book = FactsBook.load(path)
        if book is None:
            raise BenchmarkFailed("the facts are not there")
        self._book = book
        self._store = store

    def names(self) -> Sequence[str]:
        return self._book.names()

    def releases(self, name: str) -> Sequence[Release]:
        facts = self._book.facts(name)
        return Releases(facts, self._release) if facts else ()

    def news(self, name: str) -> Sequence[Release]:
        return self.releases(name)

    def known(self, name: str) -> Sequence[Release]:
        return self.releases(name)

    def _release(self, facts: ReleaseFacts) -> Release:
        return Release(
            name=facts.name,
            version=facts.version,
            digest=facts.digest,
            source="main",
            uses=facts.uses,
            published=facts.published,
            statement=facts.statement,
            load=lambda: _unwanted(facts.name),
        )


def resolving(folder: Path, *, rounds: int) -> list[Figure]:
    """Each way begins without anything in memory but the program."""
    folder.mkdir(exist_ok=True)
    store = Store(folder / "packages")
    releases = _releases(folder, store)
    book, whole = folder / "facts", folder / "facts.json"
    FactsBook.save(book, releases, key="k", until=_MOMENT)
    whole.write_text(
        json.dumps([[each.path, each.digest, each.size_bytes, custom_of(each)] for each in releases])
    )
    uses = [f"acme/a{number}@v1" for number in range(_NAMES)]

    def catalog() -> Catalog:
        source = Registry(name="main", source=_FromDisk(book, store))
        return Catalog(builtin=load_builtin(), registries=[source], stores=[store])

    def settle(lock: LockFile | None = None) -> Lock:
        return resolve(uses, catalog=catalog(), lock=lock, local=_no_folder)

    found = settle()
    if len(found.actions) != _NAMES or {each.version for each in found.actions.values()} != {"1.49.0"}:
        raise BenchmarkFailed("the newest releases were not found")
    pins = found.pins()
    warm = catalog()
    resolve(uses, catalog=warm, local=_no_folder)
    ways: dict[str, Callable[[], Sample]] = {
        "cold": lambda: timed(settle),
        "warm": lambda: timed(lambda: resolve(uses, catalog=warm, local=_no_folder)),
        "locked": lambda: timed(lambda: settle(pins)),
        "JSON": lambda: timed(lambda: json.loads(whole.read_bytes())),
        "packages": lambda: timed(
            lambda: [load_package(store.path(each.digest), shown_as="x") for each in pins.pins.values()]
        ),
    }
    turns = in_turn(ways, rounds=rounds, warm=True)
    ratios = turns.ratios("cold", "JSON")
    return [
        Figure(
            what=f"{_NAMES} actions of {len(releases):,} releases, all in memory",
            unit="s",
            ours=turns.wall_s("warm"),
            floor=Beside(name="json.loads of the same facts", value=turns.wall_s("JSON")),
            bound=turns.wall_s("warm"),
            bound_unit="s",
            spread=_spread(turns.samples["warm"]),
            target=0.05,
        ),
        Figure(
            what="the same from the disk, packages read and compared",
            unit="s",
            ours=turns.wall_s("cold"),
            floor=Beside(name="json.loads of the same facts", value=turns.wall_s("JSON")),
            bound=sorted(ratios)[len(ratios) // 2],
            spread=(min(ratios), max(ratios)),
            target=8.0,
            detail=f"of that, packages read and compared: {turns.wall_s('packages'):.3f} s",
        ),
        Figure(
            what="the same of a lock, without a registry",
            unit="s",
            ours=turns.wall_s("locked"),
            floor=Beside(name="the packages alone", value=turns.wall_s("packages")),
            bound=turns.wall_s("locked") / turns.wall_s("packages"),
            spread=_spread(turns.samples["locked"]),
            target=2.5,
        ),
    ]


def _releases(folder: Path, store: Store) -> list[ReleaseFacts]:
    """All releases; the newest of each name lies in the store."""
    found = []
    for number in range(_NAMES):
        inner = (f"acme/a{number + 1}@v1",) if number % _ROW != _ROW - 1 else ()
        digest = _packed(folder, store, number, inner)
        for minor in range(_VERSIONS):
            found.append(
                ReleaseFacts(
                    name=f"acme/a{number}",
                    version=Version.parse(f"1.{minor}.0"),
                    digest=digest if minor == _VERSIONS - 1 else "sha256:" + "0" * 64,
                    size_bytes=10_240,
                    summary="does something useful",
                    uses=inner,
                    published=_MOMENT,
                    notes="what is new in it, in a sentence or two, as publishers write it" * 2,
                    statement="sha256:" + "1" * 64,
                )
            )
    return found


def _packed(folder: Path, store: Store, number: int, inner: tuple[str, ...]) -> str:
    place = folder / "made" / str(number)
    place.mkdir(parents=True)
    step = "".join(f"    - uses: {each}\n" for each in inner) or "    - run: 'true'\n      shell: sh\n"
    text = f"name: a{number}\ndescription: x\nruns:\n  using: composite\n  steps:\n{step}"
    (place / "action.yml").write_text(text)
    return store.add_folder(place)


def _spread(samples: Sequence[Sample]) -> tuple[float, float]:
    walls = [each.wall_s for each in samples]
    return min(walls), max(walls)


def _no_folder(ref: LocalRef) -> ResolvedAction:
    raise BenchmarkFailed(f"./{ref.path} was asked for")


def _unwanted(name: str) -> Package:
    raise BenchmarkFailed(f"{name} was fetched")
