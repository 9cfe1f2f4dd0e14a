"""Finishing a chunk: its outcomes and its books in one transaction, the fence first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.ledger.columns import DONE, held, queued, same_chunk
from pipeline.storage.rows import save_outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.database.database import Database
    from pipeline.records import Claim, Outcome, Provenance, StoredModel

    _Row = sa.Row[*tuple[Any, ...]]

_chunk = tables.chunks.c


def finish(
    database: Database,
    claim: Claim,
    model: StoredModel,
    outcomes: Sequence[Outcome],
    provenance: Provenance,
    retry_in_s: float | None = None,
) -> bool:
    """Save what became of a claimed chunk's open images; False: the claim is no longer ours.

    One transaction, the fence first. Without ``retry_in_s`` the chunk is done, and every image
    of it must have its outcome; with it the images left open are queued again, in so many
    seconds. Running it twice writes once: after a commit of unknown outcome it is tried again.
    Raises AssertionError when outcomes and chunk do not fit: a bug, and nothing is written.
    """
    _check_indexes(claim, outcomes)
    failed = sum(outcome.failure is not None for outcome in outcomes)
    fenced = (
        sa.update(tables.chunks)
        .where(*held(claim))
        .values(
            succeeded=_chunk.succeeded + len(outcomes) - failed,
            failed=_chunk.failed + failed,
            reused=_chunk.reused + sum(outcome.reused for outcome in outcomes),
            **(_done() if retry_in_s is None else queued(retry_in_s, retries=_chunk.retries + 1)),
        )
        .returning(*tables.chunks.c)
    )

    def work(connection: sa.Connection) -> bool:
        started = time.perf_counter()
        row = connection.execute(fenced).one_or_none()
        if row is None:
            return False
        _check_counts(claim, row, done=retry_in_s is None)
        save_outcomes(connection, claim.job_id, model, outcomes)
        values = _provenance_of(row, provenance, (time.perf_counter() - started) * 1000)
        connection.execute(sa.update(tables.chunks).where(*same_chunk(claim)).values(values))
        return True

    return database.attempt(work)


def _done() -> dict[str, Any]:
    return {
        "state": DONE,
        "token": _chunk.token + 1,
        "lease_until": None,
        "finished_at": from_now(),
    }


def _check_indexes(claim: Claim, outcomes: Sequence[Outcome]) -> None:
    indexes = {outcome.index for outcome in outcomes}
    inside = all(claim.first <= index <= claim.last for index in indexes)
    if len(indexes) != len(outcomes) or not inside:
        raise AssertionError(f"outcomes of {sorted(indexes)} do not fit {claim}")


def _check_counts(claim: Claim, row: _Row, done: bool) -> None:
    left = claim.last - claim.first + 1 - row.succeeded - row.failed
    if left < 0 or (left == 0) != done:
        raise AssertionError(f"{claim} would be {row.state} with {left} open images")


def _provenance_of(row: _Row, made: Provenance, store_ms: float) -> dict[str, Any]:
    # A chunk that was retried is made in several rounds: its times add up.
    return {
        "batch_sizes": [*(row.batch_sizes or ()), *made.batch_sizes],
        "queue_wait_ms": max(row.queue_wait_ms or 0.0, made.queue_wait_ms),
        "read_ms": (row.read_ms or 0.0) + made.read_ms,
        "decode_ms": (row.decode_ms or 0.0) + made.decode_ms,
        "forward_ms": (row.forward_ms or 0.0) + made.forward_ms,
        "store_ms": (row.store_ms or 0.0) + store_ms,
        "engine": made.engine,
        "device": made.device,
        "versions": made.versions,
    }
