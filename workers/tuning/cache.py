"""The cache: measurements of earlier starts, one small JSON file for each machine and model."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline import config
from workers.tuning.measurements import Measurements, from_json, to_json

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the folder of what can be measured anew at any time: XDG's, for this user.

    Raises RuntimeError when the user has no home.
    """
    return config.cache_folder() / "tuning"


def find(machine: Mapping[str, Any]) -> Measurements | None:
    """Return what was saved for ``machine``; None when nothing was, or it cannot be read."""
    try:
        kept = json.loads(_path(machine).read_text(encoding="utf-8"))
        # A file that was copied or edited may be another machine's.
        return from_json(kept["found"]) if kept["machine"] == machine else None
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        log.info("what was measured here before cannot be read (%r)", error)
        return None


def save(machine: Mapping[str, Any], found: Measurements) -> None:
    """Keep measurements for the next start; a cache that cannot be written is no error."""
    text = json.dumps({"machine": machine, "found": to_json(found)}, indent=1)
    try:
        path = _path(machine)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, text)
    except (OSError, RuntimeError) as error:
        log.info("what was measured cannot be kept (%r); the next start measures again", error)


def _path(machine: Mapping[str, Any]) -> Path:
    key = hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()
    return cache_folder() / f"{key[:32]}.json"


def _write(path: Path, text: str) -> None:
    """Write beside it and rename: whoever reads meanwhile sees the old file or the new one."""
    number, beside = tempfile.mkstemp(dir=path.parent, prefix=path.stem)
    try:
        with open(number, "w", encoding="utf-8") as file:  # noqa: PTH123 (it is open already)
            file.write(text)
        Path(beside).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(beside).unlink()
        raise
