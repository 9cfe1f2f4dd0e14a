"""A command's way into the database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from pipeline.database.database import Database


@contextmanager
def opened(database_url: str | None) -> Iterator[Database]:
    """Yield the database of the option or the settings, open."""
    from pipeline.config import load_settings
    from pipeline.database.database import open_database

    database = open_database(load_settings(database_url=database_url).database_url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def reading(database_url: str | None) -> Iterator[Connection]:
    """Yield a connection that reads."""
    with opened(database_url) as database, database.reading() as connection:
        yield connection
