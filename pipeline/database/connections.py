"""Connections as the product needs them: durable SQLite, guarded PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

if TYPE_CHECKING:
    from pipeline.database.address import Address

#: The execution option with the statement that opens a transaction on SQLite ("": none).
BEGIN = "imagemill_begin"
#: What PostgreSQL calls our connections, unless they have a name of their own.
SESSION = "imagemill"
#: How long one statement waits for SQLite's only writer.
_BUSY_TIMEOUT_S = 30.0
#: A session that froze in the middle of a transaction holds its rows no longer than this.
_IDLE_IN_TRANSACTION_MS = 60_000
#: Nobody waits longer for a row that somebody else has locked; then it is tried again.
_LOCK_TIMEOUT_MS = 30_000


def make_engine(address: Address, session: str = SESSION) -> sa.Engine:
    """Return an engine for ``address``; it connects at first use.

    ``session`` is what PostgreSQL calls its connections (``application_name``). Its errors show
    no parameters: a signed URL is a secret.
    """
    return (
        _sqlite_engine(address)
        if address.dialect == "sqlite"
        else _postgres_engine(address, session)
    )


def _sqlite_engine(address: Address) -> sa.Engine:
    engine = sa.create_engine(
        address.url, hide_parameters=True, connect_args={"timeout": _BUSY_TIMEOUT_S}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transactions would begin late and without the lock; ours begin by BEGIN.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    statement = connection.get_execution_options().get(BEGIN, "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)


def _postgres_engine(address: Address, session: str) -> sa.Engine:
    wanted: dict[str, Any] = {"application_name": session, "connect_timeout": 10}
    given = address.url.query
    arguments = {name: value for name, value in wanted.items() if name not in given}
    engine = sa.create_engine(
        address.url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments
    )
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_postgres(connection: Any, _record: Any) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_IN_TRANSACTION_MS}")
    connection.execute(f"SET lock_timeout = {_LOCK_TIMEOUT_MS}")
    connection.commit()
