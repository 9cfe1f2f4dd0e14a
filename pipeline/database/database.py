"""The door to the database: open it, read, write, try again."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from migrations.revisions import HEAD
from pipeline.database import faults, schema
from pipeline.database.address import Address, read_address
from pipeline.database.connections import BEGIN, SESSION, make_engine
from pipeline.database.patience import patiently
from pipeline.database.schema import SchemaState
from pipeline.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

#: How long a thread stands in line to write; then it asks SQLite itself, in seconds.
_TURN_S = 30.0


class Database:
    """An open database: ``transaction()`` writes, ``reading()`` reads, ``attempt()`` retries."""

    def __init__(self, address: Address, session: str = SESSION) -> None:
        self._address = address
        self.engine = make_engine(address, session)
        self._writing = Lock()
        self._writer = self.engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})

    @property
    def dialect(self) -> str:
        """Return ``sqlite`` or ``postgresql``."""
        return self._address.dialect

    @property
    def address(self) -> str:
        """Return the address for messages: its password is masked."""
        return self._address.shown

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Yield a connection that writes: commit at the end, roll back on an exception.

        On SQLite this is BEGIN IMMEDIATE, the lock of the only writer.
        Raises DatabaseError when the service fails.
        """
        with self.translated(), self._turn(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection that reads; on SQLite it never blocks the writer.

        Raises DatabaseError when the service fails.
        """
        with self.translated(), self.engine.connect() as connection:
            yield connection

    def attempt(self, work: Callable[[sa.Connection], T], *, write: bool = True) -> T:
        """Run ``work`` in a transaction of its own, again after each fault that may pass.

        A commit of unknown outcome is tried again too, so ``work`` must be safe to repeat.
        ``write=False`` only reads. Raises DatabaseError after about a minute, or at once when
        waiting cannot help.
        """
        with self.translated():
            return patiently(lambda: self._run(work, write))

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what a broken service raises into a DatabaseError; bugs go out as they are."""
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            if faults.is_service_fault(error):
                raise faults.explain(error, self.address, self._address.secret) from error
            raise

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _run(self, work: Callable[[sa.Connection], T], write: bool) -> T:
        if not write:
            with self.engine.connect() as connection:
                return work(connection)
        with self._turn(), self._writer.begin() as connection:
            return work(connection)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # SQLite lets its writers poll, and starves some for seconds: ours stand in line instead.
        mine = self.dialect == "sqlite" and self._writing.acquire(timeout=_TURN_S)
        try:
            yield
        finally:
            if mine:
                self._writing.release()


def open_database(url: str, session: str = SESSION) -> Database:
    """Open the database at ``url``, with a schema that fits this code.

    ``session`` is the name that PostgreSQL shows for its connections.

    SQLite: makes the folder and the file, and upgrades an older file. PostgreSQL is upgraded by
    `imagemill db upgrade` alone. Raises DatabaseError in one sentence: unreachable, refused, no
    database, not writable, unknown kind, a schema that is missing, old or newer than this code.
    """
    database = _made(read_address(url), session)
    try:
        with database.translated():
            schema.ensure(database.engine, database.address)
    except BaseException:
        database.close()
        raise
    return database


def upgrade_database(url: str) -> None:
    """Bring the schema at ``url`` to this code's; safe when two processes do it at once.

    Raises DatabaseError as ``open_database`` does.
    """
    database = _made(read_address(url))
    try:
        with database.translated():
            schema.upgrade(database.engine, database.address)
    finally:
        database.close()


def check_schema(url: str) -> SchemaState:
    """Return the state of the schema at ``url``; changes nothing, and makes no file.

    Raises DatabaseError when the database cannot be read.
    """
    address = read_address(url)
    if address.dialect == "sqlite" and not address.path.exists():
        return SchemaState("sqlite", None, HEAD, address.shown)
    database = Database(address)
    try:
        with database.translated():
            return schema.read_state(database.engine, database.address)
    finally:
        database.close()


def _made(address: Address, session: str = SESSION) -> Database:
    if address.dialect == "sqlite":
        try:
            address.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"the folder of {address.shown} cannot be made ({error.strerror}); name another "
                "file with --database-url or IMAGEMILL_DATABASE_URL"
            ) from error
    return Database(address, session)
