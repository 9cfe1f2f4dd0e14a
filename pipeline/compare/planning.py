"""What PostgreSQL's planner is told for a while; SQLite needs to be told nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import sqlalchemy as sa

#: Both jobs are read whole: sort or hash them, in so much memory for each step, the rest on disk.
#: Of a job that its statistics do not know yet it expects one row, and would read the whole job
#: again for every image of the other.
WHOLE_JOBS = {"enable_nestloop": "off", "work_mem": "32MB"}
#: A few images are looked up one by one: nothing is hashed or merged, which would read a job whole.
ONE_BY_ONE = {"enable_hashjoin": "off", "enable_mergejoin": "off"}


@contextmanager
def planned(conn: sa.Connection, settings: Mapping[str, str]) -> Iterator[None]:
    """Let PostgreSQL plan with these settings meanwhile; afterwards it does as before."""
    if conn.dialect.name != "postgresql":
        yield
        return
    conn.exec_driver_sql(";".join(f"SET LOCAL {name} = '{settings[name]}'" for name in settings))
    yield
    conn.exec_driver_sql(";".join(f"SET LOCAL {name} TO DEFAULT" for name in settings))
