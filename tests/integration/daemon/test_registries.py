"""A daemon that runs what others published: in its own registry, and in one that its settings name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from integration.daemon.serving import Repository, Serving, configure
from registry_world import begin
from windlass_registry.archive import pack
from windlass_registry.layout import archive_path
from windlass_registry.trust.client import root_digest

USING = "on: push\njobs:\n  one:\n    image: windlass-test/none\n    steps: [{uses: acme/train@v1}]\n"


def test_what_others_published_runs_and_what_was_replaced_does_not(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    world = begin(tmp_path / "world", now=datetime.now(UTC))
    world.publish()
    settings = f"""
    [[registry]]
    url = "{world.registry.folder}"
    name = "others"
    root = "{root_digest(world.root)}"
    namespaces = ["acme"]
    """
    configure(tmp_path, repository, more=settings)
    serving.start()
    sha = repository.push_workflow(USING)
    repository.wait_for_state(sha, "success")

    world.now = datetime.now(UTC).replace(microsecond=0)
    newer = world.publish(version="1.1.0", archive=pack(world.package(more="x")))
    archive = world.registry.folder / archive_path(newer.digest)
    archive.write_bytes(b"x" * newer.size_bytes)
    serving.stop()  # or the newest state is asked for only after a while
    serving.start()
    sha = repository.push_workflow(USING)
    note = repository.wait_for_state(sha, "failure")
    assert "was replaced" in json.dumps(note)


def test_the_daemons_own_registry_is_used_as_soon_as_it_is_there(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    sha = repository.push_workflow(USING)
    note = repository.wait_for_state(sha, "failure")
    assert "unknown action 'acme/train@v1'" in json.dumps(note)
    world = begin(tmp_path / "world", now=datetime.now(UTC))
    world.publish()
    world.registry.folder.rename(tmp_path / "store" / "registry")
    sha = repository.push_workflow(USING)
    repository.wait_for_state(sha, "success")
