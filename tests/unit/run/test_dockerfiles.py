"""The images that a build pulls are known before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass_runner.engines.base import ImageBuild, ImageNotBuilt
from windlass_runner.run.dockerfiles import base_images
from windlass_runner.run.images import Images
from windlass_runner.testing import FakeEngine


def test_what_a_dockerfile_begins_with_is_told() -> None:
    assert base_images("ARG X=1\n# FROM no\nfrom alpine:3\nRUN true\n") == ("alpine:3",)


def test_stages_of_its_own_and_nothing_at_all_are_no_images() -> None:
    text = """
FROM --platform=linux/amd64 golang:1 AS build
FROM scratch
COPY --chown=1 --from=build /a /a
COPY --from=0 /b /b
COPY --from=quay.io/some/tool@sha256:00 /c /c
FROM Build
"""
    assert base_images(text) == ("golang:1", "quay.io/some/tool@sha256:00")


def test_a_line_that_goes_on_is_one() -> None:
    assert base_images("FROM \\\n  # a remark\n  example.org/$NAME:${TAG} \\\n  AS x\n") == (
        "example.org/$NAME:${TAG}",
    )


def test_what_may_not_be_pulled_may_not_come_in_by_a_build(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM ghcr.io/acme/base:1\nCOPY --from=evil.example.org/x /x /x\n")
    build = ImageBuild(reference="r:1", what="action 'a'", context=tmp_path, dockerfile="Dockerfile")
    engine = FakeEngine()
    refusing = Images(engine, registries=("ghcr.io/acme",))
    with pytest.raises(ImageNotBuilt, match=r"evil.example.org/x: the settings of this runner do not allow"):
        refusing.build(build, on_line=lambda _: None)
    assert engine.calls == ()
    allowing = Images(engine, registries=("ghcr.io/acme", "evil.example.org"))
    assert allowing.build(build, on_line=lambda _: None) == allowing.build(build, on_line=lambda _: None)
    assert [call.method for call in engine.calls] == ["build_image"]
