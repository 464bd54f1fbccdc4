"""Schedules: when what runs by the clock is due next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = ("repository", "workflow_path", "cron", "timezone")


def upgrade() -> None:
    op.create_table(
        "schedules",
        *(sa.Column(name, sa.Text(), nullable=False) for name in (*_KEY, "workflow", "policy")),
        sa.Column("deadline_s", sa.Double(), nullable=True),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("last_due_at", sa.Double(), nullable=True),
        sa.Column("last_run", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY),
    )
    op.create_index("schedules_by_due", "schedules", ["due_at"])
    op.create_table(
        "schedule_sources",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("repository", "ref", "sha")),
        sa.PrimaryKeyConstraint("repository"),
    )
