"""Finished jobs to look at: written through the ledger, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.producer import submit
from pipeline.queries.jobs import get_job_by_number
from pipeline.records import (
    Dispatch,
    Failure,
    FailureCode,
    FileFacts,
    JobSpec,
    Model,
    Outcome,
    Precision,
    Provenance,
    Reference,
    Score,
)
from pipeline.storage.rows import save_model

#: What a browser must never run or load, wherever it is written.
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'
LABELS = ("cat", "dog", "cow", f"ant {HOSTILE}")
MODEL = Model("animals", "5a" * 32, Precision.AUTO, "1", LABELS)
OTHER_MODEL = Model(f"beasts {HOSTILE}", "6b" * 32, Precision.FAST, "1", LABELS)
_MADE_BY = Provenance((3, 1), 4.0, 12.0, 30.5, 60.0, "openvino", "cpu", {"torch": "2.14.1"})


def finish_job(
    database: Database,
    name: str,
    references: Sequence[Reference],
    labels: Mapping[int, str],
    failures: Mapping[int, FailureCode],
    model: Model = MODEL,
) -> str:
    """Store a job whose images have these labels (else the first), or failed; return its id.

    The score of an image falls with its index, from 0.99 down.
    """
    spec = JobSpec(name, model, {"weights": "demo", "top_k": 3}, name, 4, Dispatch.BROKER)
    job_id = submit(database, spec, references)
    with database.transaction() as connection:
        stored = save_model(connection, model)
    while claim := ledger.claim_next(database, job_id, "worker-1", 60):
        outcomes = [
            _make_outcome(index, labels.get(index, LABELS[0]), failures.get(index))
            for index in range(claim.first, claim.last + 1)
        ]
        assert ledger.finish(database, claim, stored, outcomes, _MADE_BY)
    ledger.complete(database, job_id)
    with database.reading() as connection:
        return get_job_by_number(connection, job_id).public_id


def refer(paths: Sequence[Path]) -> list[Reference]:
    """Return the references of files, each with an id of its own."""
    return [Reference(str(path), f"sku-{number}") for number, path in enumerate(paths)]


def _make_outcome(index: int, label: str, code: FailureCode | None) -> Outcome:
    if code is not None:
        return Outcome(index, failure=Failure(code, f"it is so: {HOSTILE}"))
    best = LABELS.index(label)
    score = max(0.99 - 0.02 * index, 0.34)
    scores = (Score(best, score), Score((best + 1) % len(LABELS), (1 - score) * 0.7))
    return Outcome(index, scores, facts=FileFacts(34_567, "v1", b"\x5a" * 32, 640, 427))
