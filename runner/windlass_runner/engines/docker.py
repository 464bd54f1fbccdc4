"""Containers in a Docker engine, one private network per run.

What costs time is done ahead or behind: a job's container joins the network of a sandbox that is
made once for its lane (`docker_lanes`), and is removed by another thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from windlass_registry.errors import OperatorError
from windlass_runner.engines import ownership
from windlass_runner.engines.base import (
    Container,
    ContainerSpec,
    EngineFacts,
    ImageBuild,
    ImageFacts,
    ImageUnavailable,
    Lane,
    PullProgress,
)
from windlass_runner.engines.docker_connection import DockerConnection, DockerRefusal
from windlass_runner.engines.docker_container import (
    HEALTH_LABEL,
    DockerContainer,
    creation_body,
    health_from_label,
    health_to_label,
)
from windlass_runner.engines.docker_images import DockerImages
from windlass_runner.engines.docker_lanes import DockerLanes
from windlass_runner.engines.docker_names import (
    LANE_LABEL,
    NAME_LABEL,
    OWNER_LABEL,
    RUN_LABEL,
    SPARE_LABEL,
    claimant,
    label_filter,
    listed_name,
    network_name,
    sandbox_name,
)
from windlass_runner.engines.docker_removal import DockerRemoval
from windlass_runner.engines.docker_spares import DockerSpares

_ANY_ADDRESS = str(IPv4Address(0))
_NO_CONTENT: frozenset[int] = frozenset({404, 409})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A container that is there now. `is_fresh`: it was not before."""

    id: str
    image: str
    is_fresh: bool


class DockerEngine:
    """See `base.Engine`.

    `environment` is where DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH are read (None: the usual
    socket). `owner` is a label on everything made here: with one, `present_runs` tells only
    of runs made under the same owner, so that two daemons on one engine leave each other's alone.

    `spare_lanes` sandboxes are kept ready for the first lanes of runs to come; `close` removes them.
    They need an `owner`, by whom those of a killed daemon are found again: one live engine for each owner.
    """

    name = "docker"

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        owner: str | None = None,
        spare_lanes: int = 0,
    ) -> None:
        self._connection = DockerConnection(environment or {})
        self._labels = {OWNER_LABEL: owner} if owner else {}
        self._images = DockerImages(self._connection)
        self._removal = DockerRemoval(self._connection)
        self._spares: DockerSpares | None = None
        if owner and spare_lanes:
            self._spares = DockerSpares(self._connection, self._removal, self._labels, count=spare_lanes)
        self._lanes = DockerLanes(self._connection, self._labels, spares=self._spares)

    def facts(self) -> EngineFacts:
        info = self._connection.call("GET", "/info")
        return EngineFacts(
            name=self.name,
            version=str(info["ServerVersion"]),
            isolation="container",
            cpus=int(info["NCPU"]),
            memory_bytes=int(info["MemTotal"]),
        )

    def fetch_image(
        self, reference: str, *, on_pull: Callable[[PullProgress], None] = lambda _progress: None
    ) -> ImageFacts:
        return self._images.fetch(reference, on_pull=on_pull)

    def find_image(self, reference: str) -> ImageFacts | None:
        return self._images.find(reference)

    def build_image(self, build: ImageBuild, *, on_line: Callable[[str | None], None]) -> ImageFacts:
        return self._images.build(build, on_line=on_line)

    def open_lane(self, run_id: str, lane: Lane) -> None:
        self._note_use()
        self._lanes.open(run_id, lane)

    def create(self, spec: ContainerSpec) -> Container:
        self._note_use()
        made = self._make(spec)
        return DockerContainer(
            self._connection,
            name=spec.name,
            image=made.image,
            container_id=made.id,
            health=spec.health,
            is_fresh=made.is_fresh,
            is_heard=spec.service_alias is None,
            make_again=lambda: self._make_again(spec),
            remove=self._remove,
        )

    def find(self, name: str) -> Container | None:
        found = self._look_up(name)
        labels = found["Config"]["Labels"] or {} if found else {}
        if found is None or RUN_LABEL not in labels:
            return None
        return DockerContainer(
            self._connection,
            name=name,
            image=found["Config"]["Image"],
            container_id=found["Id"],
            health=health_from_label(labels.get(HEALTH_LABEL)),
            is_fresh=False,
            is_heard=LANE_LABEL not in labels,
            make_again=None,
            remove=self._remove,
        )

    def serve_on(self, wanted: int) -> tuple[str, int]:
        return _ANY_ADDRESS, wanted

    def address_of(self, run_id: str, lane: Lane) -> str:
        return self._lanes.address(run_id, lane)

    def close_lane(self, run_id: str, lane: Lane) -> None:
        self._lanes.forget(run_id, lane)
        of_lane = label_filter(f"{RUN_LABEL}={run_id}", f"{LANE_LABEL}={lane.name}")
        claimed = self._lanes.claimed(run_id).get(sandbox_name(run_id, lane))
        ids = [item["Id"] for item in self._list_containers(of_lane)]
        self._removal.all([*ids, claimed.container_id] if claimed else ids)
        if lane.is_private:
            self._removal.network(network_name(run_id, lane))
        if claimed is not None:
            self._removal.network_if_unused(claimed.network)

    def destroy(self, run_id: str) -> None:
        of_run = label_filter(f"{RUN_LABEL}={run_id}")
        self._lanes.forget(run_id)
        claimed = self._lanes.claimed(run_id).values()
        ids = {item["Id"] for item in self._list_containers(of_run)}
        networks = self._connection.call("GET", "/networks", query={"filters": of_run})
        self._removal.all(ids | {sandbox.container_id for sandbox in claimed})
        for network in {item["Id"] for item in networks} | {sandbox.network for sandbox in claimed}:
            self._removal.network(network)

    def present_runs(self) -> frozenset[str]:
        of_owner = [f"{key}={value}" for key, value in self._labels.items()]
        filters = label_filter(RUN_LABEL, *of_owner)
        networks = self._connection.call("GET", "/networks", query={"filters": filters})
        labelled = [*self._list_containers(filters), *networks]
        spares = self._list_containers(label_filter(SPARE_LABEL, *of_owner))
        claimants = {claimant(listed_name(item)) for item in spares}
        return frozenset(item["Labels"][RUN_LABEL] for item in labelled) | frozenset(filter(None, claimants))

    def reclaim(self, paths: Sequence[Path], *, image: str) -> None:
        folders = [path for path in paths if path.exists()]
        if os.geteuid() == 0:
            for folder in folders:
                ownership.give_back(folder)
            return
        for folder in folders:
            if not ownership.is_all_mine(folder):
                self._give_back_as_root(folder, image)

    def close(self) -> None:
        if self._spares is not None:
            self._spares.close()
        self._removal.close()
        self._connection.close()

    def _note_use(self) -> None:
        if self._spares is not None:
            self._spares.note_use()

    # -- making ------------------------------------------------------------------------------

    def _labels_of(self, spec: ContainerSpec) -> dict[str, str]:
        labels = {**spec.labels, **self._labels, RUN_LABEL: spec.run_id, NAME_LABEL: spec.name}
        if spec.service_alias is not None:
            labels[LANE_LABEL] = spec.lane.name
        if spec.health is not None:
            labels[HEALTH_LABEL] = health_to_label(spec.health)
        return labels

    def _entrypoint(self, spec: ContainerSpec) -> tuple[str, ...] | None:
        """Docker takes an empty command as none given; only a named entrypoint keeps the image's out."""
        if spec.command == () and spec.entrypoint is None:
            return self._images.entrypoint(spec.image)
        return spec.entrypoint

    def _make(self, spec: ContainerSpec) -> _Made:
        """Make it in its lane. What this process remembers (image, sandbox) may be gone: then once more."""
        body = creation_body(spec, entrypoint=self._entrypoint(spec), labels=self._labels_of(spec))
        for is_last in (False, True):
            self._join_network(spec, body)
            try:
                made = self._connection.call(
                    "POST", "/containers/create", query={"name": spec.name}, body=body
                )
                return _Made(id=str(made["Id"]), image=spec.image, is_fresh=True)
            except DockerRefusal as exc:
                if exc.status == 409 and (adopted := self._adopt(spec)) is not None:
                    return adopted
                if is_last or exc.status not in _NO_CONTENT:
                    raise
                self._refresh(spec, exc)
        raise AssertionError("the second try returns or raises")

    def _make_again(self, spec: ContainerSpec) -> str:
        """Its sandbox is gone: make a new one, and the container anew in it."""
        self._lanes.forget(spec.run_id, spec.lane)
        self._removal.now(spec.name)
        return self._make(spec).id

    def _refresh(self, spec: ContainerSpec, exc: DockerRefusal) -> None:
        if "No such image" in exc.message or "no such image" in exc.message:
            self._images.fetch(spec.image)
        else:
            self._lanes.forget(spec.run_id, spec.lane)

    def _join_network(self, spec: ContainerSpec, body: dict[str, Any]) -> None:
        if spec.service_alias is None:
            sandbox = self._lanes.open(spec.run_id, spec.lane)
            body["HostConfig"]["NetworkMode"] = f"container:{sandbox.container_id}"
            return
        network = self._lanes.network(spec.run_id, spec.lane)
        body["HostConfig"]["NetworkMode"] = network
        endpoint = {network: {"Aliases": [spec.service_alias]}}
        body["NetworkingConfig"] = {"EndpointsConfig": endpoint}

    def _adopt(self, spec: ContainerSpec) -> _Made | None:
        """The container of that name made by an earlier life; None: it is just going."""
        found = self._look_up(spec.name)
        if found is None:
            return None
        if (found["Config"]["Labels"] or {}).get(RUN_LABEL) != spec.run_id:
            raise OperatorError(
                f"a container named '{spec.name}' exists and is not of run {spec.run_id}",
                remedy=f"remove it: `docker rm -f {spec.name}`",
            )
        return _Made(id=str(found["Id"]), image=str(found["Config"]["Image"]), is_fresh=False)

    # -- finding and removing ----------------------------------------------------------------

    def _look_up(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._connection.call("GET", f"/containers/{name}/json")
        except DockerRefusal as exc:
            if exc.status == 404:
                return None
            raise
        return found

    def _list_containers(self, filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._connection.call(
            "GET", "/containers/json", query={"all": 1, "filters": filters}
        )
        return found

    def _remove(self, container_id: str, wait: bool) -> None:
        if wait:
            self._removal.now(container_id)
        else:
            self._removal.behind(container_id)

    def _give_back_as_root(self, folder: Path, image: str) -> None:
        body = {
            "Image": image,
            "User": "0:0",
            "Entrypoint": ["chown", "-hR", f"{os.getuid()}:{os.getgid()}", "/reclaimed"],
            "Labels": {**self._labels, RUN_LABEL: f"reclaim-{os.getpid()}"},
            "HostConfig": {
                "NetworkMode": "none",
                "Mounts": [{"Type": "bind", "Source": str(folder.absolute()), "Target": "/reclaimed"}],
            },
        }
        try:
            container_id = self._connection.call("POST", "/containers/create", body=body)["Id"]
            try:
                self._connection.call("POST", f"/containers/{container_id}/start")
                answer = self._connection.call("POST", f"/containers/{container_id}/wait")
            finally:
                self._removal.now(container_id)
            failure = f"chown ended with {answer['StatusCode']}" if answer["StatusCode"] else None
        except (DockerRefusal, ImageUnavailable) as exc:
            failure = str(exc)
        if failure is not None:
            raise OperatorError(
                f"files under {folder} belong to another user and cannot be given back: {failure}",
                remedy=f"run `sudo chown -hR {os.getuid()}:{os.getgid()} {folder}`",
            )
