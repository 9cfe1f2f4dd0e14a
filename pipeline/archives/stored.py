"""An archive in an object store: a look at it now and then, and the bytes that are asked for."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.stores.opening import open_store
from pipeline.stores.schemes import parse_address

if TYPE_CHECKING:
    from pipeline.fetch.limits import FetchLimits
    from pipeline.stores.store import Found

#: How long a look at an archive is good: bytes of a later version are refused by the store.
_LOOK_S = 30.0
_KEPT_LOOKS = 64

_looks: dict[str, tuple[float, Found]] = {}


class StoredArchive:
    """An object that is an archive; several threads may read it at once."""

    #: A request costs more time than these bytes: a tar of pictures is read as a whole by it.
    buffer_bytes = 2**21

    def __init__(self, location: str, limits: FetchLimits) -> None:
        """Look at the archive, unless that was done lately. Raises PictureError."""
        self._address = parse_address(location, limits)
        self._store = open_store(self._address.scheme, limits)
        self._location = location
        self._timeout_s = limits.timeout_s
        found = self._look()
        self.size = found.size or 0
        self.version = found.version or ""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, fewer only at its end."""
        end = min(offset + length, self.size)
        version = self.version or None
        try:
            return self._store.read_range(self._address, offset, end, version, self._timeout_s)
        except PictureError:
            # It may have changed: look again the next time.
            _looks.pop(self._location, None)
            raise

    def close(self) -> None:
        """Nothing is held."""

    def _look(self) -> Found:
        seen = _looks.get(self._location)
        if seen and time.monotonic() - seen[0] < _LOOK_S:
            return seen[1]
        found = self._store.look_at(self._address, self._timeout_s)
        while len(_looks) >= _KEPT_LOOKS:
            _looks.pop(next(iter(_looks), ""), None)
        _looks[self._location] = time.monotonic(), found
        return found


os.register_at_fork(after_in_child=_looks.clear)
