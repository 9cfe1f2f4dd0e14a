"""What every test stands on: a clean environment, real databases, small jobs."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import settings
from postgres_server import get_pgserver
from psycopg import sql
from sqlalchemy import make_url

from pipeline.database.database import Database, open_database, upgrade_database
from pipeline.producer import submit
from pipeline.records import JobSpec, Model, Precision, Reference, StoredModel
from pipeline.storage.rows import save_model

# In the background of a script it would be ignored, by us and by every command that we start.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("imagemill", deadline=None, max_examples=40, database=None)
settings.load_profile("imagemill")

pytest_plugins = ["server_fixtures", "cluster_fixtures"]

#: Lends a fresh PostgreSQL database: its name and address.
MakePostgres = Callable[[], AbstractContextManager[tuple[str, str]]]

_FOLDER = Path(__file__).parent
_OTHER_SERVER = os.environ.get("IMAGEMILL_TEST_DATABASE_URL")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(item.path.relative_to(_FOLDER).parts[0])


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the user's settings, data and ``.env`` out; the working directory is empty."""
    for name in [name for name in os.environ if name.startswith("IMAGEMILL_")]:
        monkeypatch.delenv(name)
    # Measuring takes seconds, and gives what the built-in layout does well enough.
    monkeypatch.setenv("IMAGEMILL_TUNE", "false")
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("TORCH_HOME", str(home / "torch"))
    (home / "cwd").mkdir()
    monkeypatch.chdir(home / "cwd")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL server where databases may be made: ours, or a given one."""
    if _OTHER_SERVER:
        yield _OTHER_SERVER
        return
    # Short: the path of a Unix socket holds about a hundred characters.
    server = get_pgserver()(tempfile.mkdtemp(prefix="im", dir="/tmp"), cleanup_mode="delete")
    try:
        url = server.get_uri()
        with _admin(url) as admin:
            # Tests survive no power failure anyway.
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database that others are copied from."""
    with _new_postgres(postgres_url, None) as (name, url):
        upgrade_database(url)
        yield name


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str, postgres_template: str) -> MakePostgres:
    """A function that lends a fresh, migrated PostgreSQL database: its name and address."""
    return lambda: _new_postgres(postgres_url, postgres_template)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that others are copied from."""
    path = tmp_path_factory.mktemp("template") / "imagemill.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a fresh, migrated SQLite file."""
    path = shutil.copy(sqlite_template, tmp_path / "imagemill.db")
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a fresh, migrated database, of each kind in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    with request.getfixturevalue("migrated_postgres")() as (_, url):
        yield url


@pytest.fixture
def empty_postgres_url(postgres_url: str) -> Iterator[str]:
    """The address of a PostgreSQL database without any table."""
    with _new_postgres(postgres_url, None) as (_, url):
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated, open database, of each kind in turn."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@dataclass(frozen=True, slots=True)
class SmallJob:
    """A submitted job of a model with the labels ``label 0`` to ``label 9``."""

    id: int
    model: StoredModel
    spec: JobSpec


@pytest.fixture
def small_model() -> Model:
    """A model with ten labels."""
    labels = tuple(f"label {index}" for index in range(10))
    return Model("small", "5a" * 32, Precision.AUTO, "1", labels)


@pytest.fixture
def submit_small(small_model: Model) -> Callable[..., SmallJob]:
    """A function that submits a job: ``(database, images=10, chunk_size=4, name=None)``."""

    def submit_one(
        database: Database, images: int = 10, chunk_size: int = 4, name: str | None = None
    ) -> SmallJob:
        spec = JobSpec(name, small_model, {"weights": "small", "top_k": 3}, "hash", chunk_size)
        references = (Reference(f"/pictures/{n}.jpg", f"id-{n}") for n in range(images))
        job_id = submit(database, spec, references)
        with database.transaction() as connection:
            return SmallJob(job_id, save_model(connection, small_model), spec)

    return submit_one


class Faults:
    """Breaks the connection at a commit: nobody learns whether it landed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def at_next_commit(self, database: Database, *, landed: bool) -> None:
        """Break at the next commit, after it or before it."""
        self._break(database, landed, every=False)

    def at_every_commit(self, database: Database, *, landed: bool) -> None:
        """Break at the first try of every transaction, after its commit or before it."""
        self._break(database, landed, every=True)

    def _break(self, database: Database, landed: bool, every: bool) -> None:
        self._monkeypatch.undo()
        run, broken = database._run, list[object]()
        gone = sa.exc.DBAPIError("COMMIT", None, OSError("gone"), connection_invalidated=True)

        def run_and_break(work: Callable[[sa.Connection], Any], write: bool) -> Any:
            tried = any(work is one for one in broken)
            if not write or tried or (broken and not every):
                return run(work, write)
            broken.append(work)
            if landed:
                run(work, write)
                raise gone
            return run(lambda connection: _fail_after(work(connection), gone), write)

        self._monkeypatch.setattr(database, "_run", run_and_break)


def _fail_after(_: Any, error: Exception) -> None:
    raise error


@pytest.fixture
def faults() -> Iterator[Faults]:
    """Faults at commits that nobody learns the outcome of."""
    with pytest.MonkeyPatch.context() as patch:
        yield Faults(patch)


_numbers = count()


@contextmanager
def _new_postgres(server: str, template: str | None) -> Iterator[tuple[str, str]]:
    name = f"imagemill_{os.getpid()}_{next(_numbers)}"
    made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    with _admin(server) as admin:
        admin.execute(made)
    yield name, make_url(server).set(database=name).render_as_string(hide_password=False)
    with _admin(server) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _admin(server: str) -> Iterator[psycopg.Connection]:
    url = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
