"""Recoveries: how long after a fault everything that it hit was done."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

from storm.findings import Findings
from storm.reader import Reader

#: How often it is looked, in seconds.
_LOOK_S = 0.3
#: The chunks in a worker's hands; in anybody's hands, or under way to somebody.
_IN_HAND = """
SELECT job_id, first, last FROM chunks WHERE state = 'running' AND worker = %s
"""
_UNDER_WAY = """
SELECT job_id, first, last FROM chunks
WHERE state = 'running' OR (state = 'queued' AND sent_at IS NOT NULL)
"""
_FINISHED = "SELECT count(*) FROM outcomes WHERE job_id = %s AND index BETWEEN %s AND %s"
#: The books of every job that goes on, in one look: what there is of it, and what its chunks say.
_BOOKS = """
SELECT jobs.id, total, images, covered, finished, outcomes FROM jobs,
LATERAL (SELECT count(*) AS images FROM images WHERE job_id = jobs.id) AS one,
LATERAL (SELECT count(*) AS outcomes FROM outcomes WHERE job_id = jobs.id) AS two,
LATERAL (SELECT sum(last - first + 1) AS covered, sum(succeeded + failed) AS finished
         FROM chunks WHERE job_id = jobs.id) AS three
WHERE submitted_at IS NOT NULL AND status IN ('pending', 'running')
"""


@dataclass(slots=True)
class _Recovery:
    fault: str
    ranges: list[tuple[int, int, int]]
    since: float = field(default_factory=time.monotonic)


class Watcher:
    """Follows what the faults hit, and looks at the books meanwhile; each thread asks by itself."""

    def __init__(self, url: str, findings: Findings) -> None:
        self._url = url
        self._findings = findings
        self._following: list[_Recovery] = []
        #: How long each recovery took, in seconds, by fault.
        self.took_s: defaultdict[str, list[float]] = defaultdict(list)
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
                self._following.append(_Recovery(fault, [(j, f, t) for j, f, t in found]))

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()
        for one in self._following:
            self._findings.add(f"what {one.fault} hit was never done")

    def _run(self) -> None:
        reader = Reader(self._url)
        while not self._stop.wait(_LOOK_S):
            self._look_at_books(reader)
            with self._lock:
                following = list(self._following)
            ended = [one for one in following if self._is_over(one, reader)]
            with self._lock:
                for one in ended:
                    self._following.remove(one)
                    self.took_s[one.fault].append(time.monotonic() - one.since)
        reader.close()

    def _is_over(self, recovery: _Recovery, reader: Reader) -> bool:
        while recovery.ranges:
            job_id, first, last = recovery.ranges[-1]
            found = reader.find(_FINISHED, job_id, first, last)
            if found is None or found[0][0] < last - first + 1:
                return False
            recovery.ranges.pop()
        return True

    def _look_at_books(self, reader: Reader) -> None:
        for job_id, total, images, covered, finished, outcomes in reader.find(_BOOKS) or ():
            if not (total == images == covered and finished == outcomes):
                self._findings.add(
                    f"on its way job {job_id} had {total} images by its row, {images} rows, "
                    f"{covered} in its chunks; {finished} finished by its chunks, {outcomes} rows"
                )
        self.looks += 1
