"""The cluster: whose turn it is to sweep, and the indexes that many millions of images need."""

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
    waiting = "state = 'queued' AND sent_at IS NOT NULL"
    _create_partial_index("ix_chunks_sent", "chunks", ["job_id", "sent_at"], waiting)
    _index_images()
    _index_outcomes()
    if op.get_context().dialect.name == "sqlite":
        _describe_chunks()


def _index_images() -> None:
    start = "substr(uri, 1, 128)"
    if op.get_context().dialect.name == "postgresql":
        start = f'({start} COLLATE "C")'
    op.create_index("ix_images_uri", "images", ["job_id", sa.text(start), "index"])


def _index_outcomes() -> None:
    for name in ("job_label", "label", "score", "code"):
        op.drop_index(f"ix_outcomes_{name}", "outcomes")
    op.create_index("ix_outcomes_label", "outcomes", ["label_id", "job_id", "index", "score"])
    op.create_index("ix_outcomes_job_label", "outcomes", ["job_id", "label_id"])
    op.create_index("ix_outcomes_score", "outcomes", ["job_id", "score", "index"])
    has_failed = "code IS NOT NULL"
    for name, columns in {
        "ix_outcomes_failed": ["job_id", "index", "code"],
        "ix_outcomes_code": ["job_id", "code", "index"],
    }.items():
        _create_partial_index(name, "outcomes", columns, has_failed)


def _describe_chunks() -> None:
    """Tell SQLite, which keeps no statistics by itself, that a job has many chunks.

    It would look for the next one to claim by a walk over all that are done.
    """
    op.execute("ANALYZE turns")
    op.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'chunks'")
    op.execute(
        "INSERT INTO sqlite_stat1 VALUES ('chunks', 'chunks', '1000000 100000 1'),"
        " ('chunks', 'ix_chunks_state', '1000000 100000 1000 1')"
    )
    op.execute("ANALYZE sqlite_schema")  # Reads them.


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    clause = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=clause, postgresql_where=clause)
