"""Many rows at once: COPY on PostgreSQL, executemany on SQLite; no object per row."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Row = tuple[Any, ...]


def insert_rows(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]
) -> None:
    """Insert ``rows``, tuples in the order of ``columns``, inside the caller's transaction.

    Values reach the driver as they are. There is no ON CONFLICT: a row that is already there is
    a bug, and raises.
    """
    if connection.dialect.name == "postgresql":
        _copy(connection, table, columns, rows)
        return
    listed = list(rows)
    if listed:
        connection.exec_driver_sql(_insert_statement(table, tuple(columns)), listed)


@lru_cache(maxsize=64)
def _insert_statement(table: sa.Table, columns: tuple[str, ...]) -> str:
    from sqlalchemy.dialects import sqlite

    values: dict[str, Any] = {name: sa.bindparam(f"value_{name}") for name in columns}
    return str(sa.insert(table).values(values).compile(dialect=sqlite.dialect()))


def _copy(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]
) -> None:
    import psycopg

    names = [psycopg.sql.Identifier(name) for name in columns]
    statement = psycopg.sql.SQL("COPY {} ({}) FROM STDIN").format(
        psycopg.sql.Identifier(table.name), psycopg.sql.SQL(", ").join(names)
    )
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # SQLAlchemy did not see this statement: tell it what it would have found out.
        if driver.closed:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance(
            statement.as_string(), None, error, psycopg.Error, connection_invalidated=driver.closed
        ) from error
