"""The images that a build pulls are known before it begins."""

from __future__ import annotations

from windlass_runner.run.dockerfiles import base_images


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
