"""The ledger's tables of gates and deployments; part of `schema`, and changed with a migration like it."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, ForeignKeyConstraint, Index, Integer, Table, Text
from sqlalchemy.types import BigInteger

from windlass_runner.ledger.schema import metadata

# A job stands at its gate for as long as the job's own state is `waiting`: nothing else says so.
gates = Table(
    "gates",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("job_key", Text, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("approvers", Text, nullable=False),
    Column("approvals", Integer, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("not_before", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    ForeignKeyConstraint(["run_id", "job_key"], ["jobs.run_id", "jobs.key"], ondelete="CASCADE"),
)

gate_answers = Table(
    "gate_answers",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("job_key", Text, primary_key=True),
    # The name as it is compared: forges do not tell `Ada` from `ada`.
    Column("person", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("is_approval", Boolean, nullable=False),
    Column("comment", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("at", Double, nullable=False),
    ForeignKeyConstraint(["run_id", "job_key"], ["gates.run_id", "gates.job_key"], ondelete="CASCADE"),
)

# Not bound to `runs`: what was deployed is known for longer than the run that did it.
deployments = Table(
    "deployments",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("run_id", Text, nullable=False),
    Column("job_key", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("repository", Text, nullable=False),
    Column("ref", Text),
    Column("sha", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("url", Text),
    Column("approved_by", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    sqlite_autoincrement=True,
)
Index("deployments_by_job", deployments.c.run_id, deployments.c.job_key, unique=True)
Index("deployments_by_place", deployments.c.repository, deployments.c.environment, deployments.c.id)
Index("deployments_by_commit", deployments.c.repository, deployments.c.sha)
