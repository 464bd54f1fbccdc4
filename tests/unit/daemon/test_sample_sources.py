"""Where the daemon looks samples up."""

from __future__ import annotations

from pathlib import Path

import registry_world
from integration.commands.sample_world import MANIFEST, WORKFLOW
from windlass_registry.archive import pack
from windlass_registry.catalog import Registry
from windlass_registry.sources.pinning import PinningSource
from windlass_runner.daemon.sample_sources import open_samples


def test_a_namespace_that_a_registry_claims_is_looked_up_there_alone(tmp_path: Path) -> None:
    tmp_path.joinpath("world").mkdir()
    world = registry_world.begin(tmp_path / "world")
    files = {"sample.yml": MANIFEST.format(version="1.0.0", agreement=""), "workflow.yaml": WORKFLOW}
    package = world.package("fit", **files)
    (package / "action.yml").unlink()
    world.publish("acme/fit", "1.0.0", archive=pack(package), kind="sample")

    def registry(name: str, *namespaces: str) -> Registry:
        source = PinningSource(lambda _root: world.source(name), pin=lambda: world.root)
        return Registry(name=name, source=source, namespaces=frozenset(namespaces) or None)

    nowhere = PinningSource(lambda _root: world.source("nowhere"), pin=lambda: None)
    builtin, own, open_one, *_ = open_samples(
        [registry("own", "acme"), registry("open"), Registry(name="away", source=nowhere)]
    )
    assert [str(one.version) for one in own.releases("acme/fit")] == ["1.0.0"]
    assert list(open_one.releases("acme/fit")) == []
    assert list(own.releases("other/fit")) == []
    assert list(own.releases("fit")) == []
    assert own.names() == ("acme/fit",)
    assert open_one.names() == ()
    assert builtin.releases("classify")
    assert [
        list(source.releases("b/c")) for source in open_samples([Registry(name="x", source=nowhere)])
    ] == [
        [],
        [],
    ]
