"""Hostile files by the hundred: each has its outcome, and no loader process dies of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from echo import OPTIONS, Echo, loader_pids
from mutated_pictures import write_mutated_pictures

from pipeline.fetch.limits import FetchLimits
from pipeline.records import FailureCode, ImageRef, Precision
from workers.decoder import Decoder
from workers.engine.engine import Engine

#: What a damaged picture may end with; anything else is a fault of ours.
_CODES = {
    FailureCode.NOT_AN_IMAGE,
    FailureCode.UNSUPPORTED_FORMAT,
    FailureCode.TRUNCATED,
    FailureCode.DECODE_ERROR,
    FailureCode.TOO_MANY_PIXELS,
}


def test_each_of_many_mutated_pictures_has_its_outcome(tmp_path: Path) -> None:
    paths = write_mutated_pictures(tmp_path, 600, seed=1)
    decoder = Decoder(Precision.AUTO, 178_956_970, FetchLimits(2**28))
    engine = Engine(Echo(), decoder, replace(OPTIONS, piece=8))
    try:
        images = [ImageRef(number, str(path)) for number, path in enumerate(paths)]
        outcomes = engine.submit(images[:8], 1).result(60).outcomes
        before = loader_pids()
        outcomes += engine.submit(images[8:], 1).result(120).outcomes
        assert loader_pids() == before
    finally:
        engine.close()
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    assert {failure.code for failure in failures} <= _CODES
    assert all(outcome.failure or outcome.scores for outcome in outcomes)
    assert 100 < len(failures) < 500
