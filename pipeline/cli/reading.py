"""A command's way into the database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from pipeline.database.database import Database


@contextmanager
def opened(database_url: str | None) -> Iterator[Database]:
    """Yield the database of the option or the settings, open; a file that is not there is made."""
    from pipeline.config import load_settings
    from pipeline.database.database import open_database

    database = open_database(load_settings(database_url=database_url).database_url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def existing(database_url: str | None) -> Iterator[Database]:
    """Yield the database, open; DatabaseError when it is a named file that is not there."""
    _check_there(database_url)
    with opened(database_url) as database:
        yield database


@contextmanager
def reading(database_url: str | None) -> Iterator[Connection]:
    """Yield a connection that reads; DatabaseError when there is no database to read."""
    with existing(database_url) as database, database.reading() as connection:
        yield connection


def _check_there(database_url: str | None) -> None:
    """Raise DatabaseError for a named SQLite file that is not there: to open it would make it."""
    from pipeline.config import default_database_url, load_settings
    from pipeline.database.database import check_schema

    url = load_settings(database_url=database_url).database_url
    if url.startswith("sqlite") and url != default_database_url():
        state = check_schema(url)
        if state.current is None:
            raise DatabaseError(
                f"there is no database at {state.address}; check its name, or make it with "
                "`imagemill run` or `imagemill db upgrade`"
            )
