"""The schema. Alembic makes it (``migrations``); a test keeps the two equal."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pipeline.clock import Timestamp
from pipeline.uri_start import uri_start

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

#: SQLite keeps these by their key alone, as PostgreSQL's heap cannot: half the pages to write.
_CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}
_JSON = sa.JSON(none_as_null=True)

models = sa.Table(
    "models",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("precision", sa.Text, nullable=False),
    sa.Column("preprocessing", sa.Text, nullable=False),
    # Two label files for one weights file are two models: their answers read differently.
    sa.Column("labels_sha256", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.UniqueConstraint("sha256", "precision", "preprocessing", "labels_sha256"),
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model_id", sa.ForeignKey("models.id"), nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.UniqueConstraint("model_id", "index"),
    sa.UniqueConstraint("model_id", "label"),
    sa.Index("ix_labels_label", "label"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("public_id", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, unique=True),
    sa.Column("model_id", sa.ForeignKey("models.id"), nullable=False),
    sa.Column("options", _JSON, nullable=False),
    sa.Column("sources_hash", sa.Text, nullable=False),
    sa.Column("dispatch", sa.Text, nullable=False),
    sa.Column("priority", sa.Text, nullable=False),
    sa.Column("max_failure_rate", sa.Double),
    sa.Column("retries", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    # What a worker has to say about the job: a missing model, a missing folder.
    sa.Column("notice", sa.Text),
    # Counts are sums over chunks while a job runs; these are its books once it has ended.
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("succeeded", sa.Integer),
    sa.Column("failed", sa.Integer),
    sa.Column("cancelled", sa.Integer),
    sa.Column("histogram", _JSON),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("submitted_at", Timestamp),
    sa.Column("started_at", Timestamp),
    sa.Column("finished_at", Timestamp),
    sa.Column("reused", sa.Integer),
    # References that were left out at submission, since their answers were here already.
    sa.Column("skipped", sa.Integer, nullable=False, server_default="0"),
    # Images by the score of rank 1, in steps of 0.05; stored beside the histogram of the labels.
    sa.Column("scores", _JSON),
    # Images by failure code.
    sa.Column("failures", _JSON),
    sa.Index("ix_jobs_status", "status"),
    # A deleted job's id is never given again: a late message must not meet another job.
    sqlite_autoincrement=True,
)

images = sa.Table(
    "images",
    metadata,
    sa.Column("job_id", sa.Integer, primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True),
    sa.Column("uri", sa.Text, nullable=False),
    # A signed URL is longer than an index row may be, so its hash is indexed in its place.
    sa.Column("uri_hash", sa.BigInteger, nullable=False),
    sa.Column("custom_id", sa.Text),
    sa.Index("ix_images_uri_hash", "uri_hash"),
    sa.Index(
        "ix_images_custom_id",
        "custom_id",
        sqlite_where=sa.text("custom_id IS NOT NULL"),
        postgresql_where=sa.text("custom_id IS NOT NULL"),
    ),
    **_CLUSTERED,
)
# What a uri begins with, in a job; in the order in which a page of such images is read.
sa.Index("ix_images_uri", images.c.job_id, uri_start(images.c.uri), images.c.index)

chunks = sa.Table(
    "chunks",
    metadata,
    sa.Column("job_id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("first", sa.Integer, nullable=False),
    sa.Column("last", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("lost", sa.Integer, nullable=False, server_default="0"),
    sa.Column("solo", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("solo_lost", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_until", Timestamp),
    sa.Column("worker", sa.Text),
    sa.Column("sent_at", Timestamp),
    sa.Column("not_before", Timestamp),
    sa.Column("succeeded", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failed", sa.Integer, nullable=False, server_default="0"),
    # Provenance: how the chunk was made, by what, and where its time went.
    sa.Column("batch_sizes", _JSON),
    sa.Column("queue_wait_ms", sa.Double),
    sa.Column("read_ms", sa.Double),
    sa.Column("decode_ms", sa.Double),
    sa.Column("forward_ms", sa.Double),
    sa.Column("store_ms", sa.Double),
    sa.Column("engine", sa.Text),
    sa.Column("device", sa.Text),
    sa.Column("versions", _JSON),
    sa.Column("started_at", Timestamp),
    sa.Column("finished_at", Timestamp),
    # Of the succeeded: the images that took the answer of others with the same bytes.
    sa.Column("reused", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_chunks_state", "job_id", "state", "number"),
    sa.Index(
        "ix_chunks_lease",
        "lease_until",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    ),
    # What waits in the broker: few rows, whatever the size of a job.
    sa.Index(
        "ix_chunks_sent",
        "job_id",
        "sent_at",
        sqlite_where=sa.text("state = 'queued' AND sent_at IS NOT NULL"),
        postgresql_where=sa.text("state = 'queued' AND sent_at IS NOT NULL"),
    ),
    **_CLUSTERED,
)

# Whose turn it is to do what one worker at a time does: a lease by the database's clock.
turns = sa.Table(
    "turns",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("lease_until", Timestamp, nullable=False),
)

# Whom to tell of a job's end, and how that went.
webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("job_id", sa.Integer, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_at", Timestamp),
    sa.Column("reason", sa.Text),
    sa.Column("delivered_at", Timestamp),
    sa.Index(
        "ix_webhooks_next",
        "next_at",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    ),
)

# Who may use the HTTP interface: a token itself is known to its owner alone.
tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("sha256", sa.Text, nullable=False, unique=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
)

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("job_id", sa.Integer, primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True),
    sa.Column("model_id", sa.Integer, nullable=False),
    sa.Column("label_id", sa.Integer),
    sa.Column("score", sa.Double),
    sa.Column("code", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("size", sa.BigInteger),
    sa.Column("version", sa.Text),
    sa.Column("sha256", sa.LargeBinary),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    # Each holds what a page is ordered by, and all that a filter needs of a row.
    sa.Index("ix_outcomes_label", "label_id", "job_id", "index", "score"),
    sa.Index("ix_outcomes_job_label", "job_id", "label_id", "score", "index"),
    sa.Index("ix_outcomes_score", "job_id", "score", "index"),
    sa.Index(
        "ix_outcomes_failed",
        "job_id",
        "index",
        "code",
        sqlite_where=sa.text("code IS NOT NULL"),
        postgresql_where=sa.text("code IS NOT NULL"),
    ),
    sa.Index(
        "ix_outcomes_code",
        "job_id",
        "code",
        "index",
        sqlite_where=sa.text("code IS NOT NULL"),
        postgresql_where=sa.text("code IS NOT NULL"),
    ),
    sa.Index(
        "ix_outcomes_sha256",
        "sha256",
        "model_id",
        sqlite_where=sa.text("sha256 IS NOT NULL"),
        postgresql_where=sa.text("sha256 IS NOT NULL"),
    ),
    **_CLUSTERED,
)

predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("job_id", sa.Integer, primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True),
    sa.Column("rank", sa.Integer, primary_key=True),
    sa.Column("label_id", sa.Integer, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    **_CLUSTERED,
)
