"""A whole job from the database into a file: complete, in order, at constant memory."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from pipeline.export.rows import FORMATS, export
from pipeline.producer import submit
from pipeline.queries import results
from pipeline.queries.filters import PredictionFilter
from pipeline.queries.results import iterate_results
from pipeline.records import Failure, FailureCode, JobSpec, Outcome, Reference, Score
from pipeline.storage.rows import save_model, save_outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.database.database import Database
    from pipeline.records import ImageResult, Model


def outcome(index: int) -> Outcome:
    if index % 10 == 0:
        return Outcome(index, failure=Failure(FailureCode.TRUNCATED, "ends early"))
    return Outcome(index, tuple(Score((index + rank) % 10, 0.5 / (rank + 1)) for rank in range(5)))


def answer(database: Database, model: Model, name: str, images: int) -> None:
    """Submit a job; all but its last image have an outcome."""
    spec = JobSpec(name, model, {"top_k": 5}, "hash", 64)
    references = (Reference(f"/pictures/{n:07}.jpg", f'"a,\n{n}"') for n in range(images))
    job_id = submit(database, spec, references)
    with database.transaction() as conn:
        save_outcomes(
            conn, job_id, save_model(conn, model), [outcome(n) for n in range(images - 1)]
        )


def peak_of(stream: Iterator[ImageResult]) -> tuple[int, int]:
    """Return how many images there are, and the most memory (bytes) that reading them took."""
    tracemalloc.start()
    try:
        number = sum(1 for _ in stream)
        return number, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_holds_every_finished_image_in_order(
    database: Database, small_model: Model, tmp_path: Path, form: str
) -> None:
    answer(database, small_model, "one", 21)
    answer(database, small_model, "two", 3)
    path = tmp_path / "export"
    with path.open("wb") as file:
        assert export(iterate_results(database, PredictionFilter(job="one")), form, file) == 20
    expected = [row.as_dict() for row in iterate_results(database, PredictionFilter(job="one"))]
    assert [row["error"] is not None for row in expected] == [n % 10 == 0 for n in range(20)]
    if form == "jsonl":
        assert [json.loads(line) for line in path.read_text().splitlines()] == expected
    elif form == "parquet":
        assert pq.read_table(path).to_pylist() == expected
    else:
        rows = list(csv.DictReader(io.StringIO(path.read_text(), newline="")))
        assert [row["uri"] for row in rows] == [f"/pictures/{n:07}.jpg" for n in range(20)]
        assert [row["custom_id"] for row in rows] == [f'"a,\n{n}"' for n in range(20)]
        assert [row["label_5"] for row in rows[:3]] == ["", "label 5", "label 6"]
        assert rows[10]["error_code"] == "truncated"


def test_a_stream_takes_no_more_memory_for_more_images(
    database: Database, small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "KEYS", 2_000)
    monkeypatch.setattr(results, "PIECE", 500)
    answer(database, small_model, "small", 2_001)
    answer(database, small_model, "large", 20_001)
    peaks = {}
    for name, images in (("small", 2_000), ("small", 2_000), ("large", 20_000)):
        number, peaks[name] = peak_of(iterate_results(database, PredictionFilter(job=name)))
        assert number == images
    # One piece is about 1 MB; the 18,000 images more would be 30.
    assert peaks["large"] < peaks["small"] + 1_000_000
