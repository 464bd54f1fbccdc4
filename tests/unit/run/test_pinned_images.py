"""An image that the lock pins is that image, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from windlass_runner.engines.base import (
    ImageBuild,
    ImageFacts,
    ImageNotBuilt,
    ImageUnavailable,
    PullProgress,
)
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


class Host(FakeEngine):
    """Every image of it is the same."""

    def find_image(self, reference: str) -> ImageFacts | None:
        super().find_image(reference)
        return (
            None if reference in self.host.missing_images else ImageFacts(reference=reference, digest=DIGEST)
        )


def test_a_local_image_that_is_still_the_same_runs() -> None:
    assert fetch(Images(Host(), pinned={"mine:dev": DIGEST}), "mine:dev").digest == DIGEST


def test_a_local_image_that_is_gone_is_not_looked_for_in_a_registry() -> None:
    engine = Host()
    engine.lose_image("mine:dev")
    with pytest.raises(ImageUnavailable, match="was built on one machine and is not on this one"):
        fetch(Images(engine, pinned={"mine:dev": DIGEST}), "mine:dev")
    assert [call.method for call in engine.calls] == ["find_image"]


def test_all_local_images_of_a_run_are_compared_before_the_first_is_given_out_and_once() -> None:
    engine = Host()
    pinned = {"mine:dev": DIGEST, "tool:1": PINNED, "last:1": DIGEST, "unused:1": DIGEST}
    images = Images(engine, pinned=pinned, named=lambda: ("tool:1", "mine:dev", "last:1", "free:1"))
    for name in ("tool:1", "mine:dev", "last:1", "tool:1"):
        fetch(images, name)
    assert [call.subject for call in engine.calls] == ["mine:dev", "last:1", PINNED]

    pinned |= {"last:1": "sha256:" + "b" * 64, "mine:dev": "sha256:" + "c" * 64}
    images = Images(Host(), pinned=pinned, named=lambda: ("tool:1", "mine:dev", "last:1"))
    for name in ("tool:1", "mine:dev"):
        with pytest.raises(ImageUnavailable, match="image 'mine:dev'") as caught:
            fetch(images, name)
        assert "nor are these what it pins: last:1" in str(caught.value)
        assert "windlass lock --upgrade 'mine:dev' 'last:1'" in str(caught.value)


def test_where_the_lock_is_required_what_it_does_not_pin_is_not_asked_for(tmp_path: Path) -> None:
    engine = FakeEngine()
    images = Images(engine, pinned={"python:3.12": PINNED}, unlocked="refuse")
    fetch(images, "python:3.12")
    fetch(images, f"other:1@{DIGEST}")
    with pytest.raises(ImageUnavailable, match=r"it is not in .*, and the settings"):
        fetch(images, "moving:1")
    (tmp_path / "Dockerfile").write_text("FROM moving:1\n")
    with pytest.raises(ImageNotBuilt, match="moving:1: it is not in"):
        images.build(recipe(tmp_path), on_line=lambda _line: None)
    assert [call.subject for call in engine.calls] == [PINNED, f"other:1@{DIGEST}"]


def recipe(folder: Path) -> ImageBuild:
    return ImageBuild(reference="windlass-action:x", what="it", context=folder, dockerfile="Dockerfile")


def test_an_image_is_built_from_its_bases_as_they_are_pinned(tmp_path: Path) -> None:
    text = "FROM python:3.12 AS python:3.12\nFROM free:1\nCOPY --from=python:3.12 / /\n"
    (tmp_path / "Dockerfile").write_text(text)
    built: list[ImageBuild] = []

    class Builder(FakeEngine):
        def build_image(self, build: ImageBuild, **more: Any) -> ImageFacts:
            built.append(build)
            return super().build_image(build, **more)

    for pin in (PINNED, f"python@sha256:{'b' * 64}"):
        Images(Builder(), pinned={"python:3.12": pin}).build(recipe(tmp_path), on_line=lambda _line: None)
    first, second = built
    assert (first.recipe or "").startswith(f"FROM {PINNED}")
    assert (first.recipe or "").endswith("\nFROM free:1\nCOPY --from=python:3.12 / /\n")
    assert first.reference != second.reference
    assert first.reference.startswith("windlass-action:x-")
    (tmp_path / "Dockerfile").write_text("FROM \\\n  python:3.12\n")
    with pytest.raises(
        ImageNotBuilt, match=r"its base python:3\.12, which the lock pins, is not named in one line"
    ):
        Images(Builder(), pinned={"python:3.12": PINNED}).build(recipe(tmp_path), on_line=lambda _line: None)


def test_an_image_of_a_registry_that_is_not_allowed_is_not_asked_for() -> None:
    engine = FakeEngine()
    images = Images(engine, registries=("ghcr.io/acme",))
    fetch(images, "ghcr.io/acme/train:1")
    with pytest.raises(ImageUnavailable, match=r"do not allow images from 'docker.io/library'"):
        fetch(images, "python:3.12")
    assert [call.subject for call in engine.calls] == ["ghcr.io/acme/train:1"]


def test_what_only_the_run_could_name_is_said_where_the_lock_lacks_it() -> None:
    images = Images(FakeEngine(), pinned={"a:1": PINNED}, unlocked="say", named=lambda: ("a:1", "b:1"))
    assert [images.remark(name) for name in ("a:1", "b:1", f"c@{DIGEST}")] == [None] * 3
    assert images.remark("c:1") == "the image c:1 is not in the lock: taken as it is now"
    assert Images(FakeEngine()).remark("c:1") is None
