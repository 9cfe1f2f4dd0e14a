"""Tables of archives: each is made once in a process, and the last few are kept."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pipeline.archives.broken import BrokenArchiveError
from pipeline.archives.opening import iterate_entries

if TYPE_CHECKING:
    from pipeline.archives.entries import Entry
    from pipeline.archives.opened import Opened
    from pipeline.archives.uris import ArchiveKind

#: Tables that are kept, and entries of all of them together (about 300 bytes each).
_KEPT, _KEPT_ENTRIES = 16, 500_000


@dataclass(frozen=True, slots=True)
class Table:
    """The members by name (of two with one name: the last); ``broken``: why there are no more."""

    entries: dict[str, Entry]
    broken: str | None = None


class _Key(NamedTuple):
    location: str
    size: int
    version: str


class TableCache:
    """The tables that were read last, by the archive's name, size and version."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[_Key, threading.Lock] = {}
        self._tables: OrderedDict[_Key, Table] = OrderedDict()

    def get(self, location: str, archive: Opened, kind: ArchiveKind) -> Table:
        """Return the table of an open archive; of threads that ask at once, one makes it.

        Raises PictureError when the archive's store fails.
        """
        key = _Key(location, archive.size, archive.version)
        with self._lock:
            own = self._locks.setdefault(key, threading.Lock())
        try:
            with own:
                return self._find(key) or self._keep(key, make_table(archive, kind))
        finally:
            with self._lock:
                self._locks.pop(key, None)

    def _find(self, key: _Key) -> Table | None:
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
            return self._tables.get(key)

    def _keep(self, key: _Key, table: Table) -> Table:
        with self._lock:
            self._tables[key] = table
            while len(self._tables) > 1 and self._is_full():
                self._tables.popitem(last=False)
        return table

    def _is_full(self) -> bool:
        entries = sum(len(table.entries) for table in self._tables.values())
        return len(self._tables) > _KEPT or entries > _KEPT_ENTRIES


def make_table(archive: Opened, kind: ArchiveKind) -> Table:
    """Return the table of an open archive, as far as it can be read."""
    entries = {}
    try:
        for entry in iterate_entries(archive, kind):
            entries[entry.name] = entry
    except BrokenArchiveError as error:
        return Table(entries, str(error))
    return Table(entries)


_caches: dict[int, TableCache] = {}


def process_tables() -> TableCache:
    """Return the tables of this process; a child that was forked begins with none."""
    return _caches.setdefault(os.getpid(), TableCache())
