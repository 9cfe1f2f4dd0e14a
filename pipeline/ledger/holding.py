"""Holding a chunk: its lease is renewed, it is given back, or the leases of the dead are freed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipeline import tables
from pipeline.clock import from_now
from pipeline.ledger.columns import RUNNING, held, queued
from pipeline.records import Claim

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.database.database import Database

_chunk = tables.chunks.c


def renew(database: Database, claims: Collection[Claim], lease_s: float) -> int:
    """Extend the leases of ``claims``, and return how many are still theirs."""
    if not claims:
        return 0
    renewed = sa.update(tables.chunks).where(*_are_held(claims))
    renewed = renewed.values(lease_until=from_now(lease_s))
    return database.attempt(lambda connection: connection.execute(renewed).rowcount)


def list_held(database: Database, claims: Collection[Claim]) -> set[Claim]:
    """Return those of ``claims`` that still hold their chunk."""
    if not claims:
        return set()
    look = sa.select(_chunk.job_id, _chunk.number, _chunk.token).where(*_are_held(claims))
    with database.reading() as connection:
        found = {tuple(row) for row in connection.execute(look)}
    return {claim for claim in claims if _key(claim) in found}


def give_back(database: Database, claim: Claim, retry_in_s: float = 0.0) -> bool:
    """Return a claimed chunk to the queue, undone; no loss, no retry. False: no longer ours."""
    returned = sa.update(tables.chunks).where(*held(claim)).values(queued(retry_in_s))
    return database.attempt(lambda connection: connection.execute(returned).rowcount) == 1


def free_leases(database: Database, job_id: int) -> int:
    """Return the running chunks of a dead local run to the queue; its late finish finds no row.

    Only for whoever holds the run's lock. Returns how many chunks were freed; no losses.
    """
    freed = sa.update(tables.chunks).where(_chunk.job_id == job_id, _chunk.state == RUNNING)
    freed = freed.values(queued())
    return database.attempt(lambda connection: connection.execute(freed).rowcount)


def _are_held(claims: Collection[Claim]) -> tuple[sa.ColumnElement[bool], ...]:
    keys = [_key(claim) for claim in claims]
    mine = sa.tuple_(_chunk.job_id, _chunk.number, _chunk.token).in_(keys)
    return (mine, _chunk.state == RUNNING)


def _key(claim: Claim) -> tuple[int, int, int]:
    return (claim.job_id, claim.number, claim.token)
