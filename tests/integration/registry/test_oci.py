"""A registry in an OCI registry: Debian's `docker-registry`, started here."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import registry_world
from debian_packages import needed
from registry_world import World
from windlass_registry.archive import pack
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_registry.hosting.oci_mirror import Pushed, push_folder
from windlass_registry.sources.oci import METADATA_TAG, METADATA_TYPE, Layer, OciRepository, release_tag
from windlass_registry.trust.client import TrustError

CONFIG = """\
version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:0"}}
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = needed("docker-registry", lambda: shutil.which("docker-registry"))
    folder = tmp_path_factory.mktemp("oci")
    (folder / "config.yml").write_text(CONFIG.format(folder=folder / "store"))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, "serve", str(folder / "config.yml")], stderr=log) as process,
    ):
        try:
            yield _host(folder / "log", process)
        finally:
            process.terminate()


def _host(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Where docker-registry listens, as it says itself once it does."""
    for _ in range(300):
        if said := re.search(r'msg="listening on ([0-9.]+:[1-9]\d*)"', log.read_text()):
            return said[1]
        assert process.poll() is None, "docker-registry ended"
        time.sleep(0.1)
    raise AssertionError("docker-registry does not listen")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return registry_world.begin(tmp_path)


@pytest.fixture
def address(host: str, request: pytest.FixtureRequest) -> str:
    return f"oci://{host}/team/{abs(hash(request.node.name)) % 10**8}"


def push(world: World, address: str) -> Pushed:
    releases = world.namespace().all_releases().values()
    return push_folder(
        world.folder / "registry", OciRepository(address), releases, told=lambda what, done, of: None
    )


def test_what_is_pushed_is_read_and_believed(world: World, address: str) -> None:
    facts = world.publish(version="1.0.0")
    assert push(world, address) == Pushed(packages=1, pushed=1)
    (release,) = world.source("far", address=address).releases("acme/train")
    assert release.digest == facts.digest
    assert release.load().manifest.name == "Train"


def test_only_what_is_new_is_pushed_and_readers_see_it(world: World, address: str) -> None:
    world.publish(version="1.0.0")
    push(world, address)
    source = world.source("far", address=address)
    assert [str(one.version) for one in source.releases("acme/train")] == ["1.0.0"]
    world.publish(version="1.1.0+cuda12", archive=pack(world.package(more="x")))
    assert push(world, address) == Pushed(packages=2, pushed=1)
    world.later(minutes=1)
    assert [str(one.version) for one in source.releases("acme/train")] == ["1.1.0+cuda12", "1.0.0"]


def test_a_release_is_an_artifact_that_other_tools_can_pull(
    world: World, address: str, tmp_path: Path
) -> None:
    facts = world.publish(version="1.2.0")
    push(world, address)
    layers = OciRepository(address).find(release_tag("acme/train", "1.2.0"))
    assert layers is not None
    assert layers["train.tar"]["digest"] == facts.digest
    content = b"".join(OciRepository(address).blob(facts.digest))
    (tmp_path / "train.tar").write_bytes(content)
    listed = subprocess.run(
        ["tar", "tf", str(tmp_path / "train.tar")], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == ["action.yml"]


def test_an_older_state_that_is_pushed_back_is_not_believed(world: World, address: str) -> None:
    world.publish(version="1.0.0")
    old = world.copy("old")
    world.publish(version="1.1.0")
    push(world, address)
    source = world.source("far", address=address)
    assert len(source.releases("acme/train")) == 2
    roles = sorted((old / "metadata").glob("*.json"))
    layers = [
        Layer(title=f"metadata/{role.name}", content=role.read_bytes(), media_type="application/json")
        for role in roles
    ]
    OciRepository(address).push(METADATA_TAG, layers, artifact_type=METADATA_TYPE, annotations={})
    world.later(minutes=1)
    with pytest.raises(TrustError):
        source.releases("acme/train")


def test_a_repository_without_a_registry_is_told_so(world: World, address: str) -> None:
    with pytest.raises((TrustError, UpstreamError)):
        world.source("far", address=address).releases("acme/train")


def test_a_host_that_does_not_answer_is_told_so(world: World) -> None:
    with socket.socket() as silent:  # nobody listens there, and nobody else can
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        with pytest.raises(UpstreamError, match="does not answer"):
            OciRepository(f"oci://127.0.0.1:{port}/team/x").find("metadata")


@pytest.mark.parametrize(
    "address", ["oci://", "oci://host", "oci://host/UPPER", "oci://host/a//b", "https://host/a"]
)
def test_what_is_no_repository_is_refused(address: str) -> None:
    with pytest.raises(OperatorError, match="no repository"):
        OciRepository(address)
