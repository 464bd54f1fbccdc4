"""An image that the lock pins is that image, or none."""

from __future__ import annotations

import pytest

from windlass_runner.engines.base import ImageFacts, ImageUnavailable, PullProgress
from windlass_runner.run.images import Images
from windlass_runner.testing import FakeEngine

DIGEST = "sha256:" + "a" * 64
PINNED = f"python@{DIGEST}"


def quietly(_progress: PullProgress) -> None:
    pass


def fetch(images: Images, reference: str) -> ImageFacts:
    return images.fetch(reference, on_pull=quietly)


def test_the_digest_is_asked_for_in_place_of_the_name() -> None:
    engine = FakeEngine()
    found = fetch(Images(engine, pinned={"python:3.12": PINNED}), "python:3.12")
    assert found.reference == PINNED
    assert [call.subject for call in engine.calls] == [PINNED]


def test_what_is_not_pinned_is_looked_up_as_it_is() -> None:
    engine = FakeEngine()
    fetch(Images(engine, pinned={"python:3.12": PINNED}), "busybox:1")
    assert [call.subject for call in engine.calls] == ["busybox:1"]


def test_a_pinned_image_that_cannot_be_had_is_refused_with_what_is_here_instead() -> None:
    engine = FakeEngine()
    engine.lose_image(PINNED)
    with pytest.raises(ImageUnavailable) as caught:
        fetch(Images(engine, pinned={"python:3.12": PINNED}), "python:3.12")
    said = str(caught.value)
    assert f"the lock pins it to {PINNED}, which cannot be had (there is no such image)" in said
    assert "it is python:3.12@sha256:0000" in said
    assert "windlass lock --upgrade 'python:3.12'" in said


def test_a_local_image_that_was_built_anew_is_refused() -> None:
    with pytest.raises(ImageUnavailable, match=f"the lock pins it to {DIGEST}; it is mine:dev@sha256:0"):
        fetch(Images(FakeEngine(), pinned={"mine:dev": DIGEST}), "mine:dev")


def test_a_local_image_that_is_still_the_same_runs() -> None:
    class Host(FakeEngine):
        def fetch_image(self, reference: str, **_: object) -> ImageFacts:
            return ImageFacts(reference=reference, digest=DIGEST)

    assert fetch(Images(Host(), pinned={"mine:dev": DIGEST}), "mine:dev").digest == DIGEST


def test_an_image_of_a_registry_that_is_not_allowed_is_not_asked_for() -> None:
    engine = FakeEngine()
    images = Images(engine, registries=("ghcr.io/acme",))
    fetch(images, "ghcr.io/acme/train:1")
    with pytest.raises(ImageUnavailable, match=r"do not allow images from 'docker.io/library'"):
        fetch(images, "python:3.12")
    assert [call.subject for call in engine.calls] == ["ghcr.io/acme/train:1"]
