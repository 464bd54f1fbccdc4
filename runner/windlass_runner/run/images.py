"""The images of a run, looked up once for each name: all its jobs run the same image, whatever becomes
of a tag meanwhile, and its digest is written down with each attempt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from windlass_registry.errors import OperatorError
from windlass_registry.policy import Policy
from windlass_runner.engines.base import (
    Engine,
    ImageBuild,
    ImageFacts,
    ImageNotBuilt,
    ImageUnavailable,
    PullProgress,
)
from windlass_runner.run.dockerfiles import bases_in
from windlass_runner.run.locked_images import (
    LOCK_IT,
    NOT_LOCKED,
    from_bases,
    is_pinned,
    joined,
    not_as_locked,
)

PULL_NEWS_S: Final = 10.0
"""How often a pull is spoken of."""


class Images:
    """See the module. Safe to use from several threads."""

    def __init__(
        self,
        engine: Engine,
        *,
        pinned: Mapping[str, str] | None = None,
        unlocked: Literal["say", "refuse"] | None = None,
        named: Callable[[], Iterable[str]] = tuple,
        registries: tuple[str, ...] | None = None,
    ) -> None:
        """`pinned`: what names have to stand for (a digest or a local id), and `unlocked`: what becomes of
        others (`Plan.unlocked_images`). `named`: the images that the run's jobs name as far as that is known
        now, which are compared with the lock before the first of them is given out. `registries`: where
        images may come from; None: anywhere."""
        self._engine = engine
        self._pinned = pinned or {}
        self._named = named
        self._unlocked = unlocked
        self._policy = Policy(image_registries=registries)
        self._lock = threading.Lock()
        self._comparing = threading.Lock()
        self._is_compared = False
        self._differs: ImageUnavailable | None = None
        self._known: dict[str, ImageFacts] = {}

    def fetch(self, reference: str, *, on_pull: Callable[[PullProgress], None]) -> ImageFacts:
        """What the name stands for in this run; see `Engine.fetch_image`.

        Raises:
            ImageUnavailable: also where another image of the run is not what the lock pins.
            EngineUnavailable
        """
        self._compare()
        with self._lock:
            known = self._known.get(reference)
        if known is not None:
            return known
        if (refused := self._policy.refuses_image(reference)) is not None:
            raise ImageUnavailable(reference, refused, remedy="use another image")
        if self._unlocked == "refuse" and not is_pinned(reference, self._pinned):
            raise ImageUnavailable(reference, NOT_LOCKED, remedy=LOCK_IT)
        found = self._found(reference, on_pull)
        with self._lock:
            return self._known.setdefault(reference, found)

    def remark(self, reference: str) -> str | None:
        """What there is to say of an image that came to be named when its job began: the lock does not have
        it, and nobody could tell before. What was known then was said then."""
        if self._unlocked != "say" or is_pinned(reference, self._pinned) or reference in self._named():
            return None
        return f"the image {reference} is not in the lock: taken as it is now"

    def _compare(self) -> None:
        """Once for a run, before any of its code: the images that were built on this host. One that has a
        registry's digest is asked for by that, and cannot be another. What is found is remembered."""
        with self._comparing:
            if not self._is_compared and any(pin.startswith("sha256:") for pin in self._pinned.values()):
                self._differs = self._different()
            self._is_compared = True
        if self._differs is not None:
            raise self._differs

    def _different(self) -> ImageUnavailable | None:
        problems: list[ImageUnavailable] = []
        for name in self._named():
            pin = self._pinned.get(name, "")
            if pin.startswith("sha256:"):
                try:
                    found = self._found_here(name, pin)
                    with self._lock:
                        self._known[name] = found
                except ImageUnavailable as error:
                    problems.append(error)
        return joined(problems) if problems else None

    def _found(self, reference: str, on_pull: Callable[[PullProgress], None]) -> ImageFacts:
        """The image that the name stands for, and where it is pinned no other.

        A digest is asked for in place of the name: it does not matter where the tag is now.
        """
        pin = self._pinned.get(reference)
        if pin is None:
            return self._engine.fetch_image(reference, on_pull=on_pull)
        if pin.startswith("sha256:"):
            return self._found_here(reference, pin)
        try:
            return self._engine.fetch_image(pin, on_pull=on_pull)
        except ImageUnavailable as error:
            raise not_as_locked(reference, pin, self._digest_here(reference), why=error.reason) from error

    def _found_here(self, reference: str, pin: str) -> ImageFacts:
        """An image that was built here, and never looked for elsewhere: a stranger's could have its name."""
        found = self._engine.find_image(reference)
        if found is None or found.digest not in ("", pin):
            raise not_as_locked(reference, pin, None if found is None else found.digest)
        return found

    def _digest_here(self, reference: str) -> str | None:
        """What the name stands for on this host, for a message."""
        try:
            found = self._engine.find_image(reference)
        except OperatorError:
            return None
        return None if found is None else found.digest

    def build(self, build: ImageBuild, *, on_line: Callable[[str | None], None]) -> ImageFacts:
        """The image in this run, built where it is not there yet, from bases as they are pinned; see
        `Engine.build_image`.

        Raises:
            ImageNotBuilt, ImageUnavailable, EngineUnavailable, HostFull
        """
        self._compare()
        with self._lock:
            known = self._known.get(build.reference)
        if known is not None:
            return known
        found = self._engine.build_image(self._pinned_build(build), on_line=on_line)
        with self._lock:
            return self._known.setdefault(build.reference, found)

    def _pinned_build(self, build: ImageBuild) -> ImageBuild:
        """The build with its bases held to what images are held to: what may not be pulled may not come in
        by a Dockerfile either."""
        bases: dict[str, str] = {}
        for image in bases_in(build.context / build.dockerfile):
            refused = self._policy.refuses_image(image)
            if refused is None and self._unlocked == "refuse" and not is_pinned(image, self._pinned):
                refused = NOT_LOCKED
            if refused is not None:
                raise ImageNotBuilt(build.what, f"{image}: {refused}", remedy="use another action")
            if image in self._pinned:
                bases[image] = self._found(image, _unheard).digest
        return from_bases(build, bases)


def _unheard(_progress: PullProgress) -> None:
    pass


class PullReport:
    """Puts one pull into words: that it begins, now and then how far it is, and its end. One thread."""

    def __init__(
        self, image: str, tell: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._image = image
        self._tell = tell
        self._clock = clock
        self._begun_at: float | None = None
        self._told_at = 0.0

    def hear(self, progress: PullProgress) -> None:
        """The pull has begun, or goes on."""
        now = self._clock()
        if self._begun_at is None:
            self._begun_at = self._told_at = now
            self._tell(f"pulling image {self._image}")
        elif now - self._told_at >= PULL_NEWS_S:
            self._told_at = now
            done, total = progress.done_bytes / 1e6, progress.total_bytes / 1e6
            self._tell(f"pulling image {self._image}: {done:,.0f} of {total:,.0f} MB so far")

    def end(self) -> str | None:
        """What there is to say when the image is there; None: it was, all the time."""
        if self._begun_at is None:
            return None
        return f"pulled image {self._image} in {self._clock() - self._begun_at:.0f} s"
