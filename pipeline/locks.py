"""The lock of a local run: one live run of a job on this machine, and none after a SIGKILL."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipeline.config import data_folder
from pipeline.errors import JobError


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


def _open(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="ascii")
    except OSError as error:
        raise JobError(
            f"the folder {path.parent}, which runs are locked in, cannot be written "
            f"({error.strerror}); set XDG_DATA_HOME to one that can"
        ) from None
