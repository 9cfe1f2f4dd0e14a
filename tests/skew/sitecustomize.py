"""Puts a process's clock off by ``IMAGEMILL_TEST_SKEW_S`` seconds.

Python runs this when the folder is on the PYTHONPATH of a new process, and of its children; what
else there is by this name runs after it.
"""

from __future__ import annotations

import os
import sys
import time
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path


def _shift_clock(seconds: float) -> None:
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + round(seconds * 1e9)


def _run_the_other() -> None:
    here = Path(__file__).parent
    others = [folder for folder in sys.path if Path(folder).absolute() != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


_shift_clock(float(os.environ.get("IMAGEMILL_TEST_SKEW_S", "0")))
_run_the_other()
