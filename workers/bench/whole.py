"""The whole pipeline as `run` has it, with its start-up taken out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pipeline.config import Settings
from pipeline.database.database import Database, open_database
from pipeline.errors import EngineError
from pipeline.producer import submit
from pipeline.queries.jobs import get_job_by_number
from pipeline.records import JobSpec, Reference
from workers.bench.store import read_rules
from workers.engine.engine import Engine
from workers.engine.layout import start_engine
from workers.runner import LocalRunner
from workers.weights import Weights


def time_whole(
    uris: Sequence[str], weights: Weights, spec: JobSpec, settings: Settings, folder: Path
) -> float:
    """Return the images/s from a list of paths to answers in a database in ``folder``.

    A small job warms the engine before the clock starts. Raises EngineError when an image was
    not classified.
    """
    with (
        closing(open_database(f"sqlite:///{folder / 'whole.db'}")) as database,
        closing(start_engine(weights.path, settings, reuse=False)) as engine,
    ):
        _carry(database, uris[: 2 * engine.options.room], spec, engine, settings)
        started = time.perf_counter()
        _carry(database, uris, spec, engine, settings)
        return len(uris) / (time.perf_counter() - started)


def _carry(
    database: Database, uris: Sequence[str], spec: JobSpec, engine: Engine, settings: Settings
) -> None:
    job_id = submit(database, spec, map(Reference, uris))
    rules = read_rules(database, job_id)
    runner = LocalRunner(database, job_id, rules, engine, settings.lease_s)
    runner.run(spec.chunk_size, lambda: None)
    with database.reading() as connection:
        counts = get_job_by_number(connection, job_id).counts
    if counts.succeeded != len(uris):
        raise EngineError(
            f"{len(uris) - counts.succeeded} of {len(uris)} pictures were not classified; "
            "`imagemill run` on the same folder says why"
        )
