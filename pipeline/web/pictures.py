"""The thumbnail of an image that is stored, read with what its job may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from pipeline.queries.image import get_uri
from pipeline.queries.jobs import get_job_head

if TYPE_CHECKING:
    from pipeline.web.context import Context


async def load_thumbnail(context: Context, job: str, index: int) -> bytes:
    """Return ``get_thumbnail`` from threads of its own: its waits hold up no other route."""
    return await run_sync(get_thumbnail, context, job, index, limiter=context.threads)


def get_thumbnail(context: Context, job: str, index: int) -> bytes:
    """Return the thumbnail of an image (a JPEG) by its job's id or name and its index.

    What came over HTTP stays below the roots, whatever a link leads to by now. Raises JobError,
    and PictureError when it cannot be made.
    """
    with context.database.reading() as connection:
        head = get_job_head(connection, job)
        uri = get_uri(connection, head, index)
    is_bound = "roots" in head.options
    return (context.own_thumbnails if is_bound else context.thumbnails).get(uri)
