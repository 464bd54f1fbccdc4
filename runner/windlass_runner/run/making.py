"""Makes the containers of one attempt, each from what its image's name stands for in this run, and says for
what it waits meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from windlass_runner.engines.base import (
    Container,
    ContainerSpec,
    Engine,
    ImageBuild,
    ImageFacts,
    PullProgress,
)
from windlass_runner.run.images import Images, PullReport
from windlass_runner.run.logs import JobLog


class ContainerSource:
    """See the module. Used by one thread.

    `check` is called now and then while an image is fetched or built; what it raises ends the waiting.
    `on_waiting` hears for what is waited, and an empty text when it no longer is.
    """

    def __init__(
        self,
        engine: Engine,
        images: Images,
        *,
        log: JobLog,
        check: Callable[[], None],
        on_waiting: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._images = images
        self._log = log
        self._check = check
        self._on_waiting = on_waiting
        self.used: dict[str, str] = {}
        """Digests of the images that ran, by the names that asked for them."""

    def create(self, spec: ContainerSpec, build: ImageBuild | None = None) -> Container:
        """The container of that spec, made or found; its image comes from `build`, where there is one.

        Raises:
            ImageUnavailable, EngineUnavailable, HostFull, OperatorError
        """
        image = self._fetched(spec.image) if build is None else self._built(build)
        container = self._engine.create(replace(spec, image=image.digest or spec.image))
        if container.image:
            self.used[spec.image] = container.image
        return container

    def _fetched(self, reference: str) -> ImageFacts:
        report = PullReport(reference, self._tell_waiting)

        def hear(progress: PullProgress) -> None:
            self._check()
            report.hear(progress)

        image = self._images.fetch(reference, on_pull=hear)
        if image.digest and (remark := self._images.remark(reference)) is not None:
            self._log.remark(remark)
        if (pulled := report.end()) is not None:
            self._log.system(pulled)
            self._on_waiting("")
        return image

    def _built(self, build: ImageBuild) -> ImageFacts:
        """The image, with what its build says in the log where there has to be one."""
        has_begun = False

        def hear(line: str | None) -> None:
            nonlocal has_begun
            self._check()
            if not has_begun:
                has_begun = True
                self._tell_waiting(f"building the image of {build.what} from its {build.dockerfile}")
            if line is not None:
                self._log.system(line)

        image = self._images.build(build, on_line=hear)
        if has_begun:
            self._log.system(f"built the image of {build.what}")
            self._on_waiting("")
        return image

    def _tell_waiting(self, text: str) -> None:
        self._log.system(text)
        self._on_waiting(text)
