"""The page: tokens, a finished job by score and by failure, the least certain of a label first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("scores", sa.JSON(none_as_null=True)))
    op.add_column("jobs", sa.Column("failures", sa.JSON(none_as_null=True)))
    # A label's images by score: its count alone was all that the old index could answer.
    op.drop_index("ix_outcomes_job_label", table_name="outcomes")
    op.create_index("ix_outcomes_job_label", "outcomes", ["job_id", "label_id", "score", "index"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("name", name="uq_tokens_name"),
        sa.UniqueConstraint("sha256", name="uq_tokens_sha256"),
    )
