"""The images and data that workflows name, and what a lock can pin of them: for `windlass lock`, and for what
writes a lock by the way (`init`, `subscribe`, the daemon's updates of samples)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.lock import ImagePin, Lock, LockFile
from windlass_runner.engines.base import ImageUnavailable
from windlass_runner.engines.docker_digests import KnownImage
from windlass_runner.plan.compile import PlanOptions, job_graph
from windlass_runner.plan.images import images_of, is_image_name
from windlass_runner.plan.known_images import known_images
from windlass_runner.plan.model import JobSpec, outermost
from windlass_runner.plan.steps import NoEngineYet
from windlass_runner.run.dockerfiles import bases_of
from windlass_runner.run.image_checks import place_of_image
from windlass_runner.upkeep.locking import Looked
from windlass_runner.workflow.model import Workflow

PATIENCE_S: Final = 10.0
"""How long the engine and the registries are waited for by what writes a lock by the way."""
_AT_ONCE: Final = 8
_PLACES: Final = 3


class Digests(Protocol):
    """Who knows images; see `engines.docker_digests`."""

    def look_up(self, reference: str, *, is_newest: bool = False) -> KnownImage: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpinned:
    """Something that a lock cannot hold still."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What workflows name beside actions."""

    images: tuple[str, ...] = ()
    """Names without expressions and without digests of their own."""
    unpinned: tuple[Unpinned, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The images as far as they could be pinned."""

    images: Mapping[str, ImagePin] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    unpinned: tuple[Unpinned, ...] = ()

    def remarks(self) -> tuple[str, ...]:
        """What to say of them where the lock was not what somebody asked for: one line for all that is left
        to `windlass lock`."""
        notes = [f"image {name}: {text}" for name, text in self.notes.items()]
        if self.unpinned:
            names = ", ".join(each.what for each in self.unpinned)
            reasons = "; ".join(dict.fromkeys(each.why for each in self.unpinned))
            notes.append(f"not pinned as yet: {names}: {reasons}; 'windlass lock' does it later")
        return tuple(notes)


def lock_with_images(
    looked: Looked, *, pins: LockFile | None, open_digests: Callable[[], Digests]
) -> tuple[Lock, Pinned]:
    """What to write in place of `pins`, all of whose images stay, with the images that these workflows name
    and that can be had now. Nobody is asked where all are pinned."""
    lock = looked.beside(pins)
    new = [name for name in named_by(looked.workflows, looked.lock).images if name not in lock.images]
    if not new:
        return lock, Pinned(images=lock.images)
    digests = open_digests()
    try:
        pinned = pin_images(new, old={}, anew=frozenset(), digests=digests)
    finally:
        digests.close()
    return replace(lock, images={**lock.images, **pinned.images}), pinned


def named_by(workflows: Iterable[Workflow], lock: Lock) -> Named:
    """All images and data that these workflows and their actions name, each once."""
    images: dict[str, None] = {}
    unpinned: dict[Unpinned, None] = {}
    without: dict[str, None] = {}
    for workflow in workflows:
        try:
            graph = job_graph(workflow, lock, PlanOptions(default_image=""))
        except (NoEngineYet, AuthorError, KeyError):  # told by whoever plans it
            continue
        for spec in graph.specs.values():
            if "" in images_of(spec, {}):
                without[f"{workflow.path}:{workflow.jobs[outermost(spec.id)].at.line}"] = None
            known = known_images(spec, workflow, graph.calls)
            images.update(dict.fromkeys(name for name in known.names if "@" not in name))
            for text in known.open:
                unpinned[_open_image(workflow, spec, text, is_known=bool(known.names))] = None
            unpinned.update(dict.fromkeys(_data(workflow, spec)))
    for uses, bases in bases_of(lock).items():
        images.update(dict.fromkeys(base for base in bases if is_image_name(base) and "@" not in base))
        unpinned.update(dict.fromkeys(_open_base(uses, base) for base in bases if "$" in base))
    if without:
        unpinned[_default_image(tuple(without))] = None
    return Named(images=tuple(sorted(images)), unpinned=tuple(unpinned))


def pin_images(
    names: Iterable[str], *, old: Mapping[str, ImagePin], anew: frozenset[str], digests: Digests
) -> Pinned:
    """Pin what is not pinned in `old`, and everything in `anew` to what its registry has now.

    What cannot be looked up keeps its old pin, and is told.
    """
    names = tuple(names)
    wanted = [name for name in names if name in anew or name not in old]
    found = {name: old[name] for name in names if name in old}
    notes: dict[str, str] = {}
    unpinned: list[Unpinned] = []

    def look_up(name: str) -> KnownImage | OperatorError:
        try:
            return digests.look_up(name, is_newest=name in anew)
        except OperatorError as error:
            return error

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for name, answer in zip(wanted, pool.map(look_up, wanted), strict=True):
            if isinstance(answer, OperatorError):
                why = answer.reason if isinstance(answer, ImageUnavailable) else answer.message
                stays = "; it stays as it was" if name in old else ""
                unpinned.append(Unpinned(what=f"image {name}", why=f"{why}{stays}"))
                continue
            found[name] = answer.pin
            if answer.note is not None:
                notes[name] = answer.note
    return Pinned(images=found, notes=notes, unpinned=tuple(unpinned))


def _open_image(workflow: Workflow, spec: JobSpec, image: str, *, is_known: bool) -> Unpinned:
    at = place_of_image(workflow, spec.id, image)
    said = "known only when it runs"
    if is_known:
        said = "what the workflow itself says is pinned; a run may name another"
    return Unpinned(what=f"image {image}", why=f"{workflow.path}:{at.line}: job '{spec.id}': {said}")


def _default_image(places: Sequence[str]) -> Unpinned:
    more = f" and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
    why = (
        f"jobs without an image ({', '.join(places[:_PLACES])}{more}) run in the one of the runner's settings"
    )
    return Unpinned(what="default image", why=why)


def _open_base(uses: str, base: str) -> Unpinned:
    return Unpinned(what=f"image {base}", why=f"the Dockerfile of {uses} names it by a variable")


def _data(workflow: Workflow, spec: JobSpec) -> Iterator[Unpinned]:
    for each in spec.inputs:
        if each.type in ("dataset", "model") and each.ref is not None:
            why = f"{workflow.path}, job '{spec.id}': there is no store of {each.type}s yet"
            yield Unpinned(what=f"{each.type} {each.ref}", why=why)
