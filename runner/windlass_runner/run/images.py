"""The images of a run, looked up once for each name: all its jobs run the same image, whatever becomes
of a tag meanwhile, and its digest is written down with each attempt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

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
from windlass_runner.run.dockerfiles import base_images

PULL_NEWS_S: Final = 10.0
"""How often a pull is spoken of."""


class Images:
    """See the module. Safe to use from several threads."""

    def __init__(
        self,
        engine: Engine,
        *,
        pinned: Mapping[str, str] | None = None,
        registries: tuple[str, ...] | None = None,
    ) -> None:
        """`pinned`: what names have to stand for (a digest or a local id). `registries`: where images may
        come from; None: anywhere."""
        self._engine = engine
        self._pinned = pinned or {}
        self._policy = Policy(image_registries=registries)
        self._lock = threading.Lock()
        self._known: dict[str, ImageFacts] = {}

    def fetch(self, reference: str, *, on_pull: Callable[[PullProgress], None]) -> ImageFacts:
        """What the name stands for in this run; see `Engine.fetch_image`.

        Raises:
            ImageUnavailable, EngineUnavailable
        """
        with self._lock:
            known = self._known.get(reference)
        if known is not None:
            return known
        if (refused := self._policy.refuses_image(reference)) is not None:
            raise ImageUnavailable(reference, refused, remedy="use another image")
        found = self._found(reference, on_pull)
        with self._lock:
            return self._known.setdefault(reference, found)

    def _found(self, reference: str, on_pull: Callable[[PullProgress], None]) -> ImageFacts:
        """The image that the name stands for, and where it is pinned no other.

        A digest is asked for in place of the name: it does not matter where the tag is now.
        """
        pin = self._pinned.get(reference)
        if pin is None:
            return self._engine.fetch_image(reference, on_pull=on_pull)
        if pin.startswith("sha256:"):
            found = self._engine.fetch_image(reference, on_pull=on_pull)
            if found.digest not in ("", pin):
                raise _not_as_locked(reference, pin, found.digest)
            return found
        try:
            return self._engine.fetch_image(pin, on_pull=on_pull)
        except ImageUnavailable as error:
            raise _not_as_locked(reference, pin, self._digest_here(reference), why=error.reason) from error

    def _digest_here(self, reference: str) -> str | None:
        """What the name stands for on this host, for a message."""
        try:
            return self._engine.fetch_image(reference).digest or None
        except OperatorError:
            return None

    def build(self, build: ImageBuild, *, on_line: Callable[[str | None], None]) -> ImageFacts:
        """The image in this run, built where it is not there yet; see `Engine.build_image`.

        Raises:
            ImageNotBuilt, EngineUnavailable, HostFull
        """
        with self._lock:
            known = self._known.get(build.reference)
        if known is not None:
            return known
        self._refuse_bases(build)
        found = self._engine.build_image(build, on_line=on_line)
        with self._lock:
            return self._known.setdefault(build.reference, found)

    def _refuse_bases(self, build: ImageBuild) -> None:
        """What may not be pulled may not come in by a Dockerfile either."""
        if self._policy.image_registries is None:
            return
        try:
            text = (build.context / build.dockerfile).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return  # the build says what is wrong
        for image in base_images(text):
            if (refused := self._policy.refuses_image(image)) is not None:
                raise ImageNotBuilt(build.what, f"{image}: {refused}", remedy="use another action")


def _not_as_locked(reference: str, pin: str, here: str | None, *, why: str | None = None) -> ImageUnavailable:
    reason = f"the lock pins it to {pin}"
    if why is not None:
        reason += f", which cannot be had ({why})"
    if here is not None:
        reason += f"; it is {here} here"
    remedy = f"bring that image here, or take what is there now: windlass lock --upgrade '{reference}'"
    return ImageUnavailable(reference, reason, remedy=remedy)


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
