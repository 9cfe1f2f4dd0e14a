"""The `imagemill worker` of the storm: the product's own, but for what the environment asks.

``STORM_VISIBILITY_S``: Redis gives what was not acknowledged to others so soon, and looks for it
in proportion. ``STORM_NULL``: an engine that computes nothing. ``STORM_BREAK``: a rule to break.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, whose modules are none of the worker's.
    sys.path[0] = str(Path(__file__).parents[2])

    from pipeline import broker
    from pipeline.cli.main import main

    patient, hurried = broker._TRANSPORT, float(os.environ["STORM_VISIBILITY_S"])
    for name in ("unacked_restore_interval", "unacked_mutex_expire", "visibility_timeout"):
        hurry = hurried / patient["visibility_timeout"]
        patient[name] = max(1, round(patient[name] * hurry))
    if "STORM_NULL" in os.environ:
        sys.path.append(str(Path(__file__).parents[2] / "tests"))
        from null_engine import NullEngine

        from workers.engine import layout

        layout.start_engine = NullEngine.start
    if "STORM_BREAK" in os.environ:
        sys.path.append(str(Path(__file__).parents[1]))
        from storm.breaks import BREAKS

        BREAKS[os.environ["STORM_BREAK"]]()
    main()
