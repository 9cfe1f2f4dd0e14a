"""The cluster: whose turn it is to sweep, and an index of the chunks that wait in the broker."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "turns",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("lease_until", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_turns"),
    )
    waiting = sa.text("state = 'queued' AND sent_at IS NOT NULL")
    op.create_index(
        "ix_chunks_sent",
        "chunks",
        ["job_id", "sent_at"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
