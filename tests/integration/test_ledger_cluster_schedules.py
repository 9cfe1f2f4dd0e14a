"""Any schedule of faults in a cluster keeps the promises of the ledger."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from schedules import Schedule
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from shaky_database import ShakyDatabase

from pipeline.database import patience


@pytest.fixture
def shaky(
    database_url: str, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ShakyDatabase]:
    """A database whose commits break, of each kind in turn."""
    monkeypatch.setattr(patience, "PAUSES_S", (0.0,))
    shm = Path("/dev/shm")
    # In memory where there is such a folder: thousands of small transactions.
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        if database_url.startswith("sqlite"):
            database_url = f"sqlite:///{shutil.copy(sqlite_template, folder)}"
        opened = ShakyDatabase(database_url)
        yield opened
        opened.close()


def test_every_schedule(shaky: ShakyDatabase) -> None:
    schedule = type("AnySchedule", (Schedule,), {"database": shaky})
    import os
    n=int(os.environ.get("N","20"))
    few = settings(max_examples=n, stateful_step_count=int(os.environ.get("S","40")), suppress_health_check=list(HealthCheck), phases=[Phase.generate] if os.environ.get('NS') else list(Phase))
    run_state_machine_as_test(schedule, settings=few)
