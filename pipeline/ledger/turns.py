"""Turns: what one worker at a time does is a lease, too; whoever freezes in it stops nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline import tables
from pipeline.clock import from_now

if TYPE_CHECKING:
    from pipeline.database.database import Database

_turn = tables.turns.c
#: The name under which workers open their sessions, so that a frozen one can be found.
WORKER_SESSION = "imagemill worker"


def take_turn(database: Database, name: str, worker: str, lease_s: float) -> bool:
    """Take the turn ``name`` for so long by the database's clock; False: another has it."""
    insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
    values = {"worker": worker, "lease_until": from_now(lease_s)}
    taken = insert(tables.turns).values(name=name, **values)
    free = sa.or_(_turn.lease_until < from_now(), _turn.worker == worker)
    taken = taken.on_conflict_do_update(index_elements=[_turn.name], set_=values, where=free)
    # Not its rowcount: PostgreSQL's driver does not tell it of an INSERT.
    mine = taken.returning(_turn.name)
    return database.attempt(lambda connection: connection.scalar(mine)) is not None


def end_frozen_sessions(database: Database, lease_s: float) -> int:
    """End the workers' sessions whose transaction outlived the lease; return how many.

    Such a transaction holds its rows, and PostgreSQL's own time-outs do not end one that stopped
    in the middle of a COPY. SQLite has no sessions.
    """
    if database.dialect != "postgresql":
        return 0
    ended = sa.text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = current_user"
        " AND application_name = :name AND pid <> pg_backend_pid()"
        " AND xact_start < clock_timestamp() - make_interval(secs => :lease_s)"
    ).bindparams(name=WORKER_SESSION, lease_s=float(lease_s))
    return database.attempt(lambda c: int(c.execute(ended).scalar_one()), write=False)
