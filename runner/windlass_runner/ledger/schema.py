"""The ledger's tables, as they are at head. Changed together with a migration, never alone.

JSON is stored as text: the database never looks into it, and text is the same everywhere.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.event import listen
from sqlalchemy.types import BigInteger

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006")
"""All revisions that this program knows, oldest first."""
HEAD: Final = REVISIONS[-1]

metadata = MetaData()

# SQLite counts rows only under the name INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")

# Alembic's own, as it would make it.
version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, unique=True),
    Column("number", Integer, nullable=False),
    Column("repository", Text, nullable=False),
    Column("ref", Text),
    Column("sha", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("workflow_path", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("is_cancel_requested", Boolean, nullable=False),
    Column("rerun_of", Text),
    Column("concurrency_group", Text),
    Column("priority", Integer, nullable=False),
    Column("snapshot", Text),
)
Index("runs_by_state", runs.c.state, runs.c.id)
Index("runs_by_repository", runs.c.repository, runs.c.id)
Index("runs_by_workflow", runs.c.repository, runs.c.workflow, runs.c.id)
Index("runs_by_commit", runs.c.repository, runs.c.sha, runs.c.id)
Index("runs_by_origin", runs.c.rerun_of)

# What removed runs were for, so that nobody who tells of it again has it run again.
removed_runs = Table(
    "removed_runs",
    metadata,
    Column("key", Text, primary_key=True),
    Column("removed_at", Double, nullable=False),
)

# Apart from `runs`, so that a list of runs does not read over megabytes of plans.
run_documents = Table(
    "run_documents",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("plan", Text, nullable=False),
    Column("event", Text, nullable=False),
)

run_numbers = Table(
    "run_numbers",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("workflow", Text, primary_key=True),
    Column("last", Integer, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("needs", Text, nullable=False),
    Column("planned", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("outputs", Text, nullable=False),
    Column("metrics", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("annotations", Text, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("exit_code", BigInteger),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("job_key", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("lane", Text),
    Column("container", Text),
    Column("host", Text),
    Column("exit_code", BigInteger),
    Column("cause", Text),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("detail", Text),
    ForeignKeyConstraint(["run_id", "job_key"], ["jobs.run_id", "jobs.key"], ondelete="CASCADE"),
)

events = Table(
    "events",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("job_key", Text),
    Column("kind", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("data", Text, nullable=False),
    sqlite_autoincrement=True,
)
Index("events_by_run", events.c.run_id, events.c.id)

inbox = Table(
    "inbox",
    metadata,
    Column("position", _Serial, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("forge", Text, nullable=False),
    Column("repository", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("taken_at", Double),
    Column("tries", Integer, nullable=False),
    Column("handled_at", Double),
    Column("error", Text),
    sqlite_autoincrement=True,
)
_is_waiting = inbox.c.handled_at.is_(None)
_is_failed = inbox.c.error.is_not(None)
Index("inbox_waiting", inbox.c.position, sqlite_where=_is_waiting)
Index("inbox_failed", inbox.c.position, sqlite_where=_is_failed)

refs = Table(
    "refs",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("sha", Text, nullable=False),
    Column("moved_at", Double, nullable=False),
)

pushes = Table(
    "pushes",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("sha", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("noted_at", Double, nullable=False),
    # Set while the push is known but its predecessor is not: it came before it, out of order.
    Column("waits_for", Text),
)
_is_early = pushes.c.waits_for.is_not(None)
Index(
    "pushes_early",
    pushes.c.repository,
    pushes.c.ref,
    pushes.c.waits_for,
    sqlite_where=_is_early,
)

observations = Table(
    "observations",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("sha", Text, nullable=False),
    Column("read_at", Double, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("sha", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("marked_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("error", Text),
)
Index("outbox_by_due", outbox.c.due_at)

requests = Table(
    "requests",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("result", Text),
    # What makes it the same question where somebody asks again, not knowing whether it was heard.
    Column("key", Text),
    sqlite_autoincrement=True,
)
Index("requests_by_key", requests.c.key, unique=True)
_is_open = requests.c.result.is_(None)
Index("requests_open", requests.c.id, sqlite_where=_is_open)

# Of the text that a client shows only the digest is kept.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("digest", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("repositories", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("last_used_at", Double),
)


def _make_partial(_metadata: MetaData, connection: Connection, **_: Any) -> None:
    """An index that is partial in SQLite is so in PostgreSQL: said only now, because to say it loads that
    dialect, which takes longer than all else of this module."""
    if connection.dialect.name == "postgresql":
        for index in (index for table in metadata.tables.values() for index in table.indexes):
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


listen(metadata, "before_create", _make_partial)
