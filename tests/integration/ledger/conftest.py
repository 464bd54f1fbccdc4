from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from debian_packages import needed
from windlass_runner.ledger.ledger import Ledger

_NUMBERS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Server:
    """A private PostgreSQL, run as the user postgres (or as ourselves, where we are not root)."""

    programs: Path
    folder: Path
    port: int

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        # fsync: this data need not outlive the machine; synced, each start after `stop` takes up to minutes
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= -c fsync=off"
        )
        self.run(
            "pg_ctl",
            "-D",
            str(self.folder / "data"),
            "-l",
            str(self.folder / "log"),
            "-o",
            options,
            "-w",
            "start",
        )

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def new_database(self) -> str:
        name = f"ledger_{next(_NUMBERS)}"
        # file_copy: what is copied by way of the log is written again, database by database, after `stop`
        copied = ("--strategy=file_copy", "-h", "127.0.0.1", "-p", str(self.port), "-U", "windlass")
        self.run("createdb", *copied, name)
        return f"postgresql://windlass@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    programs = _programs()
    # Not under tmp_path: pytest keeps that to its own user, and root's server runs as another one.
    with tempfile.TemporaryDirectory(prefix="windlass-postgresql-") as name:
        if os.geteuid() == 0:
            shutil.chown(name, "postgres", "postgres")
        started = Server(programs=programs, folder=Path(name), port=_free_port())
        data = str(started.folder / "data")
        started.run("initdb", "-D", data, "-U", "windlass", "-A", "trust", "-E", "UTF8", "--no-sync")
        started.start()
        try:
            yield started
        finally:
            started.stop()


@pytest.fixture
def address(server: Server) -> str:
    return server.new_database()


@pytest.fixture
def ledger(address: str) -> Iterator[Ledger]:
    with Ledger.open(address) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[Ledger]:
    with Ledger.open(server.new_database()) as opened:
        yield opened


def _programs() -> Path:
    pytest.importorskip("psycopg") if "CI" not in os.environ else __import__("psycopg")
    return needed("postgresql", _installed)


def _installed() -> Path | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def _free_port() -> int:
    """A port that is free, and below those that the system gives to others meanwhile."""
    first, last = 25_432, 32_000
    offset = os.getpid() % (last - first)  # others who look at the same moment begin elsewhere
    for port in (*range(first + offset, last), *range(first, first + offset)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
