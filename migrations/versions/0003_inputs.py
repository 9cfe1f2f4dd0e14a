"""Inputs: answers that were reused, references that were left out, and webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    none_yet = sa.Column("reused", sa.Integer(), nullable=False, server_default="0")
    op.add_column("chunks", none_yet)
    op.add_column("jobs", sa.Column("reused", sa.Integer()))
    op.add_column("jobs", sa.Column("skipped", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "webhooks",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_at", _MOMENT),
        sa.Column("reason", sa.Text()),
        sa.Column("delivered_at", _MOMENT),
        sa.PrimaryKeyConstraint("job_id", name="pk_webhooks"),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_webhooks_next",
        "webhooks",
        ["next_at"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
