"""The state of a database's schema: which revision it is at, and whether that fits this code."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from migrations import revisions
from migrations.revisions import HEAD
from pipeline.database.connections import BEGIN
from pipeline.database.patience import patiently
from pipeline.errors import DatabaseError

#: Any number will do, if every upgrade of imagemill takes the same.
_UPGRADE_LOCK = 0x1A6E_0001


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The revision a database is at (None: no schema yet) and the one that this code needs."""

    dialect: str
    current: str | None
    head: str
    address: str

    @property
    def fits(self) -> bool:
        """Whether this code can work with the database as it is."""
        return self.current == self.head


def read_state(engine: sa.Engine, address: str) -> SchemaState:
    """Return the state of the schema; without Alembic, whose import is slow."""
    with engine.connect() as connection:
        current = _find_revision(connection)
    return SchemaState(engine.dialect.name, current, HEAD, address)


def ensure(engine: sa.Engine, address: str) -> None:
    """Make sure that the schema fits: SQLite upgrades itself, PostgreSQL is refused.

    Raises DatabaseError with the sentence for each misfit.
    """
    state = read_state(engine, address)
    if state.dialect == "sqlite":
        if not state.fits:
            upgrade(engine, address)
        patiently(lambda: _use_wal(engine))
        return
    _refuse_unknown(state.current, address)
    if not state.fits:
        what = "has no imagemill tables yet" if state.current is None else "has an older schema"
        raise DatabaseError(f"the database {address} {what}; run `imagemill db upgrade`")


def upgrade(engine: sa.Engine, address: str) -> None:
    """Bring the schema to this code's, all of it in one transaction.

    Raises DatabaseError when the database is newer than this code or another program's.
    """
    with engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        # Read under the lock: another process may have been faster.
        current = _find_revision(connection)
        _refuse_unknown(current, address)
        if current is None:
            _refuse_foreign(connection, address)
        if current != HEAD:
            revisions.upgrade(connection)


def _find_revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def _refuse_unknown(current: str | None, address: str) -> None:
    if current is not None and current not in revisions.REVISIONS:
        raise DatabaseError(
            f"the database {address} was made by a newer imagemill (its revision {current} is "
            "unknown here); install that version, or name another database"
        )


def _refuse_foreign(connection: sa.Connection, address: str) -> None:
    if connection.dialect.name == "sqlite" and sa.inspect(connection).get_table_names():
        raise DatabaseError(
            f"{address} holds the tables of another program; name another file with "
            "--database-url or IMAGEMILL_DATABASE_URL"
        )


def _use_wal(engine: sa.Engine) -> None:
    # Outside of any transaction; refused as "locked" while another process does the same.
    with engine.execution_options(**{BEGIN: ""}).connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
