"""The database's clock: the only one that leases are measured by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class Timestamp(TypeDecorator[datetime]):
    """A moment in UTC: ``timestamptz`` on PostgreSQL, text that sorts by time on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Hand over UTC; SQLite stores it without an offset."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class from_now(FunctionElement[datetime]):  # noqa: N801 (reads as the SQL function it is)
    """The database's time, ``seconds`` from now; also inside a long transaction."""

    type = Timestamp()
    inherit_cache = True

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(sa.cast(sa.literal(float(seconds)), sa.Double))


@compiles(from_now, "sqlite")
def _sqlite(element: from_now, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', ({seconds}) || ' seconds') || '000'"


@compiles(from_now, "postgresql")
def _postgresql(element: from_now, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + make_interval(secs => {seconds}))"
