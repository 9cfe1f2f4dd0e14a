"""Ten million finished images made by SQL: skewed labels, sorted folders, failures in a heap.

As in production nothing is spread evenly. A label's share goes from 10 % to 0.03 %; one job is
sorted by what its pictures show; in another a folder was missing, so its failures lie together.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.records import Dispatch, JobSpec, Model, Precision
from pipeline.storage.rows import create_job, mark_submitted, save_model, uri_hash

LABELS = 1000
CHUNK = 256
#: Shares of the images; the rest are small jobs.
_BIG, _SORTED, _BROKEN = 0.90, 0.05, 0.02
_SMALL_JOBS = 30
_BULK = ("images", "outcomes", "predictions")

_IMAGES = """
INSERT INTO images SELECT :job, n, :folder || lpad((n / 1000)::text, 5, '0') || '/'
    || lpad(n::text, 8, '0') || '.jpg', hashtextextended(:folder || n, 0), :own || n
FROM generate_series(0, :size - 1) n"""

_OUTCOMES = """
INSERT INTO outcomes
SELECT :job, n, :model, CASE WHEN code IS NULL THEN :first_label + label END,
    CASE WHEN code IS NULL THEN 1 - 0.98 * s * s END, code,
    CASE WHEN code IS NOT NULL THEN 'it is made up by the benchmark' END,
    (100000 * s)::bigint, '1700000000.' || n, sha256(int8send(n + 10000000000 * :job)), 500, 375
FROM (
    SELECT n, s, {label} AS label, CASE WHEN {failed} THEN
        (ARRAY['not_found', 'not_found', 'not_found', 'not_found', 'truncated', 'truncated',
            'decode_error', 'timeout', 'http_5xx'])[1 + floor(9 * c * c)]
        WHEN f < 0.01001 THEN 'model_error' END AS code
    FROM (SELECT n, random() r, random() s, random() c, random() f
        FROM generate_series(0, :size - 1) n OFFSET 0) drawn
    OFFSET 0) made"""
_SKEWED, _BY_POSITION = f"floor({LABELS} * r * r * r)::int", f"({LABELS} * n::bigint / :size)::int"
_SPREAD, _TOGETHER = "f < 0.01", "n BETWEEN 0.7 * :size AND 0.72 * :size"

_PREDICTIONS = f"""
INSERT INTO predictions
SELECT job_id, index, rank, :first_label + (label_id - :first_label + 37 * (rank - 1)) % {LABELS},
    score / 2 ^ (rank - 1)
FROM outcomes, generate_series(1, :top_k) rank WHERE job_id = :job AND label_id IS NOT NULL"""

_CHUNKS = f"""
INSERT INTO chunks (job_id, number, first, last, state, token, succeeded, failed, worker, sent_at,
    started_at, finished_at, batch_sizes, queue_wait_ms, forward_ms, engine, device, versions)
SELECT job_id, index / {CHUNK}, min(index), max(index), 'done', 2, count(label_id), count(code),
    'worker:1', now(), now(), now(), '{[16] * (CHUNK // 16)}', 20, 900, 'made', 'cpu',
    '{{"imagemill": "0.1.0", "torch": "2.0.0", "torchvision": "0.2.0", "pillow": "13.0.0"}}'
FROM outcomes WHERE job_id = :job GROUP BY 1, 2"""


@dataclass(frozen=True, slots=True)
class MadeJob:
    """A job whose every image is finished."""

    id: int
    name: str
    size: int
    folder: str
    own: str


def make_rows(database: Database, total: int, top_k: int = 5) -> list[MadeJob]:
    """Make the jobs with their rows, ``top_k`` predictions an image.

    The indexes are taken away meanwhile, and built again.
    """
    sizes = [int(total * share) for share in (_BIG, _SORTED, _BROKEN)]
    sizes += [(total - sum(sizes)) // _SMALL_JOBS] * _SMALL_JOBS
    restore = _drop_indexes(database)
    jobs = [_make_job(database, number, size, top_k) for number, size in enumerate(sizes)]
    for statement in restore:
        _execute(database, statement)
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.text("VACUUM (ANALYZE, FREEZE)"))
    # The big one goes on: its counts are sums over its chunks.
    for job in jobs[1:]:
        ledger.complete(database, job.id)
    return jobs


def draw_uris(database: Database, jobs: list[MadeJob], count: int) -> list[tuple[MadeJob, str]]:
    """Return uris that the product finds: its hash is none that SQL can compute."""
    drawn = []
    for job in random.choices(jobs[:4], k=count):
        index = random.randrange(job.size)
        uri = f"{job.folder}{index // 1000:05}/{index:08}.jpg"
        values = {"job": job.id, "index": index, "hash": uri_hash(uri)}
        hashed = "UPDATE images SET uri_hash = :hash WHERE job_id = :job AND index = :index"
        _execute(database, hashed, **values)
        drawn.append((job, uri))
    return drawn


def _make_job(database: Database, number: int, size: int, top_k: int) -> MadeJob:
    precision = Precision.FAST if number % 2 else Precision.AUTO
    labels = tuple(f"label {n}" for n in range(LABELS))
    model = Model("made", "5a" * 32, precision, "1", labels)
    spec = JobSpec(f"job-{number}", model, {"top_k": top_k}, "hash", CHUNK, Dispatch.BROKER)
    with database.transaction() as connection:
        stored = save_model(connection, model)
        job_id = create_job(connection, spec, stored.id)
        mark_submitted(connection, job_id, size)
    job = MadeJob(job_id, f"job-{number}", size, f"/data/shop-{number:02}/", f"sku-{number}-")
    values = {"job": job_id, "size": size, "folder": job.folder, "own": job.own}
    values |= {"model": stored.id, "first_label": stored.label_ids[0]}
    outcomes = _OUTCOMES.format(
        label=_BY_POSITION if number == 1 else _SKEWED, failed=_TOGETHER if number == 2 else _SPREAD
    )
    for statement in (_IMAGES, outcomes, _CHUNKS):
        _execute(database, statement, **values)
    _execute(database, _PREDICTIONS, job=job_id, first_label=stored.label_ids[0], top_k=top_k)
    return job


def _drop_indexes(database: Database) -> list[str]:
    """Drop keys and indexes of the bulk tables, and return the statements that bring them back."""
    keys = sa.text(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'p' AND conrelid::regclass::text = ANY(:tables)"
    )
    indexes = sa.text(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(:tables)"
        " AND indexname LIKE 'ix%'"
    )
    with database.transaction() as connection:
        found = connection.execute(keys, {"tables": list(_BULK)}).all()
        restore = [f"ALTER TABLE {t} ADD CONSTRAINT {name} {what}" for t, name, what in found]
        others = connection.execute(indexes, {"tables": list(_BULK)}).all()
        for table, name, _ in found:
            connection.execute(sa.text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
        for name, _ in others:
            connection.execute(sa.text(f"DROP INDEX {name}"))
    return restore + [statement for _, statement in others]


def _execute(database: Database, statement: str, **values: object) -> None:
    with database.transaction() as connection:
        connection.execute(sa.text(statement), values)
