"""The nursery: imported by the fork server alone, before anything else; all it starts inherit it.

No standard error: libtiff writes there by itself, in the middle of the parent's progress bar, and
a process that is ended while it starts would leave a traceback there.
"""

import os

with open(os.devnull, "wb") as _nowhere:  # noqa: PTH123
    os.dup2(_nowhere.fileno(), 2)
