"""The backlog: which images wait for a loader process, which are in one, and whom to suspect."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.records import Failure, FailureCode
from workers.engine.requests import Request
from workers.loader import Casualty

#: An image that was in work each time when its loader process died this often is the reason.
STRIKES = 2


@dataclass(frozen=True, slots=True)
class Work:
    """A piece as the engine sees it: images of one request, and how often one of them killed."""

    request: Request
    positions: tuple[int, ...]
    strikes: int = 0


class Backlog:
    """Pieces in the order in which their chunks came, so that chunks finish one after another.

    After a loss the pieces that were out go first. An image that was in work in a process that
    died waits until nothing else is out, and then goes alone: if it kills again, it kills nobody
    beside it, and no neighbour is blamed. Not thread-safe: one thread owns it.
    """

    def __init__(self, piece: int) -> None:
        self._piece = piece
        self._waiting: deque[Work] = deque()
        self._again: deque[Work] = deque()
        self._suspects: deque[Work] = deque()
        self._out: dict[int, Work] = {}
        self._ids = itertools.count()

    def add(self, request: Request) -> None:
        """Cut a request into pieces and put them last."""
        count = len(request.images)
        for start in range(0, count, self._piece):
            stop = min(start + self._piece, count)
            self._waiting.append(Work(request, tuple(range(start, stop))))

    def send_out(self, room: int) -> Iterator[tuple[int, Work]]:
        """Yield the pieces that go out now, each with a new id, as long as ``room`` images last."""
        while room > 0 and (work := self._next()):
            room -= len(work.positions)
            number = next(self._ids)
            self._out[number] = work
            yield number, work
            if work.strikes:
                return

    def come_back(self, number: int) -> Work | None:
        """Take a piece that was decoded off the list; None when it is no longer awaited."""
        return self._out.pop(number, None)

    def lose(self, casualties: Iterable[Casualty]) -> list[tuple[Request, int, Failure]]:
        """Every piece that is out is lost: queue it again, and return the failures found.

        A hang is a failure at once (its deadline has passed); a crash is a first strike, and a
        failure when the image, alone, crashes again.
        """
        failures = []
        for casualty in casualties:
            work = self._out.pop(casualty.piece_id, None) if casualty.piece_id is not None else None
            if work is None:
                continue
            culprit = work.positions[casualty.position]
            rest = tuple(p for p in work.positions if p != culprit)
            if rest:
                self._again.append(Work(work.request, rest))
            if casualty.hung or work.strikes + 1 >= STRIKES:
                failures.append((work.request, culprit, _failure(casualty)))
            else:
                self._suspects.append(Work(work.request, (culprit,), work.strikes + 1))
        self._again.extend(self._out.values())
        self._out.clear()
        return failures

    def images_out(self) -> int:
        """Return how many images are with the loader processes."""
        return sum(len(work.positions) for work in self._out.values())

    def is_empty(self) -> bool:
        """Tell whether nothing waits and nothing is out."""
        return not (self._out or self._again or self._suspects or self._waiting)

    def drain(self) -> set[Request]:
        """Forget everything; return the requests that still had a piece here."""
        everything = [*self._out.values(), *self._again, *self._suspects, *self._waiting]
        self._out.clear()
        for queue in (self._again, self._suspects, self._waiting):
            queue.clear()
        return {work.request for work in everything}

    def _next(self) -> Work | None:
        if any(work.strikes for work in self._out.values()):
            return None
        for queue in (self._again, self._suspects, self._waiting):
            # Nobody waits for what was cancelled.
            while queue and queue[0].request.future.done():
                queue.popleft()
        if self._again:
            return self._again.popleft()
        if self._suspects:
            return None if self._out else self._suspects.popleft()
        return self._waiting.popleft() if self._waiting else None


def _failure(casualty: Casualty) -> Failure:
    if casualty.hung:
        return Failure(FailureCode.TIMEOUT, "reading and decoding it took too long")
    return Failure(FailureCode.DECODER_CRASHED, "the loader process died of it twice")
