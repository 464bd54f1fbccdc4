"""The ledger's tables of schedules; part of `schema`, and changed with a migration like it."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Table, Text

from windlass_runner.ledger.schema import metadata

# What a schedule is for its times: with another cron text or time zone it is another one.
schedules = Table(
    "schedules",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("workflow_path", Text, primary_key=True),
    Column("cron", Text, primary_key=True),
    Column("timezone", Text, primary_key=True),
    Column("workflow", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("deadline_s", Double),
    Column("due_at", Double, nullable=False),
    Column("last_due_at", Double),
    Column("last_run", Text),
    # What became of the last time that was due, where it was not a run.
    Column("note", Text, nullable=False),
)
Index("schedules_by_due", schedules.c.due_at)

# Of which commit the schedules of a repository were read.
schedule_sources = Table(
    "schedule_sources",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("ref", Text, nullable=False),
    Column("sha", Text, nullable=False),
)
