"""Redone work: what the faults cost in attempts that came to nothing."""

from __future__ import annotations

from dataclasses import dataclass

from storm.reader import Reader

#: By the ledger's token: a claim is one step, and what ends it another one. A chunk whose number
#: no submission gave is the child of one that was split, after two attempts.
_ATTEMPTS = """
SELECT coalesce(sum(CASE WHEN number >= planned THEN 2 * size ELSE 0 END), 0)
       + coalesce(sum(greatest(token / 2 - 1, 0) * size), 0),
       coalesce(sum(greatest(token / 2 - 1, 0)), 0),
       count(*) FILTER (WHERE number >= planned), count(*) FILTER (WHERE solo),
       count(*), coalesce(sum(size), 0)
FROM (SELECT number, token, solo, last - first + 1 AS size, total,
             (total + size_of - 1) / size_of AS planned
      FROM chunks JOIN jobs ON jobs.id = job_id,
      LATERAL (SELECT (options ->> 'chunk_size')::int AS size_of) AS o) AS c
"""
_CONDEMNED = "SELECT count(*) FROM outcomes WHERE code = 'worker_crashed'"


@dataclass(frozen=True, slots=True)
class Redone:
    """Counts of a whole storm."""

    images: int
    chunks: int
    #: Images whose chunk had to be made again after an attempt, counted once for each attempt.
    images_again: int
    attempts_again: int
    split_off: int
    solo: int
    condemned: int


def count_redone(reader: Reader) -> Redone:
    """Return what was done more than once; the database must be there."""
    found, condemned = reader.find(_ATTEMPTS), reader.find(_CONDEMNED)
    assert found
    assert condemned
    again, attempts, split_off, solo, chunks, images = map(int, found[0])
    return Redone(images, chunks, again, attempts, split_off, solo, condemned[0][0])
