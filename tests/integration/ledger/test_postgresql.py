"""Everything that is promised of a ledger, on a real PostgreSQL, and what is special there."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.pool import NullPool

from integration.ledger.conftest import Server
from unit.ledger import (
    test_boxes,
    test_events,
    test_refs,
    test_removal,
    test_runs,
    test_tokens,
    test_transactions,
)
from unit.ledger.ledger_values import new_run
from unit.ledger.test_sqlite import start_writer
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.ledger.errors import LedgerMissing, LedgerTooNew
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunUpdate
from windlass_runner.ledger.versions import migrate

for _module in (
    test_boxes,
    test_events,
    test_refs,
    test_removal,
    test_runs,
    test_tokens,
    test_transactions,
):
    globals().update({name: case for name, case in vars(_module).items() if name.startswith("test_")})


def test_the_migrations_give_the_schema_of_a_new_ledger(server: Server, address: str) -> None:
    Ledger.open(address).close()
    empty = server.new_database()
    with _engine(empty).begin() as connection:
        migrate(connection)
    assert _schema(empty) == _schema(address)


def test_a_ledger_of_a_later_version_is_refused(address: str) -> None:
    Ledger.open(address).close()
    with _engine(address).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerTooNew):
        Ledger.open(address)


def test_an_empty_database_stays_empty_where_no_ledger_is_to_be_made(address: str) -> None:
    with pytest.raises(LedgerMissing):
        Ledger.open(address, create=False)
    assert inspect(_engine(address)).get_table_names() == []


def test_several_processes_make_one_ledger_at_once(address: str) -> None:
    script = "import sys; from windlass_runner.ledger.ledger import Ledger; Ledger.open(sys.argv[1]).close()"
    processes = [subprocess.Popen([sys.executable, "-c", script, address]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]


def test_two_processes_write_at_once_and_a_reader_by_cursor_misses_nothing(
    ledger: Ledger, address: str
) -> None:
    run_id = ledger.runs.create(new_run(), at=1.0)
    assert run_id
    writers = [start_writer(address, run_id, name, 80) for name in ("prepare", "fit")]
    followed: list[int] = []
    seen = 0
    while len(followed) < 160:
        seen = ledger.wait_for_change(seen, 5.0)
        cursor = followed[-1] if followed else 1
        followed += [event.id for event in ledger.events.after(cursor)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert followed == [event.id for event in ledger.events.after(1)]


def test_a_killed_writer_leaves_all_that_it_committed(ledger: Ledger, address: str) -> None:
    run_id = ledger.runs.create(new_run(), at=1.0)
    assert run_id
    writer = start_writer(address, run_id, "fit", 100_000)
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(20)]
    writer.kill()
    told += [int(line) for line in writer.stdout.read().splitlines()]
    writer.wait()
    writer.stdout.close()
    ledger.runs.record(run_id, run=RunUpdate(state="failure"), at=9.0)
    attempt = ledger.runs.jobs(run_id)[1].attempt
    assert attempt >= max(told)
    assert ledger.events.after(ledger.events.last() - 1)[0].data["n"] == attempt


def test_the_ledger_goes_on_when_the_server_comes_back(server: Server, ledger: Ledger) -> None:
    run_id = ledger.runs.create(new_run(), at=1.0)
    assert run_id
    server.stop()
    try:
        with pytest.raises(UpstreamError) as caught:
            ledger.runs.record(run_id, run=RunUpdate(state="running"), at=2.0)
        assert caught.value.retry_after_s
        with pytest.raises(UpstreamError):
            ledger.runs.get(run_id)
    finally:
        server.start()
    ledger.runs.record(run_id, run=RunUpdate(state="running"), at=3.0)
    assert ledger.runs.get(run_id).state == "running"


def test_waiting_survives_the_servers_absence(server: Server, ledger: Ledger) -> None:
    seen = ledger.wait_for_change(-1, 0)
    server.stop()
    try:
        assert ledger.wait_for_change(seen, 0.3) >= seen
    finally:
        server.start()
    seen = ledger.wait_for_change(-1, 0.3)
    woken: list[int] = []
    thread = threading.Thread(target=lambda: woken.append(ledger.wait_for_change(seen, 60)))
    thread.start()
    ledger.outbox.mark("digits", "a", at=1.0)
    thread.join(timeout=30)
    assert woken


def test_a_database_that_is_not_there_is_the_operators(server: Server) -> None:
    with pytest.raises(OperatorError, match="does not exist") as caught:
        Ledger.open(f"postgresql://windlass@127.0.0.1:{server.port}/nowhere")
    assert caught.value.remedy


def test_a_password_never_stands_in_an_error() -> None:
    with pytest.raises(UpstreamError) as caught:
        Ledger.open("postgresql://windlass:hunter2@127.0.0.1:1/ledger")
    assert "hunter2" not in str(caught.value)


def _engine(address: str) -> Engine:
    return create_engine(address.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


def _schema(address: str) -> dict[str, object]:
    inspector = inspect(_engine(address))
    return {
        name: (
            [
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(name)
            ],
            inspector.get_pk_constraint(name),
            sorted(map(repr, inspector.get_indexes(name))),
            sorted(map(repr, inspector.get_foreign_keys(name))),
            sorted(map(repr, inspector.get_unique_constraints(name))),
        )
        for name in inspector.get_table_names()
    }
