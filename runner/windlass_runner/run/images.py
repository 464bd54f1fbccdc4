"""The images of a run, looked up once for each name: all its jobs run the same image, whatever becomes
of a tag meanwhile, and its digest is written down with each attempt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from windlass_runner.engines.base import Engine, ImageBuild, ImageFacts, PullProgress

PULL_NEWS_S: Final = 10.0
"""How often a pull is spoken of."""


class Images:
    """See the module. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
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
        found = self._engine.fetch_image(reference, on_pull=on_pull)
        with self._lock:
            return self._known.setdefault(reference, found)

    def build(self, build: ImageBuild, *, on_line: Callable[[str | None], None]) -> ImageFacts:
        """The image in this run, built where it is not there yet; see `Engine.build_image`.

        Raises:
            ImageNotBuilt, EngineUnavailable, HostFull
        """
        with self._lock:
            known = self._known.get(build.reference)
        if known is not None:
            return known
        found = self._engine.build_image(build, on_line=on_line)
        with self._lock:
            return self._known.setdefault(build.reference, found)


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
