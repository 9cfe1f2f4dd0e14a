"""A chunk as people read it: where it is in its life, and how it was made."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.cli.output import shown_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from pipeline.queries.chunks import ChunkRecord

#: The columns of ``chunk_row``.
HEADINGS = (
    "chunk", "images", "state", "succeeded", "failed", "batches", "wait ms",
    "read ms", "decode ms", "forward ms", "store ms", "engine", "device", "finished",
)  # fmt: skip
#: Those of them that are numbers.
NUMBERS = frozenset(
    {"chunk", "succeeded", "failed", "wait ms", "read ms", "decode ms", "forward ms", "store ms"}
)
_PAGE = 1000


def iterate_chunks(connection: Connection, job_id: int) -> Iterator[ChunkRecord]:
    """Yield a job's chunks by number."""
    from pipeline.queries.chunks import list_chunks

    after = -1
    while page := list_chunks(connection, job_id, limit=_PAGE, after=after):
        yield from page
        after = page[-1].number


def chunk_dict(chunk: ChunkRecord) -> dict[str, object]:
    """Return the chunk as ``jobs show --chunks --json`` prints it."""
    times = ("lease_until", "sent_at", "not_before", "started_at", "finished_at")
    moments = {name: getattr(chunk, name) for name in times}
    return asdict(chunk) | {name: at and at.isoformat() for name, at in moments.items()}


def chunk_row(chunk: ChunkRecord) -> list[str]:
    """Return the chunk's cells under ``HEADINGS``."""
    times = (
        chunk.queue_wait_ms,
        chunk.read_ms,
        chunk.decode_ms,
        chunk.forward_ms,
        chunk.store_ms,
    )
    return [
        str(chunk.number),
        f"{chunk.first}-{chunk.last}",
        str(chunk.state),
        str(chunk.succeeded),
        str(chunk.failed),
        " ".join(map(str, chunk.batch_sizes)),
        *("" if ms is None else f"{ms:,.1f}" for ms in times),
        chunk.engine or "",
        chunk.device or "",
        shown_time(chunk.finished_at),
    ]
