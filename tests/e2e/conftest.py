"""The installed command as a user types it, and one finished job for all who only read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import COMMAND, Done, Run
from wheels import build_wheel, install_wheel

from pipeline.database.database import Database, open_database, upgrade_database

if TYPE_CHECKING:
    from conftest import SmallJob

#: No command of these tests may take longer, in seconds.
_TIMEOUT_S = 120
#: Nobody listens there.
_NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands run, with their home and their data in it."""
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="session")
def environment(folder: Path) -> dict[str, str]:
    """The environment of every command: this machine's, without its user's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("IMAGEMILL_")}
    names = ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TORCH_HOME")
    home = {name: str(folder / "home") for name in names} | {"IMAGEMILL_TUNE": "false"}
    url = f"sqlite:///{folder / 'imagemill.db'}"
    upgrade_database(url)  # A read of a database that is not there is refused.
    return kept | home | {"IMAGEMILL_DATABASE_URL": url}


@pytest.fixture(scope="session")
def imagemill(folder: Path, environment: dict[str, str]) -> Run:
    """A function that runs the command in ``folder``."""

    def run(*words: str | Path, stdin: str = "", **changed: str) -> Done:
        return subprocess.run(
            [COMMAND, *map(str, words)],
            input=stdin,
            cwd=folder,
            env=environment | changed,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def pictures(folder: Path) -> Path:
    """A folder of 30 drawn pictures and five broken files."""
    from workers.demo.drawing import write_broken_pictures, write_pictures

    write_pictures(folder / "pictures", count=30, seed=5)
    write_broken_pictures(folder / "pictures")
    return folder / "pictures"


@pytest.fixture(scope="session")
def finished(imagemill: Run, pictures: Path) -> Done:
    """The run of the job ``shapes`` over the pictures, in small chunks; it is in the database."""
    done = imagemill("run", pictures, "--name", "shapes", "--weights", "demo", "--chunk-size", "8")
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a new environment that holds the wheel; dependencies are those at hand."""
    return install_wheel(wheel, tmp_path_factory.mktemp("venv"))


@pytest.fixture
def own_database(sqlite_url: str) -> Iterator[Database]:
    """A fresh database that the test alone has, open."""
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def command(imagemill: Run, sqlite_url: str) -> Run:
    """The command on ``own_database``, without a broker."""
    return partial(imagemill, IMAGEMILL_DATABASE_URL=sqlite_url, IMAGEMILL_BROKER_URL=_NO_BROKER)


@pytest.fixture
def waiting_job(own_database: Database, submit_small: Callable[..., SmallJob]) -> SmallJob:
    """The job ``my job`` in ``own_database``: ten images in chunks of four, none begun."""
    return submit_small(own_database, name="my job")
