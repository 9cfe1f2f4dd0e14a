"""The lock of a local run: one live run of a job on this machine, and none after a SIGKILL."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.config import data_folder
from pipeline.errors import JobError


@contextmanager
def hold_run(database: str, job: str) -> Iterator[None]:
    """Hold the run of ``job`` (its name or id) in the database of that address.

    Raises JobError when a live process on this machine holds it. The kernel lets go of it with
    the process, however that ends.
    """
    folder = data_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(f"{database}\n{job}".encode()).hexdigest()[:32]
    with (folder / f"{digest}.lock").open("a+", encoding="ascii") as file:
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
