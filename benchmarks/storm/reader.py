"""The reader: plain SQL by a connection of its own, which survives the database's restarts."""

from __future__ import annotations

from typing import Any

import psycopg

#: What is read: rows of a query.
Rows = list[tuple[Any, ...]]


class Reader:
    """Reads from the database at ``url``; one thread at a time may use it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def find(self, query: str, *values: Any) -> Rows | None:
        """Return the rows of a query; None: the database is away."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
            return self._connection.execute(query.encode(), values or None).fetchall()
        except psycopg.OperationalError:
            self.close()
            return None

    def close(self) -> None:
        """Close the connection; the next question opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
