"""The making of networks and of sandboxes in a Docker engine. Used by `docker_lanes` and `docker_spares`."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass_registry.errors import OperatorError
from windlass_runner.engines import docker_sandbox
from windlass_runner.engines.docker_connection import DockerConnection, DockerRefusal

_OWN_POOL = ipaddress.IPv4Network("10.192.0.0/12")
"""Where we look for a /24 once Docker's own pools (about 30 networks by default) are used up."""
_TRIES = 32
_HOST_ROUTES = Path("/proc/net/route")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A paused container whose network others join."""

    container_id: str
    network: str


def make_network(connection: DockerConnection, name: str, labels: Mapping[str, str]) -> None:
    """A bridge network; does nothing where one of that name exists."""
    body = {"Name": name, "CheckDuplicate": True, "Driver": "bridge", "Labels": dict(labels)}
    try:
        connection.call("POST", "/networks/create", body=body)
    except DockerRefusal as exc:
        if exc.status == 409 and "already exists" in exc.message:
            return
        if not _is_out_of_addresses(exc):
            raise
        _make_network_of_our_pool(connection, name, body)


def create_sandbox(connection: DockerConnection, name: str, network: str, labels: Mapping[str, str]) -> str:
    """The id of a new sandbox, not started yet. Raises `DockerRefusal` (409) where the name is taken."""
    body = {
        "Image": docker_sandbox.IMAGE,
        "Hostname": "windlass",
        "Labels": dict(labels),
        "HostConfig": {
            "NetworkMode": network,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "LogConfig": {"Type": "none", "Config": {}},
        },
    }
    try:
        made = connection.call("POST", "/containers/create", query={"name": name}, body=body)
    except DockerRefusal as exc:
        if exc.status != 404 or docker_sandbox.IMAGE not in exc.message:
            raise
        _import_image(connection)
        made = connection.call("POST", "/containers/create", query={"name": name}, body=body)
    return str(made["Id"])


def _import_image(connection: DockerConnection) -> None:
    architecture = str(connection.call("GET", "/version")["Arch"])
    try:
        archive = docker_sandbox.image_archive(architecture)
    except KeyError as exc:
        raise OperatorError(
            f"the docker engine runs on '{architecture}', which Windlass has no sandbox for",
            remedy="use a host with amd64 or arm64, or the process engine",
        ) from exc
    repository, tag = docker_sandbox.IMAGE.split(":")
    changes = f'ENTRYPOINT ["{docker_sandbox.PROGRAM}"]'
    query = {"fromSrc": "-", "repo": repository, "tag": tag, "changes": changes}
    connection.call("POST", "/images/create", query=query, body=archive)


def _make_network_of_our_pool(connection: DockerConnection, name: str, body: Mapping[str, Any]) -> None:
    for subnet in free_subnets(name, taken=_routed_networks()):
        ipam = {"Driver": "default", "Config": [{"Subnet": str(subnet)}]}
        try:
            connection.call("POST", "/networks/create", body={**body, "IPAM": ipam})
        except DockerRefusal as exc:
            if exc.status == 409 and "already exists" in exc.message:
                return
            if not _is_out_of_addresses(exc):
                raise
        else:
            return
    raise OperatorError(
        f"no free addresses for the network '{name}'",
        remedy="remove networks that nobody uses (`docker network prune`), or give Docker more "
        "(`default-address-pools` in /etc/docker/daemon.json)",
    )


def free_subnets(name: str, *, taken: tuple[ipaddress.IPv4Network, ...]) -> Iterator[ipaddress.IPv4Network]:
    """Some /24 networks to try for `name`: the same for the same name, different for others, none
    that overlaps one that is `taken`."""
    count = 2 ** (24 - _OWN_POOL.prefixlen)
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    base = int(_OWN_POOL.network_address)
    for offset in range(_TRIES):
        address = base + ((start + offset * 97) % count) * 256
        subnet = ipaddress.IPv4Network((address, 24))
        if not any(subnet.overlaps(other) for other in taken):
            yield subnet


def _routed_networks() -> tuple[ipaddress.IPv4Network, ...]:
    """Networks that this host has a route to (a VPN, say); Docker checks only its own."""
    try:
        lines = _HOST_ROUTES.read_text().splitlines()[1:]
    except OSError:
        return ()
    routes = []
    for line in lines:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
        if mask:
            routes.append(ipaddress.IPv4Network((address & mask, mask.bit_count())))
    return tuple(routes)


def _is_out_of_addresses(exc: DockerRefusal) -> bool:
    return "non-overlapping IPv4 address pool" in exc.message or "Pool overlaps" in exc.message
