from __future__ import annotations

import ipaddress
import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.engines.base import ContainerSpec, EngineUnavailable, HealthCheck, Lane, Limits, Mount
from windlass_runner.engines.docker import DockerEngine
from windlass_runner.engines.docker_container import creation_body, health_from_label, health_to_label
from windlass_runner.engines.docker_images import split_reference
from windlass_runner.engines.docker_names import network_name, safe_name
from windlass_runner.engines.docker_networks import free_subnets


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("python", ("python", "latest")),
        ("python:3.11", ("python", "3.11")),
        ("host:5000/a/b", ("host:5000/a/b", "latest")),
        ("host:5000/a/b:1", ("host:5000/a/b", "1")),
        ("a/b@sha256:00ff", ("a/b", "sha256:00ff")),
    ],
)
def test_an_image_without_a_tag_means_latest_and_never_all(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts


@given(st.text(min_size=1, max_size=80))
def test_names_are_what_docker_takes(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", safe_name(text))


def test_names_differ_where_the_texts_differ() -> None:
    assert len({safe_name(text) for text in ("a b", "a/b", "a-b", "a--b")}) == 4


def test_only_private_lanes_have_a_network_of_their_own() -> None:
    shared = [network_name("r1", Lane(name=name)) for name in ("a", "b")]

    assert shared == ["windlass-r1", "windlass-r1"]
    assert network_name("r1", Lane(name="a", is_private=True)) == "windlass-r1-a"


def test_subnets_avoid_what_the_host_has_routes_to() -> None:
    taken = (ipaddress.IPv4Network("10.192.0.0/13"),)
    offered = list(free_subnets("windlass-r1", taken=taken))

    assert offered == list(free_subnets("windlass-r1", taken=taken))
    assert offered
    assert not any(one.overlaps(taken[0]) for one in offered)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(offered, 2))


def test_a_health_check_survives_as_a_label() -> None:
    check = HealthCheck(command='pg_isready -h "x"', interval_s=0.5, timeout_s=1, retries=3)

    assert health_from_label(health_to_label(check)) == check
    assert health_from_label(None) is None


SPEC = ContainerSpec(name="n", run_id="r", lane=Lane(name="l"), image="i")


def test_what_is_not_said_is_left_to_the_image() -> None:
    body = creation_body(SPEC, entrypoint=None, labels={})

    assert not {"Entrypoint", "Cmd", "WorkingDir"} & set(body)


def test_limits_and_mounts_become_the_engines_own_words() -> None:
    limits = Limits(cpus=1.5, memory_bytes=1 << 20, shm_bytes=2 << 20, gpu_ids=("GPU-1", "3"))
    mounts = (Mount(source=Path("/a:b"), target="/c", is_read_only=True),)
    host = creation_body(replace(SPEC, limits=limits, mounts=mounts), entrypoint=(), labels={})["HostConfig"]

    assert host["Init"] is True
    assert host["NanoCpus"] == 1_500_000_000
    assert host["Memory"] == host["MemorySwap"] == 1 << 20
    assert host["DeviceRequests"][0]["DeviceIDs"] == ["GPU-1", "3"]
    assert host["Mounts"] == [{"Type": "bind", "Source": "/a:b", "Target": "/c", "ReadOnly": True}]


def test_an_engine_that_is_not_there_is_unavailable_with_a_remedy(tmp_path: Path) -> None:
    engine = DockerEngine(environment={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    with pytest.raises(EngineUnavailable) as caught:
        engine.facts()
    engine.close()

    assert "systemctl start docker" in (caught.value.remedy or "")


def test_another_address_goes_by_the_sdk_and_is_unavailable_too() -> None:
    engine = DockerEngine(environment={"DOCKER_HOST": "tcp://127.0.0.1:1"})
    with pytest.raises(EngineUnavailable):
        engine.facts()
    engine.close()
