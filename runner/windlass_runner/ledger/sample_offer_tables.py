"""The ledger's table of offered sample releases; part of `schema`, and changed with a migration like it."""

from __future__ import annotations

from sqlalchemy import Column, Double, Table, Text

from windlass_runner.ledger.schema import metadata

# One release that is offered to one subscription of a repository: once, whatever becomes of it.
sample_offers = Table(
    "sample_offers",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("sample", Text, nullable=False),
    Column("old_version", Text, nullable=False),
    Column("branch", Text, nullable=False),
    # The commit on the branch; empty until it is made.
    Column("sha", Text, nullable=False),
    # `making` until it is where people see it, then `offered`; `left` to a person, who alone can decide.
    Column("state", Text, nullable=False),
    # Of the pull request; empty where there is none.
    Column("page", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Double, nullable=False),
)
