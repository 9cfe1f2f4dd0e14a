"""A connection that only reads, by the database's own driver: a loader process needs no more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What PostgreSQL shows for these connections.
SESSION = "imagemill-loader"
#: What a statement may take before the server itself ends it, in seconds; so do connections.
_STATEMENT_S = 2


class Connection(Protocol):
    """What both drivers have in common; every statement is a transaction of its own."""

    def execute(self, statement: str, parameters: Mapping[str, object], /) -> Any:
        """Run a statement with named parameters, and return its cursor."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Driver:
    """How to reach a database for reading, and the questions in its own words; can be pickled."""

    dialect: str
    arguments: Mapping[str, Any]
    same_bytes: str
    class_count: str

    @classmethod
    def to(cls, database_url: str) -> Driver:
        """Return the driver for an address; DatabaseError for one that cannot be read."""
        # Not above: a loader process gets this object ready, and does without SQLAlchemy.
        from sqlalchemy.dialects.postgresql import psycopg
        from sqlalchemy.dialects.sqlite import pysqlite

        from pipeline.database.address import read_address
        from pipeline.known import statements

        address = read_address(database_url)
        arguments: dict[str, Any] = {"database": str(address.path)}
        dialect: Any = pysqlite.dialect(paramstyle="named")
        if address.dialect == "postgresql":
            dialect = psycopg.dialect()  # type: ignore[no-untyped-call]
            arguments = dict(dialect.create_connect_args(address.url)[1])
        texts = (statements.same_bytes(), statements.class_count())
        return cls(address.dialect, arguments, *(str(s.compile(dialect=dialect)) for s in texts))

    def connect(self) -> Connection:
        """Open a connection that cannot write; raises what the driver raises."""
        return self._to_sqlite() if self.dialect == "sqlite" else self._to_postgresql()

    def _to_sqlite(self) -> Connection:
        import sqlite3

        address = Path(self.arguments["database"]).as_uri() + "?mode=ro"
        return sqlite3.connect(
            address, uri=True, timeout=1, isolation_level=None, check_same_thread=False
        )

    def _to_postgresql(self) -> Connection:
        import psycopg

        usual = {"application_name": SESSION, "connect_timeout": _STATEMENT_S}
        connection = psycopg.connect(**{**usual, **self.arguments}, autocommit=True)
        connection.execute("SET default_transaction_read_only = on")
        connection.execute(f"SET statement_timeout = '{_STATEMENT_S}s'")
        return connection
