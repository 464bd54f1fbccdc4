"""The owner of a served registry works from another machine: the keys are there, and the folder is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import registry_world
from integration.commands.conftest import Project, environment_for
from integration.commands.test_registry import Here
from integration.registry.served import Served, serving
from windlass_registry.trust.client import root_digest

TOKEN = "WINDLASS_REGISTRY_TOKEN"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(registry_world.begin(tmp_path / "world", now=datetime.now(UTC))) as found:
        yield found


@pytest.fixture
def owner(served: Served, tmp_path: Path) -> Project:
    """A machine with the owner's keys, which knows the registry by its address."""
    home = tmp_path / "home"
    (home / ".config" / "windlass").mkdir(parents=True)
    (home / ".config" / "windlass" / "keys").symlink_to(served.world.folder / "keys")
    here = Here(root=home, environment=environment_for(home))
    root = root_digest(served.world.root)
    added = here.windlass("registry", "add", served.address, "--root", root, "--name", "registry")
    assert added.code == 0, added.err
    return here


def grant(owner: Project, served: Served, namespace: str, **environment: str) -> tuple[int, str]:
    if not (owner.root / ".config/windlass/keys" / f"{namespace}.owner.pub").exists():
        served.world.keys.create(f"{namespace}.owner")
    key = str(owner.root / ".config/windlass/keys" / f"{namespace}.owner.pub")
    answer = owner.windlass("registry", "grant", namespace, "--key", key, "--verified", **environment)
    return answer.code, answer.err


def test_a_namespace_is_granted_over_http(served: Served, owner: Project) -> None:
    token = {TOKEN: served.token("owner", None)}
    assert grant(owner, served, "rival", **token)[0] == 0
    assert grant(owner, served, "third", **token)[0] == 0
    found = served.world.client(address=served.address).namespace("rival")
    assert found is not None
    assert found.badge == "verified"


def test_without_a_token_or_with_one_of_a_namespace_nothing_is_granted(
    served: Served, owner: Project
) -> None:
    code, told = grant(owner, served, "rival")
    assert (code, "no token for" in told) == (3, True)
    code, told = grant(owner, served, "rival", **{TOKEN: served.token()})
    assert (code, "is not for the registry's own roles" in told) == (3, True)
    assert "made without --namespace" in told
    assert served.world.client(address=served.address).namespace("rival") is None


def test_the_keys_of_the_registry_are_changed_over_http(served: Served, owner: Project) -> None:
    served.world.publish()
    token = {TOKEN: served.token("owner", None)}
    changed = owner.windlass("registry", "rekey", "--targets", "--root", "--json", **token)
    assert changed.code == 0, changed.err
    again = owner.windlass("registry", "rekey", **token)
    assert again.code == 0, again.err
    reader = served.world.client(address=served.address)
    reader.refresh()
    assert reader.own_roles.root.version == 3
    assert served.world.source(address=served.address).releases("acme/train")
    assert grant(owner, served, "rival", **token)[0] == 0


def test_the_key_of_the_server_is_changed_where_the_server_is(served: Served, owner: Project) -> None:
    refused = owner.windlass("registry", "rekey", "--online", **{TOKEN: served.token("owner", None)})
    assert refused.code == 3
    assert "where the registry's folder is" in refused.err


def test_a_root_that_the_one_before_has_not_signed_is_refused(served: Served) -> None:
    from windlass_registry.publication import Refused
    from windlass_registry.server_publishing import ServerPublishing

    strange = registry_world.begin(served.world.folder / "strange")
    sender = ServerPublishing(served.address, token=served.token("owner", None))
    with pytest.raises(Refused, match="not signed by the one before"):
        sender.change_root(strange.root, targets=None)
