"""A daemon whose own registry keeps its files in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integration.actions.s3_server import Server, running_server
from integration.daemon.serving import Repository, Serving
from integration.registry.stored import faulty_way, move, settings_for
from registry_world import begin

USING = "on: push\njobs:\n  one:\n    image: windlass-test/none\n    steps: [{uses: acme/train@v1}]\n"


@pytest.fixture(scope="module")
def store() -> Iterator[Server]:
    with running_server() as server:
        server.check_who_asks(on=True)
        yield server


def test_it_runs_what_lies_there_and_says_when_the_store_is_away(
    tmp_path: Path, repository: Repository, serving: Serving, store: Server
) -> None:
    world = begin(tmp_path / "world", now=datetime.now(UTC))
    world.publish()
    with faulty_way(store) as way:
        settings = settings_for(store, tmp_path / "keys", prefix="daemon")
        move(world, replace(settings, endpoint=way.endpoint))
        (tmp_path / "store").mkdir(exist_ok=True)
        world.registry.folder.rename(tmp_path / "store" / "registry")
        way.spoil = lambda method, path: "away"
        serving.start()
        status, health = serving.health()
        (trouble,) = [text for text in health["problems"] if text.startswith("registry: ")]
        assert (status, health["status"]) == (200, "degraded")
        assert "does not answer" in trouble
        assert serving.request("GET", "/registry/api/v1/packages?q=")[0] == 503
        way.spoil = lambda method, path: ""
        assert not [text for text in serving.health()[1]["problems"] if text.startswith("registry: ")]
        assert serving.request("GET", "/registry/api/v1/packages?q=")[1]["count"] == 1
        sha = repository.push_workflow(USING)
        repository.wait_for_state(sha, "success")
    secret = store.keys["reader"][1]
    assert secret not in (tmp_path / "log").read_text()
