"""Which image a name means, asked of a real engine and a registry on this machine."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_registry import ImageRegistry
from windlass_registry.lock import ImagePin
from windlass_runner.engines.base import EngineUnavailable, ImageUnavailable
from windlass_runner.engines.docker_digests import DockerDigests

pytestmark = pytest.mark.docker
IMAGE = "windlass-test/busybox:1"


@pytest.fixture
def digests() -> Iterator[DockerDigests]:
    found = DockerDigests(os.environ)
    yield found
    found.close()


@pytest.fixture
def registry() -> Iterator[ImageRegistry]:
    with ImageRegistry(("unique", uuid.uuid4().bytes)) as found:
        found.open.set()
        yield found


def docker(*words: str) -> str:
    return subprocess.check_output(["docker", *words], text=True).strip()


def test_an_image_that_is_not_here_is_asked_of_its_registry_and_not_pulled(
    digests: DockerDigests, registry: ImageRegistry
) -> None:
    assert digests.look_up(registry.image).pin == ImagePin(digest=registry.digest)
    assert not registry.asked_for_layer.is_set()


def test_an_image_that_was_pulled_is_pinned_by_its_registrys_digest(
    digests: DockerDigests, registry: ImageRegistry
) -> None:
    docker("pull", "-q", registry.image)
    registry.manifest += b"\n"  # the tag has moved since
    assert digests.look_up(registry.image).pin == ImagePin(digest=_before(registry))
    assert digests.look_up(registry.image, is_newest=True).pin == ImagePin(digest=registry.digest)


def test_a_registry_that_does_not_answer_leaves_what_lies_here(
    digests: DockerDigests, registry: ImageRegistry
) -> None:
    docker("pull", "-q", registry.image)
    registry.close()
    found = digests.look_up(registry.image, is_newest=True)
    assert found.pin == ImagePin(digest=registry.digest)
    assert "its registry cannot be asked" in (found.note or "")


def test_an_image_that_was_built_here_is_pinned_by_its_id(digests: DockerDigests) -> None:
    found = digests.look_up(IMAGE, is_newest=True)
    assert found.pin == ImagePin(local_id=docker("image", "inspect", IMAGE, "--format", "{{.Id}}"))
    assert "only this machine has it" in (found.note or "")


def test_an_image_that_is_nowhere_is_said(digests: DockerDigests) -> None:
    with pytest.raises(ImageUnavailable):
        digests.look_up("127.0.0.1:9/windlass-test/nothing:1")


def test_an_engine_that_does_not_answer_is_the_owners_to_mend() -> None:
    with pytest.raises(EngineUnavailable):
        DockerDigests({"DOCKER_HOST": "unix:///nonexistent.sock"}).look_up(IMAGE)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_an_engine_that_says_nothing_is_not_waited_for_longer_than_asked(tmp_path: Path, kind: str) -> None:
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as silent:
        silent.bind(str(tmp_path / "s") if kind == "unix" else ("127.0.0.1", 0))
        silent.listen()
        name = silent.getsockname()
        address = f"unix://{name}" if kind == "unix" else f"tcp://{name[0]}:{name[1]}"
        digests = DockerDigests({"DOCKER_HOST": address}, limit_s=0.2)
        with pytest.raises(EngineUnavailable):
            digests.look_up(IMAGE)
        with pytest.raises(ImageUnavailable, match="there was no answer in time"):
            digests.look_up(IMAGE)


def test_a_registry_that_says_nothing_is_not_waited_for_longer_than_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        digests = DockerDigests(os.environ, limit_s=1)
        with pytest.raises(ImageUnavailable, match="its registry does not answer"):
            digests.look_up(f"127.0.0.1:{silent.getsockname()[1]}/windlass-test/nothing:1")
        digests.close()


def _before(registry: ImageRegistry) -> str:
    old = hashlib.sha256(registry.manifest.removesuffix(b"\n")).hexdigest()
    return f"{registry.image.removesuffix(':1')}@sha256:{old}"
