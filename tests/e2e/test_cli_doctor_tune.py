"""The doctor measures how work is laid out here, and remembers it."""

from __future__ import annotations

import json
from pathlib import Path

from command import Run


def test_what_the_doctor_measured_it_shows_the_next_time(imagemill: Run, tmp_path: Path) -> None:
    # One engine, one batch: little to measure.
    by_hand = {"IMAGEMILL_ENGINE": "torch", "IMAGEMILL_MAX_BATCH": "2"}

    def find(*words: str) -> str:
        done = imagemill(
            *("doctor", "--weights", "demo", "--json", *words),
            XDG_CACHE_HOME=str(tmp_path),
            **by_hand,
        )
        assert done.returncode == 0, done.stdout
        checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
        return str(checks["layout"]["found"])

    before, measured, after = find(), find("--tune"), find()
    assert "not measured yet; set by hand: engine, max_batch" in before
    assert measured.startswith("torch, batches of 2, ")
    assert "measured: torch " in measured
    assert after == measured
