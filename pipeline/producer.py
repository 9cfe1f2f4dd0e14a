"""The producer: a stream of references becomes a job, whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline import tables
from pipeline.errors import DatabaseError, JobError, SourceError
from pipeline.ledger import complete
from pipeline.storage.deletion import delete_job
from pipeline.storage.rows import (
    add_images,
    create_job,
    make_public_id,
    mark_submitted,
    save_model,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.database.database import Database
    from pipeline.known.images import KnownImages
    from pipeline.records import JobSpec, Reference

#: Characters of a job's name at most.
_NAME_LENGTH = 100
#: Images that one transaction of a submission holds, about.
_PIECE = 50_000


def check_name(name: str) -> None:
    """Raise JobError unless ``name`` can be a job's name: short, and on one line."""
    if not (len(name.strip()) > 0 and len(name) <= _NAME_LENGTH and name.isprintable()):
        raise JobError(
            f"--name takes 1 to {_NAME_LENGTH} characters on one line, not {name[:40]!r}"
        )


def submit(
    database: Database,
    spec: JobSpec,
    references: Iterable[Reference],
    on_piece: Callable[[int], None] = lambda _: None,
    known: KnownImages | None = None,
) -> int:
    """Store a job with its images and chunks, piece by piece, and return its id.

    ``on_piece`` hears before every further piece how many images are stored. What is ``known`` is
    left out and counted; a job of which nothing is left is completed at once.
    Nothing of it can be claimed before the last piece is in. A half job of the same name, left by
    a producer that died, is replaced. If ``references`` raises, the half job is deleted and the
    exception goes out. Raises SourceError when there is no reference at all, JobError when the
    name is taken.
    """
    size = max(1, _PIECE // spec.chunk_size) * spec.chunk_size
    stream = known.leave_out(references) if known else iter(references)
    piece = list(islice(stream, size))
    if not piece and not _skipped(known):
        raise SourceError("no images at all; check the sources, --include and --exclude")
    following = list(islice(stream, size))
    if spec.name is not None:
        drop_half_job(database, spec.name)
    job_id = _create(database, spec, piece, None if following else _skipped(known))
    try:
        start = len(piece)
        while following:
            on_piece(start)
            piece, following = following, list(islice(stream, size))
            skipped = None if following else _skipped(known)
            database.attempt(partial(_add_piece, job_id, spec.chunk_size, start, piece, skipped))
            start += len(piece)
    except BaseException:
        # What broke the submission is the news; a half job that stays is replaced or deleted later.
        with suppress(DatabaseError):
            delete_job(database, job_id)
        raise
    if start == 0:
        complete(database, job_id)
    return job_id


def drop_half_job(database: Database, name: str) -> bool:
    """Delete the job ``name`` if its submission never ended; return whether there was one."""
    job = tables.jobs.c
    half = sa.select(job.id).where(job.name == name, job.submitted_at.is_(None))
    job_id = database.attempt(lambda connection: connection.scalar(half), write=False)
    if job_id is None:
        return False
    delete_job(database, job_id)
    return True


def _skipped(known: KnownImages | None) -> int:
    return known.skipped if known else 0


def _create(
    database: Database, spec: JobSpec, piece: Sequence[Reference], skipped: int | None
) -> int:
    public_id = make_public_id()
    same = sa.select(tables.jobs.c.id).where(tables.jobs.c.public_id == public_id)

    def work(connection: sa.Connection) -> int:
        landed: int | None = connection.scalar(same)
        if landed is not None:
            return landed
        model = save_model(connection, spec.model)
        job_id = create_job(connection, spec, model.id, public_id)
        _add_piece(job_id, spec.chunk_size, 0, piece, skipped, connection)
        return job_id

    return database.attempt(work)


def _add_piece(
    job_id: int,
    chunk_size: int,
    start: int,
    piece: Sequence[Reference],
    skipped: int | None,
    connection: sa.Connection,
) -> None:
    """Add a piece; with the last one, whose ``skipped`` is final, the job is submitted."""
    end = start + len(piece)
    job = tables.jobs
    # The job's row is lock and fence: ``total`` says how far the pieces have come.
    fence = sa.update(job).where(job.c.id == job_id, job.c.total == start)
    if connection.execute(fence.values(total=end)).rowcount:
        add_images(connection, job_id, chunk_size, start, piece)
        if skipped is not None:
            mark_submitted(connection, job_id, end, skipped)
    elif connection.scalar(sa.select(job.c.total).where(job.c.id == job_id)) != end:
        raise JobError(
            "the job was deleted, or replaced by another of its name, while it was being "
            "submitted; submit it again"
        )
