"""The clock of a process can be put off, for tests of machines that disagree."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

_SKEW = Path(__file__).parents[1] / "skew"


def test_a_clock_is_off_by_what_was_asked_and_what_else_there_is_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('another')")
    folders = os.pathsep.join([str(_SKEW), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time(), time.time_ns() / 1e9)"],
        env=os.environ | {"PYTHONPATH": folders, "IMAGEMILL_TEST_SKEW_S": "-600"},
        capture_output=True,
        text=True,
        check=True,
    )
    greeting, *clocks = done.stdout.split()
    assert greeting == "another"
    assert [float(clock) - time.time() for clock in clocks] == [pytest.approx(-600, abs=30)] * 2
