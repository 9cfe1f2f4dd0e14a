"""The first schema: models, labels, jobs, images, chunks, outcomes, predictions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_models()
    _create_labels()
    _create_jobs()
    _create_images()
    _create_chunks()
    _create_outcomes()
    _create_predictions()


def _create_models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("preprocessing", sa.Text(), nullable=False),
        sa.Column("labels_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint(
            "sha256",
            "precision",
            "preprocessing",
            "labels_sha256",
            name="uq_models_sha256_precision_preprocessing_labels_sha256",
        ),
    )


def _create_labels() -> None:
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.UniqueConstraint("model_id", "index", name="uq_labels_model_id_index"),
        sa.UniqueConstraint("model_id", "label", name="uq_labels_model_id_label"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_labels_model_id"),
    )
    op.create_index("ix_labels_label", "labels", ["label"])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("sources_hash", sa.Text(), nullable=False),
        sa.Column("dispatch", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("max_failure_rate", sa.Double()),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("notice", sa.Text()),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("succeeded", sa.Integer()),
        sa.Column("failed", sa.Integer()),
        sa.Column("cancelled", sa.Integer()),
        sa.Column("histogram", sa.JSON()),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("submitted_at", _MOMENT),
        sa.Column("started_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("public_id", name="uq_jobs_public_id"),
        sa.UniqueConstraint("name", name="uq_jobs_name"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_jobs_model_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_status", "jobs", ["status"])


def _create_images() -> None:
    op.create_table(
        "images",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("uri_hash", sa.BigInteger(), nullable=False),
        sa.Column("custom_id", sa.Text()),
        sa.PrimaryKeyConstraint("job_id", "index", name="pk_images"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_images_uri_hash", "images", ["uri_hash"])
    _create_partial_index("ix_images_custom_id", "images", ["custom_id"], "custom_id IS NOT NULL")


def _create_chunks() -> None:
    op.create_table(
        "chunks",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("solo", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("solo_lost", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("retries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("lease_until", _MOMENT),
        sa.Column("worker", sa.Text()),
        sa.Column("sent_at", _MOMENT),
        sa.Column("not_before", _MOMENT),
        sa.Column("succeeded", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("batch_sizes", sa.JSON()),
        sa.Column("queue_wait_ms", sa.Double()),
        sa.Column("read_ms", sa.Double()),
        sa.Column("decode_ms", sa.Double()),
        sa.Column("forward_ms", sa.Double()),
        sa.Column("store_ms", sa.Double()),
        sa.Column("engine", sa.Text()),
        sa.Column("device", sa.Text()),
        sa.Column("versions", sa.JSON()),
        sa.Column("started_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_chunks"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_chunks_state", "chunks", ["job_id", "state", "number"])
    _create_partial_index("ix_chunks_lease", "chunks", ["lease_until"], "state = 'running'")


def _create_outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer()),
        sa.Column("score", sa.Double()),
        sa.Column("code", sa.Text()),
        sa.Column("message", sa.Text()),
        sa.Column("size", sa.BigInteger()),
        sa.Column("version", sa.Text()),
        sa.Column("sha256", sa.LargeBinary()),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.PrimaryKeyConstraint("job_id", "index", name="pk_outcomes"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_outcomes_job_label", "outcomes", ["job_id", "label_id", "score"])
    op.create_index("ix_outcomes_label", "outcomes", ["label_id", "score"])
    op.create_index("ix_outcomes_score", "outcomes", ["job_id", "score"])
    _create_partial_index("ix_outcomes_code", "outcomes", ["job_id", "code"], "code IS NOT NULL")
    _create_partial_index(
        "ix_outcomes_sha256", "outcomes", ["sha256", "model_id"], "sha256 IS NOT NULL"
    )


def _create_predictions() -> None:
    op.create_table(
        "predictions",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "index", "rank", name="pk_predictions"),
        sqlite_with_rowid=False,
    )


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    clause = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=clause, postgresql_where=clause)
