"""The `imagemill worker` of the storm: the product's own, but for what the environment asks.

``STORM_VISIBILITY_S``: Redis gives what was not acknowledged to others so soon, and looks for it
in proportion. ``STORM_NULL``: an engine that computes nothing. ``STORM_BREAK``: a rule to break.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

#: What goes faster with the visibility time.
_TIMES = ("visibility_timeout", "unacked_restore_interval", "unacked_mutex_expire")
_ROOT = Path(__file__).parents[2]


def hurry(visibility_s: float) -> None:
    """Let Redis give what was not acknowledged to others so soon."""
    times: dict[str, Any] = import_module("pipeline.broker")._TRANSPORT
    share = visibility_s / times["visibility_timeout"]
    times.update({name: max(1, round(times[name] * share)) for name in _TIMES})


def compute_nothing() -> None:
    """Take the engine that computes nothing."""
    sys.path.append(str(_ROOT / "tests"))
    layout: Any = import_module("workers.engine.layout")
    layout.start_engine = import_module("null_engine").NullEngine.start


def break_rule(rule: str) -> None:
    """Break a rule on purpose."""
    sys.path.append(str(_ROOT / "benchmarks"))
    import_module("storm.breaks").BREAKS[rule]()


if __name__ == "__main__":
    # In place of this folder, whose modules are none of the worker's.
    sys.path[0] = str(_ROOT)
    hurry(float(os.environ["STORM_VISIBILITY_S"]))
    if "STORM_NULL" in os.environ:
        compute_nothing()
    if "STORM_BREAK" in os.environ:
        break_rule(os.environ["STORM_BREAK"])
    import_module("pipeline.cli.main").main()
