"""Locks: one live run of a job on this machine, one producer of a name; none after a SIGKILL."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa

from pipeline.config import data_folder
from pipeline.database.database import Database
from pipeline.errors import JobError
from pipeline.storage.rows import uri_hash

#: How often a lock that somebody else has is tried again, in seconds.
_AGAIN_S = 0.2


@contextmanager
def hold_run(database: str, job: str) -> Iterator[None]:
    """Hold the run of ``job`` (its name or id) in the database of that address.

    Raises JobError when a live process on this machine holds it. The kernel lets go of it with
    the process, however that ends.
    """
    digest = hashlib.sha256(f"{database}\n{job}".encode()).hexdigest()[:32]
    with _open(data_folder() / "locks" / f"{digest}.lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise JobError(
                f"job {job!r} is being run by process {file.read().strip() or '?'}; "
                "wait for it, or stop it first"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def hold_name(database: Database, name: str, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the submission of the job ``name``: one producer at a time makes it.

    Waits for a producer that is at it, after a call of ``on_wait``. The lock goes with its holder,
    however that ends: on PostgreSQL with the session, else with the process on this machine.
    """
    holding = _advisory_lock if database.dialect == "postgresql" else _file_lock
    with holding(database, name) as is_taken:
        if not is_taken():
            on_wait()
            while not is_taken():
                time.sleep(_AGAIN_S)
        yield


@contextmanager
def _advisory_lock(database: Database, name: str) -> Iterator[Callable[[], bool]]:
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    take = sa.select(sa.func.pg_try_advisory_lock(uri_hash(f"imagemill submit {name}")))
    with database.translated(), engine.connect() as connection:
        try:
            yield lambda: bool(connection.scalar(take))
        finally:
            # Not back into the pool: the session itself holds the lock.
            connection.invalidate()


@contextmanager
def _file_lock(database: Database, name: str) -> Iterator[Callable[[], bool]]:
    digest = hashlib.sha256(f"{database.address}\nsubmit {name}".encode()).hexdigest()[:32]
    with _open(data_folder() / "locks" / f"{digest}.lock") as file:

        def take() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield take


def _open(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="ascii")
    except OSError as error:
        raise JobError(
            f"the folder {path.parent}, which runs are locked in, cannot be written "
            f"({error.strerror}); set XDG_DATA_HOME to one that can"
        ) from None
