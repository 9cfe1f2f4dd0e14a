"""Any schedule of faults in a cluster keeps the promises of the ledger; without a rule one breaks.

What the design's model does to itself is done to the real SQL here.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from mutants import switch_off
from schedules import Schedule
from shaky_database import ShakyDatabase

from pipeline.database import patience

_ANY = settings(
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    print_blob=True,
)


@pytest.fixture
def shaky(
    database_url: str, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ShakyDatabase]:
    """A database whose commits break off, of each kind in turn."""
    monkeypatch.setattr(patience, "PAUSES_S", (0.0,))
    if not database_url.startswith("sqlite"):
        opened = ShakyDatabase(database_url)
        yield opened
        opened.close()
        return
    with in_memory(sqlite_template) as opened:
        yield opened


@contextmanager
def in_memory(template: Path) -> Iterator[ShakyDatabase]:
    """Open a SQLite file where there is no disk, if there is such a folder."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        opened = ShakyDatabase(f"sqlite:///{shutil.copy(template, folder)}")
        yield opened
        opened.close()


def run_schedules(database: ShakyDatabase, number: int | None, wanted: settings) -> None:
    """Run schedules against a database; ``number`` seeds them, None: new ones every time."""
    schedule = type("AnySchedule", (Schedule,), {"database": database})
    chosen = schedule if number is None else seed(number)(schedule)
    run_state_machine_as_test(chosen, settings=wanted)


def test_every_schedule_keeps_the_promises(shaky: ShakyDatabase) -> None:
    count = 16 if shaky.dialect == "sqlite" else 8
    run_schedules(shaky, None, settings(_ANY, max_examples=count))


@pytest.mark.soak
@pytest.mark.parametrize("number", range(10))
def test_many_long_schedules_keep_the_promises(shaky: ShakyDatabase, number: int) -> None:
    run_schedules(shaky, number, settings(_ANY, max_examples=100, stateful_step_count=60))


#: What each rule of the design is in the SQL, and how it is when it is switched off.
_COLUMNS, _CLAIMS = "pipeline.ledger.columns", "pipeline.ledger.claims"
_SENDING, _LOSSES = "pipeline.ledger.sending", "pipeline.ledger.losses"
_RETURNED = '        "token": _chunk.token + 1,\n'
_SUBMITTED = "_job.submitted_at.is_not(None),"
_MUTANTS = {
    "a finish counts under any token": ((_COLUMNS, {"_chunk.token == claim.token, ": ""}),),
    "a claim counts under any token": ((_CLAIMS, {", _chunk.token == token)": ")"}),),
    "complete looks only before it has the lock": (
        (
            "pipeline.ledger.completion",
            {
                "    if _has_open_chunk(connection, job_id):\n"
                "        return False\n    counts": "    counts"
            },
        ),
    ),
    "complete whatever the status is": (
        ("pipeline.ledger.completion", {" or job.status not in ALIVE": ""}),
    ),
    "send before the last piece is in": (
        ("pipeline.ledger.jobs", {f"    {_SUBMITTED}\n": ""}),
        (_COLUMNS, {f" {_SUBMITTED}": ""}),
    ),
    "what returns to the queue still counts as sent": (
        (_COLUMNS, {'        "sent_at": None,\n': ""}),
    ),
    "what returns to the queue keeps its token": ((_COLUMNS, {_RETURNED: ""}),),
    "send without a bound": (
        (_SENDING, {"send_ahead - waiting) if waiting < send_ahead else []": "1000)"}),
    ),
    "a claim sends two": ((_CLAIMS, {"mark_next(c, job_id, 1)": "mark_next(c, job_id, 2)"}),),
    "never send again": ((_SENDING, {"if length >= ": "if 1000 >= "}),),
    "a split forgets outcomes": ((_LOSSES, {"if index not in codes:": "if True:"}),),
    "a child gets an old number": (
        (_LOSSES, {"execute(highest).scalar_one() + 1": "execute(highest).scalar_one()"}),
    ),
    "condemn what never ran alone": (
        (_LOSSES, {"solo_lost, solo=True": "solo_lost, solo=False", "solo_lost >= C": "lost > C"}),
    ),
    "forget a claim whose commit is unknown": (
        (_CLAIMS, {"if _has_landed(connection, one[0])": "if False"}),
    ),
}


@pytest.mark.parametrize("rule", _MUTANTS)
def test_without_a_rule_a_schedule_breaks_a_promise(
    rule: str, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PAUSES_S", (0.0,))
    for module, texts in _MUTANTS[rule]:
        switch_off(monkeypatch, module, texts)
    # A number that breaks soon; any other does, too, but later.
    hunt = settings(_ANY, max_examples=300, phases=[Phase.generate], verbosity=Verbosity.quiet)
    with (
        in_memory(sqlite_template) as database,
        pytest.raises((AssertionError, sa.exc.IntegrityError)),
    ):
        run_schedules(database, 5, hunt)
