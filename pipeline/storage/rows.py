"""All writes beside the chunk's life: models, jobs, images, outcomes."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline import tables
from pipeline.clock import from_now
from pipeline.errors import JobError
from pipeline.records import JobStatus, StoredModel
from pipeline.storage.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.records import JobSpec, Model, Outcome, Reference
    from pipeline.storage.bulk import Row

_IMAGE_COLUMNS = ("job_id", "index", "uri", "uri_hash", "custom_id")
_CHUNK_COLUMNS = ("job_id", "number", "first", "last", "state", "token")
_OUTCOME_COLUMNS = (
    *("job_id", "index", "model_id", "label_id", "score", "code", "message"),
    *("size", "version", "sha256", "width", "height"),
)
#: What whoever locks a job gets to know of it.
_LOCKED = ("status", "submitted_at", "total", "name", "public_id", "max_failure_rate")
_PREDICTION_COLUMNS = ("job_id", "index", "rank", "label_id", "score")


def save_model(connection: sa.Connection, model: Model) -> StoredModel:
    """Return the stored model with this identity; store it, with its labels, if there is none."""
    model_id = find_model(connection, model)
    if model_id is None and _insert_model(connection, {"name": model.name, **_identity(model)}):
        model_id = connection.execute(_same_model(model)).scalar_one()
        rows = [(model_id, index, label) for index, label in enumerate(model.labels)]
        insert_rows(connection, tables.labels, ("model_id", "index", "label"), rows)
    # No row inserted: another session was faster, and has committed by now.
    found = model_id or connection.execute(_same_model(model)).scalar_one()
    return load_stored_model(connection, found)


def find_model(connection: sa.Connection, model: Model) -> int | None:
    """Return the id of the stored model with this identity; None: there is none."""
    found: int | None = connection.scalar(_same_model(model))
    return found


def load_stored_model(connection: sa.Connection, model_id: int) -> StoredModel:
    """Return the ids of a stored model and of its labels."""
    label = tables.labels.c
    ids = sa.select(label.id).where(label.model_id == model_id).order_by(label.index)
    return StoredModel(model_id, tuple(connection.scalars(ids)))


def lock_job(connection: sa.Connection, job_id: int) -> sa.Row[*tuple[Any, ...]] | None:
    """Lock a job's row until the transaction ends, and return it; None: there is no such job.

    A statement of its own, before any look at the chunks: READ COMMITTED then sees all that was
    committed while it waited. On SQLite BEGIN IMMEDIATE is the lock.
    """
    job = tables.jobs
    return connection.execute(
        sa.select(*(job.c[name] for name in _LOCKED)).where(job.c.id == job_id).with_for_update()
    ).one_or_none()


def create_job(
    connection: sa.Connection, spec: JobSpec, model_id: int, public_id: str | None = None
) -> int:
    """Insert a job that is not submitted yet, and return its id.

    Raises JobError when the name is taken.
    """
    values = {
        "public_id": public_id or make_public_id(),
        "name": spec.name,
        "model_id": model_id,
        "options": spec.options,
        "sources_hash": spec.sources_hash,
        "dispatch": str(spec.dispatch),
        "priority": str(spec.priority),
        "max_failure_rate": spec.max_failure_rate,
        "retries": spec.retries,
        "status": str(JobStatus.PENDING),
        "total": 0,
        "created_at": from_now(),
    }
    inserted = sa.insert(tables.jobs).values(values).returning(tables.jobs.c.id)
    try:
        job_id: int = connection.execute(inserted).scalar_one()
    except sa.exc.IntegrityError as error:
        if spec.name is None:
            raise
        raise JobError(
            f"a job named '{spec.name}' exists already; look at it with "
            f"`imagemill jobs show {spec.name}`, or take another name"
        ) from error
    return job_id


def make_public_id() -> str:
    """Return a new id for people: ``j`` and ten random letters and digits."""
    return "j" + base64.b32encode(secrets.token_bytes(7)).decode().lower()[:10]


def add_images(
    connection: sa.Connection,
    job_id: int,
    chunk_size: int,
    start: int,
    references: Sequence[Reference],
) -> None:
    """Insert images from index ``start`` (a multiple of ``chunk_size``) on, and their chunks.

    A chunk's ``last`` is the index of its last image, inclusive.
    """
    images = (
        _image_row(job_id, index, reference) for index, reference in enumerate(references, start)
    )
    insert_rows(connection, tables.images, _IMAGE_COLUMNS, images)
    end = start + len(references)
    chunks = (
        (job_id, first // chunk_size, first, min(first + chunk_size, end) - 1, "queued", 0)
        for first in range(start, end, chunk_size)
    )
    insert_rows(connection, tables.chunks, _CHUNK_COLUMNS, chunks)


def mark_submitted(connection: sa.Connection, job_id: int, total: int, skipped: int = 0) -> None:
    """Declare the job complete in the database: from now on its chunks may be claimed.

    ``skipped``: references that were left out, since they are known.
    """
    job = tables.jobs
    values = {"total": total, "skipped": skipped, "submitted_at": from_now()}
    connection.execute(sa.update(job).where(job.c.id == job_id).values(values))


def note_on_job(connection: sa.Connection, job_id: int, notice: str) -> None:
    """Let a job say what a worker lacks for it."""
    job = tables.jobs
    connection.execute(sa.update(job).where(job.c.id == job_id).values(notice=_storable(notice)))


def save_outcomes(
    connection: sa.Connection, job_id: int, model: StoredModel, outcomes: Sequence[Outcome]
) -> None:
    """Insert outcomes with their predictions; one that an image already has is a bug, and raises.

    Call it under the chunk's fence (``ledger.finish``).
    """
    rows = [_outcome_row(job_id, model, outcome) for outcome in outcomes]
    insert_rows(connection, tables.outcomes, _OUTCOME_COLUMNS, rows)
    predictions = [
        (job_id, outcome.index, rank, model.label_ids[score.index], score.score)
        for outcome in outcomes
        for rank, score in enumerate(outcome.scores, 1)
    ]
    insert_rows(connection, tables.predictions, _PREDICTION_COLUMNS, predictions)


def uri_hash(uri: str) -> int:
    """Return a stable signed 64-bit hash of a uri (BLAKE2b)."""
    digest = hashlib.blake2b(uri.encode("utf-8", "backslashreplace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _same_model(model: Model) -> sa.Select[Any]:
    return sa.select(tables.models.c.id).filter_by(**_identity(model))


def _identity(model: Model) -> dict[str, str]:
    return {
        "sha256": model.sha256,
        "precision": str(model.precision),
        "preprocessing": model.preprocessing,
        "labels_sha256": hashlib.sha256(json.dumps(model.labels).encode()).hexdigest(),
    }


def _insert_model(connection: sa.Connection, values: dict[str, str]) -> bool:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(tables.models).values(**values, created_at=from_now())
    returned = connection.execute(statement.on_conflict_do_nothing().returning(tables.models.c.id))
    return returned.first() is not None


def _image_row(job_id: int, index: int, reference: Reference) -> Row:
    uri = _storable(reference.uri)
    custom_id = reference.custom_id and _storable(reference.custom_id)
    return (job_id, index, uri, uri_hash(uri), custom_id)


def _outcome_row(job_id: int, model: StoredModel, outcome: Outcome) -> Row:
    best = outcome.scores[0] if outcome.scores else None
    failure, facts = outcome.failure, outcome.facts
    return (
        *(job_id, outcome.index, model.id),
        *((model.label_ids[best.index], best.score) if best else (None, None)),
        *((str(failure.code), _storable(failure.message)) if failure else (None, None)),
        *(facts.size, facts.version and _storable(facts.version), facts.sha256),
        *(facts.width, facts.height),
    )


def _storable(text: str) -> str:
    # PostgreSQL takes neither NUL nor half a surrogate pair; no text may cost a chunk its commit.
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
