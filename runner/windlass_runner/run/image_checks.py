"""The images of a workflow, held to the rules of the runner before anything of it runs: where they may come
from, and that the lock pins them. What only a run settles is held to them when its job asks for it
(`run.images`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from windlass_registry.documents import Position
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lock import ImagePin, Lock, LockFile
from windlass_registry.lockfile import LOCK_PATH
from windlass_registry.meanings import ASK_OWNER
from windlass_registry.policy import Policy
from windlass_runner.plan.compile import PlanOptions, job_graph
from windlass_runner.plan.images import is_image_name
from windlass_runner.plan.known_images import known_images, planned_images
from windlass_runner.plan.model import Plan, outermost
from windlass_runner.plan.steps import NoEngineYet
from windlass_runner.run.dockerfiles import bases_of
from windlass_runner.run.locked_images import LOCK_IT, is_pinned
from windlass_runner.workflow.model import Job, Workflow

_ASKED = f"is not in {LOCK_PATH}, and the settings of this runner ask for that"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRules:
    """What the images of one workflow are held to. `places`: where its `uses` stand."""

    workflow: Workflow
    places: Mapping[str, Position]
    lock: Lock
    pins: LockFile | None
    policy: Policy
    options: PlanOptions

    def of_plan(self, plan: Plan) -> tuple[Problem, ...]:
        """The images of a run that may not run here."""
        if not self._is_asked:
            return ()
        return tuple(self._problems((job_id, image) for image, job_id in planned_images(plan).items()))

    def as_written(self) -> tuple[Problem, ...]:
        """As `of_plan`, without an event: of all that the workflow's text may name."""
        if not self._is_asked:
            return ()
        return tuple(self._problems(self._written()))

    def _written(self) -> list[tuple[str, str]]:
        """Jobs and images, as far as the workflow says itself what these may be."""
        try:
            graph = job_graph(self.workflow, self.lock, self.options)
        except (NoEngineYet, AuthorError, KeyError):  # told elsewhere; an action that means nothing
            return []
        return [
            (spec.id, each)
            for spec in graph.specs.values()
            for each in known_images(spec, self.workflow, graph.calls).names
        ]

    def notes(self, plan: Plan) -> tuple[str, ...]:
        """What the author should know of images that their lock does not pin. Those that the settings of the
        runner name are its owner's."""
        if self.pins is None or not self.options.has_images:
            return ()
        own = {self.options.default_image, *self.options.node_images.values()}
        known = [*planned_images(plan), *(base for bases in bases_of(self.lock).values() for base in bases)]
        loose = [
            each for each in dict.fromkeys(known) if each not in own and not is_pinned(each, self._pinned)
        ]
        if not loose:
            return ()
        are = "they are" if loose[1:] else "it is"
        return (f"not in the lock: {', '.join(loose)}: taken as {are} now; pin with `windlass lock`",)

    @property
    def unlocked(self) -> Literal["say", "refuse"] | None:
        """What becomes of images that the lock does not pin; see `Plan.unlocked_images`."""
        if self._needs_lock:
            return "refuse"
        return "say" if self.pins is not None and self.options.has_images else None

    @property
    def _needs_lock(self) -> bool:
        return self.policy.require_lock and self.options.has_images

    @property
    def _is_asked(self) -> bool:
        return self.policy.image_registries is not None or self._needs_lock

    @property
    def _pinned(self) -> Mapping[str, ImagePin]:
        return self.pins.images if self.pins is not None else {}

    def _problems(self, named: Iterable[tuple[str, str]]) -> Iterator[Problem]:
        written = cache(lambda: frozenset(self._written()))  # the whole graph, and only for what is refused
        for job_id, image in named:
            message = f"job '{job_id}' runs in the image '{image}'"
            at = place_of_image(self.workflow, job_id, image)
            if (refused := self.policy.refuses_image(image)) is not None:
                yield self._problem(at, f"{message}: {refused}", ASK_OWNER)
            elif self._needs_lock and not is_pinned(image, self._pinned):
                yield self._problem(at, f"{message}, which {_ASKED}", self._remedy(job_id, image, written))
        if self._needs_lock:
            yield from self._loose_bases()

    def _remedy(self, job_id: str, image: str, written: Callable[[], Collection[tuple[str, str]]]) -> str:
        """What the runner's own settings name is pinned there: by its digest."""
        job = _job_of(self.workflow, job_id)
        has_none = job is not None and job.image is None and self.workflow.defaults.image is None
        if has_none and image == self.options.default_image:
            return "name one in the workflow, or 'default_image' in the settings with its digest (x@sha256:…)"
        if image in self.options.node_images.values():
            return "name it in the settings ('node_image') with its digest (x@sha256:…)"
        if (job_id, image) not in written():
            return "name it by its digest (x@sha256:…), or write it into the workflow for 'windlass lock'"
        return LOCK_IT

    def _loose_bases(self) -> Iterator[Problem]:
        """What images of actions are made from, and the lock does not pin: told where the action is used."""
        bases = bases_of(self.lock)
        told: set[str] = set()
        for root, at in self.places.items() if bases else ():
            waiting = [root] if root in self.lock.actions else []
            while waiting:
                uses = waiting.pop()
                if uses in told:
                    continue
                told.add(uses)
                waiting += self.lock.actions[uses].manifest.uses()
                for base in bases.get(uses, ()):
                    if not is_pinned(base, self._pinned):
                        message = f"the image of '{uses}' is built from '{base}', which {_ASKED}"
                        remedy = LOCK_IT if is_image_name(base) else "write its FROM without a variable"
                        yield self._problem(at, message, remedy)

    def _problem(self, at: Position, message: str, remedy: str) -> Problem:
        path = self.workflow.path
        return Problem(path=path, line=at.line, column=at.column, message=message, remedy=remedy)


def place_of_image(workflow: Workflow, job_id: str, image: str) -> Position:
    """Where a job says that it runs in an image: where that text stands, else an expression."""
    job = _job_of(workflow, job_id)
    if job is None:
        return Position(line=0, column=0)
    written = list(_written(workflow, job))
    open_ones = (at for text, at in written if "${{" in text)
    return next((at for text, at in written if text == image), next(open_ones, job.at))


def _written(workflow: Workflow, job: Job) -> Iterator[tuple[str, Position]]:
    """The texts of a job that may name images."""
    yield job.image or "", job.image_at or job.at
    for step in job.steps:
        yield step.image or "", step.at
    calls = [(job.with_, job.with_at), *((step.with_, step.with_at) for step in job.steps)]
    for values, places in calls:
        image = values.get("image")
        if isinstance(image, str):
            yield image, places.get("image", job.at)
    yield from ((service.image, service.at) for service in job.services)
    yield workflow.defaults.image or "", workflow.defaults.image_at or job.at


def _job_of(workflow: Workflow, job_id: str) -> Job | None:
    """The job as written; of a graph's jobs that which is the graph."""
    return workflow.jobs.get(outermost(job_id))
