"""Run as a script: finishes a chunk of four images, and stops in the middle of its first COPY.

``python frozen_finish.py DATABASE_URL JOB TOKEN``; it prints whether its finish counted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from pipeline import ledger
from pipeline.database.database import open_database
from pipeline.ledger import WORKER_SESSION
from pipeline.records import Claim, Outcome, Provenance, Score
from pipeline.storage.rows import load_stored_model

_write_row = psycopg.Copy.write_row


def _write_row_and_stop(copy: psycopg.Copy, row: Sequence[Any]) -> None:
    psycopg.Copy.write_row = _write_row  # type: ignore[method-assign]
    _write_row(copy, row)
    os.kill(os.getpid(), signal.SIGSTOP)


def main() -> None:
    url, job_id, token = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    database = open_database(url, WORKER_SESSION)
    with database.reading() as connection:
        model = load_stored_model(connection, 1)
    outcomes = [Outcome(index, (Score(0, 0.9),)) for index in range(4)]
    psycopg.Copy.write_row = _write_row_and_stop  # type: ignore[method-assign, assignment]
    claim = Claim(job_id, 0, token, 0, 3, 0)
    print(ledger.finish(database, claim, model, outcomes, Provenance()))


if __name__ == "__main__":
    main()
