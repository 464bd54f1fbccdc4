"""Gates, the answers to them, and deployments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_JOB = ("run_id", "job_key")


def upgrade() -> None:
    op.create_table(
        "gates",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("job_key", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("approvers", sa.Text(), nullable=False),
        sa.Column("approvals", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("not_before", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(*_JOB),
        sa.ForeignKeyConstraint(_JOB, ["jobs.run_id", "jobs.key"], ondelete="CASCADE"),
    )
    op.create_table(
        "gate_answers",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("job_key", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("is_approval", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(*_JOB, "person"),
        sa.ForeignKeyConstraint(_JOB, ["gates.run_id", "gates.job_key"], ondelete="CASCADE"),
    )
    _create_deployments()


def _create_deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True
        ),
        *(sa.Column(name, sa.Text(), nullable=False) for name in (*_JOB, "environment", "repository")),
        sa.Column("ref", sa.Text(), nullable=True),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("sha", "workflow", "actor", "state", "reason")
        ),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("deployments_by_job", "deployments", [*_JOB], unique=True)
    op.create_index("deployments_by_place", "deployments", ["repository", "environment", "id"])
    op.create_index("deployments_by_commit", "deployments", ["repository", "sha"])
