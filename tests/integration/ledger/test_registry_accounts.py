"""What a registry's server keeps, in a real PostgreSQL, perhaps in the same database as the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import registry_world
from integration.commands.conftest import environment_for
from integration.commands.test_registry import Here
from integration.ledger.conftest import Server
from integration.registry.served import Served, serving
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_registry.server.accounts import Accounts, Fetched
from windlass_registry.server_publishing import ServerPublishing
from windlass_runner.ledger.ledger import Ledger

ONE = Fetched(name="acme/train", version="1.0.0", purpose="run", count=1)


@pytest.fixture
def accounts(address: str) -> Iterator[Accounts]:
    opened = Accounts.open(address)
    yield opened
    opened.close()


@pytest.fixture
def served(address: str, tmp_path: Path) -> Iterator[Served]:
    with serving(registry_world.begin(tmp_path), database=address) as found:
        yield found


def test_tokens_are_kept_and_end(accounts: Accounts) -> None:
    made, text = accounts.add_token("ci", namespace="acme", at=0.0, lifetime_s=10.0)
    found = accounts.token_of(text, at=9.0)
    assert found is not None
    assert (found.id, found.namespace, found.expires_at) == (made.id, "acme", 10.0)
    assert accounts.token_of(text, at=10.0) is None
    with pytest.raises(OperatorError, match="there is a token 'ci' already"):
        accounts.add_token("ci", namespace=None, at=0.0)
    accounts.revoke_token("ci")
    assert accounts.tokens() == ()


def test_two_servers_count_together(address: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        servers = list(threads.map(lambda _: Accounts.open(address), range(4)))
        list(threads.map(lambda place: servers[place % 4].count([ONE], day="2026-03-01"), range(40)))
    servers[0].count([ONE], day="2026-03-02")
    (found,) = servers[1].fetched("acme/train")
    assert found.count == 41
    for each in servers:
        each.close()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_ledger_may_lie_in_the_same_database(address: str, is_first: bool) -> None:
    if is_first:
        Accounts.open(address).close()
    with Ledger.open(address):
        opened = Accounts.open(address)
        assert opened.tokens() == ()
        opened.close()
    with Ledger.open(address):
        pass


def test_what_is_published_and_fetched_is_counted_there(served: Served) -> None:
    facts, publication = served.world.draft()
    ServerPublishing(served.address, token=served.token()).accept(publication)
    digest = facts.digest.removeprefix("sha256:")
    assert served.call(f"/packages/sha256/{digest[:2]}/{digest[2:]}.tar").status == 200
    assert served.call("/api/v1/packages/acme/train").json["downloads"] == 1


def test_without_its_database_a_registry_is_read_and_takes_nothing(served: Served, server: Server) -> None:
    token = served.token()
    facts, publication = served.world.draft()
    ServerPublishing(served.address, token=token).accept(publication)
    digest = facts.digest.removeprefix("sha256:")
    archive = f"/packages/sha256/{digest[:2]}/{digest[2:]}.tar"
    assert served.call(archive).status == 200
    server.stop()
    try:
        served.world.later(minutes=1)
        for path in (archive, "/", "/acme/train", "/api/v1/packages/acme/train"):
            assert served.call(path).status == 200, path
        refused = served.call("/api/v1/token", token=token)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert "does not answer" in refused.json["detail"]
    finally:
        server.start()
    served.world.later(minutes=1)
    assert served.call("/api/v1/token", token=token).status == 200
    assert served.call("/api/v1/packages/acme/train").json["downloads"] == 2


def test_a_database_that_does_not_answer_yet_is_tried_again(server: Server) -> None:
    address = server.new_database()
    server.stop()
    try:
        accounts = Accounts.open(address)
        with pytest.raises(UpstreamError, match="does not answer"):
            accounts.tokens()
    finally:
        server.start()
    assert accounts.tokens() == ()
    accounts.close()


def test_an_address_that_is_wrong_is_said_at_once_without_its_password(server: Server) -> None:
    nowhere = f"postgresql://windlass:hunter2@127.0.0.1:{server.port}/nowhere"
    with pytest.raises(OperatorError, match='"nowhere" does not exist') as caught:
        Accounts.open(nowhere)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(OperatorError, match="cannot be read"):
        Accounts.open("nonsense")


def test_tokens_are_made_where_the_daemon_looks_for_them(address: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    here = Here(root=home, environment=environment_for(home))
    (home / "windlass.toml").write_text(f'[storage]\npath = "{tmp_path}/store"\ndatabase = "{address}"\n')
    begun = here.windlass("registry", "init")
    assert begun.code == 0, begun.err
    made = here.windlass("registry", "token", "create", "ci", "--namespace", "acme")
    assert made.code == 0, made.err
    opened = Accounts.open(address)
    assert opened.token_of(made.out.strip(), at=0.0) is not None
    opened.close()
    (home / "windlass.toml").unlink()
    assert here.windlass("registry", "token", "list").out == ""
    assert "acme" in here.windlass("registry", "token", "list", "--database", address).out
    assert "acme" in here.windlass("registry", "token", "list", WINDLASS_REGISTRY_DATABASE=address).out
    wrong = here.windlass("registry", "token", "list", "--database", "mysql://x")
    assert (wrong.code, "must be a postgresql:// address" in wrong.err) == (3, True)
