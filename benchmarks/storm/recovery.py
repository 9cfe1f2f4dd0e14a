"""Recoveries: how long after a fault everything that it hit was done."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from storm.findings import Findings
from storm.reader import Reader, Rows

#: How often it is looked, in seconds.
_LOOK_S = 0.3
#: The chunks in a worker's hands; in anybody's hands, or under way to somebody.
_IN_HAND = """
SELECT job_id, number, token, sent_at, first, last FROM chunks
WHERE state = 'running' AND worker = %s
"""
_UNDER_WAY = """
SELECT job_id, number, token, sent_at, first, last FROM chunks
WHERE state = 'running' OR (state = 'queued' AND sent_at IS NOT NULL)
"""
#: Whether nobody has done anything about a chunk yet: not even sent it again.
_UNTOUCHED = """
SELECT 1 FROM chunks WHERE job_id = %s AND number = %s AND token = %s
AND sent_at IS NOT DISTINCT FROM %s AND state <> 'done'
"""
_FINISHED = "SELECT count(*) FROM outcomes WHERE job_id = %s AND index BETWEEN %s AND %s"
#: The books of every job that goes on, in one look: what there is of it, and what its chunks say.
_BOOKS = """
SELECT name, total, images, covered, finished, outcomes FROM jobs,
LATERAL (SELECT count(*) AS images FROM images WHERE job_id = jobs.id) AS one,
LATERAL (SELECT count(*) AS outcomes FROM outcomes WHERE job_id = jobs.id) AS two,
LATERAL (SELECT sum(last - first + 1) AS covered, sum(succeeded + failed) AS finished
         FROM chunks WHERE job_id = jobs.id) AS three
WHERE submitted_at IS NOT NULL AND status IN ('pending', 'running')
"""


@dataclass(slots=True)
class _Recovery:
    fault: str
    hit: Rows
    since: float = field(default_factory=time.monotonic)
    untouched: Rows = field(init=False)
    unfinished: Rows = field(init=False)

    def __post_init__(self) -> None:
        self.untouched = [row[:4] for row in self.hit]
        self.unfinished = [(row[0], *row[4:]) for row in self.hit]


@dataclass(slots=True)
class Recoveries:
    """How long after each fault of a kind all that it hit was seen to, and done, in seconds.

    A chunk is seen to once it is finished, freed, or sent again.
    """

    seen_to_s: list[float] = field(default_factory=list)
    done_s: list[float] = field(default_factory=list)


class Watcher:
    """Follows what the faults hit, and looks at the books meanwhile."""

    def __init__(self, url: str, findings: Findings) -> None:
        self._url = url
        self._findings = findings
        self._following: list[_Recovery] = []
        self.recoveries: defaultdict[str, Recoveries] = defaultdict(Recoveries)
        self._wrong: set[str] = set()
        #: How often the books were looked at.
        self.looks = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def follow(self, fault: str, worker: str | None = None) -> None:
        """Follow what a fault is about to hit: a worker's chunks, or all that are under way."""
        reader = Reader(self._url)
        found = reader.find(_IN_HAND, worker) if worker else reader.find(_UNDER_WAY)
        reader.close()
        if found:
            with self._lock:
                self._following.append(_Recovery(fault, found))

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        reader = Reader(self._url)
        while not self._stop.wait(_LOOK_S):
            self._look_at_books(reader)
            with self._lock:
                following = list(self._following)
            ended = [one for one in following if self._is_over(one, reader)]
            with self._lock:
                self._following = [one for one in self._following if one not in ended]
        reader.close()

    def _is_over(self, one: _Recovery, reader: Reader) -> bool:
        took = self.recoveries[one.fault]
        if one.untouched and _shrink(
            one.untouched, lambda hit: reader.find(_UNTOUCHED, *hit) == []
        ):
            took.seen_to_s.append(time.monotonic() - one.since)
        if _shrink(
            one.unfinished, lambda hit: reader.find(_FINISHED, *hit) == [(hit[2] - hit[1] + 1,)]
        ):
            took.done_s.append(time.monotonic() - one.since)
            return True
        return False

    def _look_at_books(self, reader: Reader) -> None:
        for name, total, images, covered, finished, outcomes in reader.find(_BOOKS) or ():
            right = total == images == covered and finished == outcomes
            if not right and name not in self._wrong:
                self._wrong.add(name)
                self._findings.add(
                    f"on its way {name} had {total} images by its row, {images} rows, {covered} "
                    f"in its chunks; {finished} finished by its chunks, {outcomes} outcomes"
                )
        self.looks += 1


def _shrink(left: Rows, is_over: Callable[[tuple[Any, ...]], bool]) -> bool:
    """Take those off the list that are over; True: nothing is left."""
    while left and is_over(left[-1]):
        left.pop()
    return not left
