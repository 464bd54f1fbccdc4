"""Which releases of samples were offered to whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEY = ("repository", "name", "version")


def upgrade() -> None:
    texts = (*_KEY, "sample", "old_version", "branch", "sha", "state", "page", "note")
    op.create_table(
        "sample_offers",
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY),
    )
