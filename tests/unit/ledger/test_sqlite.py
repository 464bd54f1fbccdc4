from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from unit.ledger.ledger_values import new_run
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.ledger import sqlite
from windlass_runner.ledger.errors import LedgerDamaged, LedgerFull, LedgerMissing, LedgerTooNew
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, JobUpdate, RunUpdate
from windlass_runner.ledger.schema import HEAD, metadata
from windlass_runner.ledger.sqlite import SqliteBackend
from windlass_runner.ledger.store import Store
from windlass_runner.ledger.versions import migrate

WRITER = """
import sys
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, JobUpdate
ledger = Ledger.open(sys.argv[1])
run_id, name, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
for n in range(count):
    ledger.runs.record(
        run_id,
        jobs=[JobUpdate(key=name, attempt=n)],
        events=[EventDraft(kind=name, data={"n": n})],
        at=float(n),
    )
    print(n, flush=True)
"""


def start_writer(address: str, run_id: str, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, address, run_id, name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def create(ledger: Ledger) -> str:
    run_id = ledger.runs.create(new_run(), at=1.0)
    assert run_id is not None
    return run_id


def test_a_ledger_is_its_owners_only_and_its_folders_are_made(ledger: Ledger, address: str) -> None:
    create(ledger)
    files = sorted(Path(address).parent.iterdir())
    assert [file.name for file in files] == ["ledger.db", "ledger.db-shm", "ledger.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_reopened_ledger_holds_what_was_written(address: str) -> None:
    with Ledger.open(address) as ledger:
        run_id = create(ledger)
    with Ledger.open(address, create=False) as ledger:
        assert ledger.runs.get(run_id).number == 1


def test_a_folder_name_with_strange_characters_is_only_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a b?c#d%e" / "ledger.db"
    with Ledger.open(path) as ledger:
        create(ledger)
    assert path.is_file()


def test_a_missing_ledger_is_not_made_where_that_was_not_asked(tmp_path: Path) -> None:
    with pytest.raises(LedgerMissing) as caught:
        Ledger.open(tmp_path / "no.db", create=False)
    assert "windlass serve" in str(caught.value.remedy)
    assert not (tmp_path / "no.db").exists()


def test_a_place_that_cannot_be_written_is_the_operators(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="cannot be made"):
        Ledger.open(tmp_path / "file" / "ledger.db")


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough" * 100, b"SQLite format 3\0" * 300]
)
def test_a_file_that_is_no_database_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(LedgerDamaged) as caught:
        Ledger.open(tmp_path / "ledger.db")
    assert caught.value.remedy
    assert (tmp_path / "ledger.db").read_bytes() == content


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "ledger.db")
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(LedgerDamaged, match="no ledger"):
        Ledger.open(tmp_path / "ledger.db")


def test_pages_that_went_bad_are_reported_as_damage(address: str) -> None:
    with Ledger.open(address) as ledger:
        for _ in range(50):
            create(ledger)
    content = bytearray(Path(address).read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    Path(address).write_bytes(content)

    def use() -> None:
        with Ledger.open(address) as ledger:
            ledger.runs.list()
            ledger.events.after(0)

    with pytest.raises(LedgerDamaged):
        use()


def test_a_ledger_of_a_later_version_is_refused(address: str) -> None:
    Ledger.open(address).close()
    _restamp(address, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerTooNew) as caught:
        Ledger.open(address)
    assert "9999" in str(caught.value)
    assert HEAD in str(caught.value)


def test_the_migrations_give_the_schema_of_a_new_ledger(tmp_path: Path, address: str) -> None:
    Ledger.open(address).close()
    migrated = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}", poolclass=NullPool)
    with migrated.begin() as connection:
        migrate(connection)
    made = create_engine(f"sqlite:///{address}", poolclass=NullPool)
    assert _schema(migrated) == _schema(made)
    assert set(inspect(made).get_table_names()) - {"sqlite_sequence"} == set(metadata.tables)


def test_what_lies_in_a_ledger_of_the_first_revision_stays(address: str) -> None:
    Path(address).parent.mkdir()
    first = create_engine(f"sqlite:///{address}", poolclass=NullPool)
    with first.begin() as connection:
        migrate(connection, revision="0001")
        connection.exec_driver_sql(
            "INSERT INTO requests (kind, payload, created_at) VALUES ('cancel', '{\"run_id\":\"r\"}', 1.0)"
        )
    with Ledger.open(address) as ledger:
        assert [request.payload for request in ledger.requests.take()] == [{"run_id": "r"}]
        assert ledger.tokens.list() == []


def test_an_older_ledger_is_migrated_when_it_is_opened(tmp_path: Path, address: str) -> None:
    Path(address).parent.mkdir()
    _restamp(address, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    with Ledger.open(address) as ledger:
        create(ledger)
    with Ledger.open(address) as ledger:
        assert len(ledger.runs.list()) == 1


def test_several_processes_make_one_ledger_at_once(address: str) -> None:
    script = "import sys; from windlass_runner.ledger.ledger import Ledger; Ledger.open(sys.argv[1]).close()"
    processes = [subprocess.Popen([sys.executable, "-c", script, address]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    Ledger.open(address).close()


def test_opening_imports_neither_alembic_nor_the_orm(address: str) -> None:
    script = (
        "import sys; from windlass_runner.ledger.ledger import Ledger; Ledger.open(sys.argv[1]).close();"
        "sys.exit(any(name in sys.modules for name in"
        " ('alembic', 'sqlalchemy.orm', 'sqlalchemy.ext', 'psycopg')))"
    )
    assert subprocess.run([sys.executable, "-c", script, address], check=False).returncode == 0
    assert subprocess.run([sys.executable, "-c", script, address], check=False).returncode == 0


def test_the_records_do_without_a_database() -> None:
    script = "import sys; import windlass_runner.ledger.records; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_two_processes_write_at_once_and_nothing_is_lost(ledger: Ledger, address: str) -> None:
    run_id = create(ledger)
    writers = [start_writer(address, run_id, name, 60) for name in ("prepare", "fit")]
    for n in range(60):
        ledger.runs.record(run_id, events=[EventDraft(kind="mine", data={"n": n})], at=2.0)
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    events = ledger.events.after(0)
    for name in ("prepare", "fit", "mine"):
        assert [event.data["n"] for event in events if event.kind == name] == list(range(60))
    assert [job.attempt for job in ledger.runs.jobs(run_id)] == [59, 59]


def test_a_killed_writer_leaves_all_that_it_committed_and_nothing_by_half(address: str) -> None:
    with Ledger.open(address) as ledger:
        run_id = create(ledger)
    for round in range(3):
        writer = start_writer(address, run_id, "fit", 100_000)
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(20 + 7 * round)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().splitlines()]
        writer.wait()
        writer.stdout.close()
        with Ledger.open(address) as ledger:
            attempt = ledger.runs.jobs(run_id)[1].attempt
            last = ledger.events.after(ledger.events.last() - 1)[0]
            assert attempt >= max(told)
            assert last.data["n"] == attempt
    with sqlite3.connect(address) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_ledger_held_by_another_process_is_tried_again_later(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    with Ledger.open(address) as ledger:
        run_id = create(ledger)
        holder = sqlite3.connect(address, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(UpstreamError) as caught:
            ledger.runs.record(run_id, run=RunUpdate(state="running"), at=2.0)
        assert caught.value.retry_after_s
        assert ledger.runs.get(run_id).state == "queued"
        holder.execute("ROLLBACK")
        holder.close()
        ledger.runs.record(run_id, run=RunUpdate(state="running"), at=2.0)
        assert ledger.runs.get(run_id).state == "running"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_the_operators_and_the_ledger_goes_on_when_there_is_space(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=True)
    try:
        with Ledger.open(disk / "ledger.db") as ledger:
            run_id = create(ledger)
            ballast = disk / "ballast"
            committed = _fill(ledger, run_id, ballast)
            assert [event.data.get("n") for event in ledger.events.after(0)][1:] == list(range(committed))
            assert ledger.runs.jobs(run_id)[0].attempt == max(0, committed - 1)
            ballast.unlink()
            ledger.runs.record(run_id, run=RunUpdate(state="success"), at=9.0)
            assert ledger.runs.get(run_id).state == "success"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _fill(ledger: Ledger, run_id: str, ballast: Path) -> int:
    """Fill the disk, then write until the ledger says so; how many writes went through."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    for n in range(1000):
        change = JobUpdate(key="prepare", attempt=n, summary="x" * 5000)
        draft = EventDraft(kind="n", data={"n": n})
        try:
            ledger.runs.record(run_id, jobs=[change], events=[draft], at=2.0)
        except LedgerFull:
            with pytest.raises(LedgerFull, match="free space"):
                ledger.runs.record(run_id, jobs=[change], at=2.0)
            return n
    raise AssertionError("the disk never was full")


def test_a_ledger_may_be_closed_twice_and_from_another_thread(address: str) -> None:
    ledger = Ledger.open(address)
    create(ledger)
    closer = threading.Thread(target=ledger.close)
    closer.start()
    closer.join()
    ledger.close()


def test_what_goes_on_while_a_ledger_is_closed_leaves_no_file_open(address: str) -> None:
    Ledger.open(address).close()
    store = Store(SqliteBackend(Path(address), create=False))
    with store.read() as reading:
        store.close()
        assert reading.exec_driver_sql("SELECT count(*) FROM runs").scalar_one() == 0
    assert _open_files(address) == []
    with store.read(), store.write():
        assert _open_files(address)
    assert _open_files(address) == []


def _open_files(address: str) -> list[str]:
    """Which of its files this process holds open."""
    targets = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [target for target in targets if target.startswith(address)]


def _restamp(address: str, statement: str) -> None:
    connection = sqlite3.connect(address, isolation_level=None)
    connection.execute(statement)
    connection.close()


def _schema(engine: Engine) -> dict[str, object]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master")).all()
    return {row.name: (row.type, row.tbl_name, "".join((row.sql or "").split())) for row in rows}
