"""How pins move: never backwards, never to what is too young."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unit.registry.packages import release, using
from windlass_registry.catalog import Catalog, Registry
from windlass_registry.choosing import CoolDown, Rules
from windlass_registry.errors import AuthorError, UpstreamError
from windlass_registry.index import Index, Release
from windlass_registry.lock import ImagePin, LockFile, Pin
from windlass_runner.commands.lock_changes import changes_of, note_lines
from windlass_runner.commands.lock_settings import cool_down
from windlass_runner.commands.locking import lock_repository, look_up_repository, upgrade_repository
from windlass_runner.engines.base import ImageUnavailable
from windlass_runner.engines.docker_digests import KnownImage
from windlass_runner.upkeep.image_pins import named_by, pin_images
from windlass_runner.upkeep.lock_settings import repository_cool_down
from windlass_runner.upkeep.locking import Looked

NOW = datetime(2026, 3, 10, tzinfo=UTC)
WEEK = Rules(cool_down=CoolDown(period=timedelta(days=7), now=NOW))
STEPS = "jobs: {a: {image: 'x', steps: [{uses: 'acme/a@v1'}]}}\n"


def aged(name: str, version: str, days: float, **facts: str) -> Release:
    return release(name, version, source="main", published=NOW - timedelta(days=days), **facts)


def catalog(*releases: Release) -> Catalog:
    return Catalog(builtin=Index({}), registries=[Registry(name="main", source=Index.of(releases))])


def repository(folder: Path, **workflows: str) -> Path:
    place = folder / ".windlass" / "workflows"
    place.mkdir(parents=True)
    (folder / ".git").mkdir()
    for name, text in workflows.items():
        (place / f"{name}.yaml").write_text(text)
    return folder


def pins_of(*releases: Release) -> LockFile:
    return LockFile(
        pins={
            f"{each.name}@v1": Pin(
                name=each.name, version=str(each.version), digest=each.digest, source="main"
            )
            for each in releases
        }
    )


def upgraded(root: Path, among: Catalog, old: LockFile, *names: str, rules: Rules = WEEK) -> Looked:
    return upgrade_repository(root, old=old, names=frozenset(names), catalog=among, rules=rules)


def versions(looked: Looked) -> Mapping[str, str | None]:
    return {uses: action.version for uses, action in looked.lock.actions.items()}


def held(looked: Looked) -> dict[str, list[str]]:
    return {
        uses: [str(each.release.version) for each in found] for uses, found in looked.lock.held_back.items()
    }


def test_an_upgrade_takes_what_is_old_enough_and_says_what_it_held_back(tmp_path: Path) -> None:
    old, better, newest = (aged("acme/a", f"1.{n}.0", days) for n, days in enumerate((60, 8, 1)))
    looked = upgraded(repository(tmp_path, w=STEPS), catalog(old, better, newest), pins_of(old))
    assert versions(looked) == {"acme/a@v1": "1.1.0"}
    assert held(looked) == {"acme/a@v1": ["1.2.0"]}


def test_a_pin_stays_where_everything_newer_is_too_young(tmp_path: Path) -> None:
    old, newest = aged("acme/a", "1.0.0", 2), aged("acme/a", "1.1.0", 1)
    looked = upgraded(repository(tmp_path, w=STEPS), catalog(old, newest), pins_of(old))
    assert versions(looked) == {"acme/a@v1": "1.0.0"}
    assert held(looked) == {"acme/a@v1": ["1.1.0"]}


def test_a_pin_never_goes_back_to_an_older_release(tmp_path: Path) -> None:
    ancient, young = aged("acme/a", "1.0.0", 60), aged("acme/a", "1.1.0", 2)
    newest = aged("acme/a", "1.2.0", 1)
    looked = upgraded(repository(tmp_path, w=STEPS), catalog(ancient, young, newest), pins_of(young))
    assert versions(looked) == {"acme/a@v1": "1.1.0"}
    assert held(looked) == {"acme/a@v1": ["1.2.0"]}


def test_without_a_cool_down_the_newest_is_taken(tmp_path: Path) -> None:
    old, newest = aged("acme/a", "1.0.0", 60), aged("acme/a", "1.1.0", 0)
    root = repository(tmp_path, w=STEPS)
    assert versions(upgraded(root, catalog(old, newest), pins_of(old), rules=Rules())) == {
        "acme/a@v1": "1.1.0"
    }


def test_only_what_is_named_moves(tmp_path: Path) -> None:
    text = "jobs: {a: {image: 'x', steps: [{uses: 'acme/a@v1'}, {uses: 'acme/b@v1'}]}}\n"
    root = repository(tmp_path, w=text)
    old = [aged(name, "1.0.0", 60) for name in ("acme/a", "acme/b")]
    among = catalog(*old, *(aged(name, "1.1.0", 30) for name in ("acme/a", "acme/b")))
    assert versions(upgraded(root, among, pins_of(*old), "acme/b")) == {
        "acme/a@v1": "1.0.0",
        "acme/b@v1": "1.1.0",
    }


def test_what_a_moved_action_uses_comes_along(tmp_path: Path) -> None:
    old = aged("acme/a", "1.0.0", 60, manifest=using("acme/b@v1"))
    new = aged("acme/a", "1.1.0", 30, manifest=using("acme/b@^1.1"))
    inner = [aged("acme/b", "1.0.0", 60), aged("acme/b", "1.1.0", 30)]
    root = repository(tmp_path, w=STEPS)
    looked = upgraded(root, catalog(old, new, *inner), pins_of(old, inner[0]), "acme/a")
    assert versions(looked) == {"acme/a@v1": "1.1.0", "acme/b@^1.1": "1.1.0"}


def test_a_change_tells_the_notes_of_everything_between(tmp_path: Path) -> None:
    among = catalog(
        aged("acme/a", "1.0.0", 60, notes="the first"),
        aged("acme/a", "1.1.0", 40, notes="faster\n\nand smaller"),
        aged("acme/a", "1.2.0", 30, yanked="leaks tokens", notes="worse"),
        aged("acme/a", "1.3.0", 20, deprecated="acme/z@v1"),
        aged("acme/a", "2.0.0", 20, notes="another thing"),
    )
    root = repository(tmp_path, w=STEPS)
    old = pins_of(aged("acme/a", "1.0.0", 60))
    new = upgraded(root, among, old).lock.pins()
    (change,) = changes_of(old, new, among)
    assert (change.what, change.before, change.after) == ("acme/a@v1", "1.0.0", "1.3.0")
    assert list(note_lines(change)) == [
        "1.3.0 (2026-02-18)",
        "  deprecated: use acme/z@v1",
        "1.2.0 (2026-02-08)",
        "  worse",
        "  yanked: leaks tokens",
        "1.1.0 (2026-01-29)",
        "  faster",
        "  and smaller",
    ]


def test_a_lock_written_for_something_else_keeps_images_and_data(tmp_path: Path) -> None:
    old = aged("acme/a", "1.0.0", 60)
    image = ImagePin(digest="x@sha256:" + "0" * 64)
    pins = LockFile(pins=pins_of(old).pins, images={"x": image}, datasets={"digits": "3"})
    made = lock_repository(repository(tmp_path, w=STEPS), pins=pins, catalog=catalog(old))
    assert (made.lock.pins(), made.problems) == (pins, ())


class Engine:
    """Knows some images."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.asked: list[tuple[str, bool]] = []
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True

    def look_up(self, reference: str, *, is_newest: bool = False) -> KnownImage:
        self.asked.append((reference, is_newest))
        if reference not in self.known:
            raise ImageUnavailable(reference, "there is none")
        return KnownImage(pin=ImagePin(digest=self.known[reference]))


IMAGES = """
inputs: {img: {type: string, default: z}}
defaults: {image: base}
jobs:
  a: {steps: [{run: 'true'}, {run: 'true', image: 'other:1'}]}
  b: {uses: container@v1, with: {image: tool, command: x}}
  c: {image: 'leg:${{ matrix.v }}', strategy: {matrix: {v: ['1', '2']}}, steps: [{run: 'true'}]}
  d: {image: '${{ inputs.img }}', steps: [{run: 'true'}]}
  e: {image: 'pinned@sha256:%s', steps: [{run: 'true'}], services: {db: {image: 'redis:7'}}}
  f: {image: x, inputs: {d: {type: dataset, with: {ref: 'digits:3'}}}, steps: [{run: 'true'}]}
""" % ("0" * 64)


def test_every_image_that_is_written_out_is_found_and_the_rest_is_told(tmp_path: Path) -> None:
    looked = look_up_repository(repository(tmp_path, w=IMAGES), pins=None, catalog=Catalog.of_builtin())
    assert looked.problems == ()
    named = named_by(looked.workflows, looked.lock)
    assert named.images == ("base", "leg:1", "leg:2", "other:1", "redis:7", "tool", "x", "z")
    assert [each.what for each in named.unpinned] == ["image ${{ inputs.img }}", "dataset digits:3"]
    assert named.unpinned[0].why.startswith(".windlass/workflows/w.yaml:8: job 'd': what the workflow itself")


EXPRESSIONS = """
inputs:
  kind: {type: choice, options: [cpu, gpu], default: cpu}
  is-new: {type: boolean}
  given: {type: string, required: true}
env: {BASE: 'env:1', SECRET: '${{ secrets.x }}'}
jobs:
  a: {image: 'kind:${{ inputs.kind }}', steps: [{run: x}], outputs: {o: {type: string}}}
  b: {uses: container@v1, with: {image: "${{ inputs.is-new && 'new:2' || 'old:2' }}", command: x}}
  c: {steps: [{run: x, image: '${{ env.BASE }}'}, {run: x, image: 's:${{ env.SECRET }}'}]}
  d:
    image: ${{ matrix.v }}
    strategy: {matrix: {v: ['${{ inputs.given }}', 'leg:1']}}
    steps: [{run: x}]
  e: {image: 'm:${{ matrix.v }}', strategy: {matrix: {v: '${{ fromJSON(needs.a.outputs.o) }}'}}, needs: a,
      steps: [{run: x}]}
  f: {image: '${{ needs.a.outputs.o }}', needs: a, steps: [{run: x}]}
"""


def test_what_an_expression_may_come_to_is_found_as_far_as_the_file_says_it(tmp_path: Path) -> None:
    looked = look_up_repository(repository(tmp_path, w=EXPRESSIONS), pins=None, catalog=Catalog.of_builtin())
    assert looked.problems == ()
    named = named_by(looked.workflows, looked.lock)
    assert named.images == ("env:1", "kind:cpu", "kind:gpu", "leg:1", "new:2", "old:2")
    assert [(each.what, each.why.partition(" job")[0]) for each in named.unpinned] == [
        ("image s:${{ env.SECRET }}", ".windlass/workflows/w.yaml:10:"),
        ("image ${{ matrix.v }}", ".windlass/workflows/w.yaml:12:"),
        ("image m:${{ matrix.v }}", ".windlass/workflows/w.yaml:15:"),
        ("image ${{ needs.a.outputs.o }}", ".windlass/workflows/w.yaml:17:"),
    ]


def test_a_job_without_an_image_pins_none_and_that_is_said(tmp_path: Path) -> None:
    root = repository(
        tmp_path, w="jobs:\n  a: {steps: [{run: 'true'}]}\n  b: {uses: script@v1, with: {script: x}}\n"
    )
    looked = look_up_repository(root, pins=None, catalog=Catalog.of_builtin())
    named = named_by(looked.workflows, looked.lock)
    assert named.images == ()
    (told,) = named.unpinned
    places = ".windlass/workflows/w.yaml:2, .windlass/workflows/w.yaml:3"
    assert (told.what, told.why) == (
        "default image",
        f"jobs without an image ({places}) run in the one of the runner's settings",
    )


GRAPH = """
name: g
inputs: {image: {}, tag: {}}
runs:
  using: workflow
  jobs:
    x: {image: '${{ inputs.image }}', steps: [{run: x, shell: sh}]}
    y: {image: 'tagged${{ inputs.tag }}', steps: [{run: x, shell: sh}]}
"""


def test_images_of_a_graphs_jobs_are_found_as_far_as_the_graph_is_given_them(tmp_path: Path) -> None:
    text = """
jobs:
  a: {image: first, steps: [{run: x}], outputs: {o: {type: string}}}
  g: {needs: a, uses: ./graph, with: {image: 'given:1', tag: '${{ needs.a.outputs.o }}'}}
"""
    root = repository(tmp_path, w=text)
    (root / "graph").mkdir()
    (root / "graph" / "action.yml").write_text(GRAPH)
    looked = look_up_repository(root, pins=None, catalog=Catalog.of_builtin())
    assert looked.problems == ()
    named = named_by(looked.workflows, looked.lock)
    assert named.images == ("first", "given:1")
    (told,) = named.unpinned
    assert told.what == "image tagged${{ inputs.tag }}"
    assert told.why.startswith(".windlass/workflows/w.yaml:4: job 'g/y': known only when it runs")


def test_only_images_without_a_pin_are_asked_for() -> None:
    engine = Engine(a="a@sha256:1", b="b@sha256:2")
    old = {"a": ImagePin(digest="a@sha256:0"), "gone": ImagePin(digest="gone@sha256:0")}
    pinned = pin_images(("a", "b", "c"), old=old, anew=frozenset(), digests=engine)
    assert sorted(engine.asked) == [("b", False), ("c", False)]
    assert pinned.images == {"a": old["a"], "b": ImagePin(digest="b@sha256:2")}
    assert [(each.what, each.why) for each in pinned.unpinned] == [("image c", "there is none")]


def test_an_image_that_cannot_be_looked_up_anew_keeps_its_pin() -> None:
    old = {"a": ImagePin(digest="a@sha256:0")}
    pinned = pin_images(("a",), old=old, anew=frozenset({"a"}), digests=Engine())
    assert pinned.images == old
    assert pinned.unpinned[0].why == "there is none; it stays as it was"


BY_THE_WAY = """
jobs:
  a: {image: a, steps: [{run: x}, {run: x, image: b}, {run: x, image: c}, {run: x, image: d}]}
  late: {image: '${{ github.event.image }}', steps: [{run: x}]}
"""


def test_a_lock_written_for_something_else_pins_new_images_and_says_in_one_line_which_not(
    tmp_path: Path,
) -> None:
    kept = {name: ImagePin(digest=f"{name}@sha256:{'0' * 64}") for name in ("a", "of-no-workflow")}
    root, engine = repository(tmp_path, w=BY_THE_WAY), Engine(a="a@sha256:1", b="b@sha256:2")
    made = lock_repository(
        root, pins=LockFile(images=kept), catalog=Catalog.of_builtin(), open_digests=lambda: engine
    )
    assert made.lock.images == {**kept, "b": ImagePin(digest="b@sha256:2")}
    assert sorted(name for name, _ in engine.asked) == ["b", "c", "d"]
    assert engine.is_closed
    assert made.remarks == (
        "not pinned as yet: image c, image d: there is none; 'windlass lock' does it later",
    )


def test_a_lock_written_for_something_else_asks_nobody_where_all_is_pinned(tmp_path: Path) -> None:
    def nobody() -> Engine:
        raise AssertionError

    pins = LockFile(images={"x": ImagePin(digest="x@sha256:" + "0" * 64)})
    root = repository(tmp_path, w="jobs: {a: {image: x, steps: [{run: x}]}}\n")
    made = lock_repository(root, pins=pins, catalog=Catalog.of_builtin(), open_digests=nobody)
    assert (made.lock.images, made.remarks) == (pins.images, ())


@pytest.mark.parametrize(
    ("text", "hours"), [("7d", 168), ("36h", 36), ("2w", 336), ("3", 72), ("0", 0), (" 1 d", 24)]
)
def test_time_spans_are_read(text: str, hours: int) -> None:
    assert cool_down(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "7m", "-1d", "d", "1.5d"])
def test_what_is_no_time_span_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is not a time span"):
        cool_down(text)


def test_a_repository_says_its_own_cool_down(tmp_path: Path) -> None:
    assert repository_cool_down(tmp_path) is None
    (tmp_path / ".windlass").mkdir()
    (tmp_path / ".windlass" / "settings.yaml").write_text("lock: {cool-down-days: 3}\n")
    assert repository_cool_down(tmp_path) == timedelta(days=3)
    (tmp_path / ".windlass" / "settings.yaml").write_text("lock: {cool-down: 3}\n")
    with pytest.raises(AuthorError, match="did you mean 'cool-down-days'"):
        repository_cool_down(tmp_path)


def test_a_registry_that_does_not_answer_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    class Silent(Index):
        def releases(self, name: str) -> tuple[Release, ...]:
            raise UpstreamError(f"nobody answers for {name}")

    among = Catalog(builtin=Index({}), registries=[Registry(name="main", source=Silent({}))])
    with pytest.raises(UpstreamError, match="nobody answers for acme/a"):
        look_up_repository(repository(tmp_path, w=STEPS), pins=None, catalog=among)
