"""The backlog: which images wait for a loader process, which are in one, and whom to suspect."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pipeline.records import Failure, FailureCode
from workers.engine.requests import Request
from workers.loader import Casualty

#: An image that was in work each time when its loader process died this often is the reason.
STRIKES = 2


@dataclass(frozen=True, slots=True)
class Work:
    """A piece as the engine sees it: images of one request, and how often one of them killed.

    ``far``: they are downloaded before they are decoded.
    """

    request: Request
    positions: tuple[int, ...]
    strikes: int = 0
    far: bool = False


@dataclass(slots=True)
class _Out:
    """A piece that is out, and the places in it that have not come back yet."""

    work: Work
    left: set[int]

    def rest(self, without: int | None = None) -> Work:
        places = [place for place in sorted(self.left) if place != without]
        return replace(self.work, positions=tuple(self.work.positions[place] for place in places))


class Backlog:
    """Pieces in the order in which their chunks came, so that chunks finish one after another.

    After a loss the pieces that were out go first. An image that was in work in a process that
    died waits until nothing else is out, and then goes alone: if it kills again, it kills nobody
    beside it, and no neighbour is blamed. Not thread-safe: one thread owns it.
    """

    def __init__(self, piece: int, is_far: Callable[[str], bool] = lambda _: False) -> None:
        self._piece = piece
        self._is_far = is_far
        self._near: deque[Work] = deque()
        self._far: deque[Work] = deque()
        self._again: deque[Work] = deque()
        self._suspects: deque[Work] = deque()
        self._out: dict[int, _Out] = {}
        self._images_out = {False: 0, True: 0}
        self._ids = itertools.count()

    def add(self, request: Request) -> None:
        """Cut a request into pieces and put them last."""
        far = [self._is_far(image.uri) for image in request.images]
        for kind, queue in ((False, self._near), (True, self._far)):
            positions = [position for position, is_far in enumerate(far) if is_far is kind]
            for start in range(0, len(positions), self._piece):
                piece = tuple(positions[start : start + self._piece])
                queue.append(Work(request, piece, far=kind))

    def send_out(self, room: int, far_room: int = 0) -> Iterator[tuple[int, Work]]:
        """Yield the pieces that go out now, each with a new id, as long as there is room.

        ``room`` is that of all images, ``far_room`` of those to download: they take none of the
        other, since they only wait most of the time.
        """
        while room > 0 and (work := self._next(far_room)):
            count = len(work.positions)
            if work.far:
                far_room -= count
            else:
                room -= count
            number = next(self._ids)
            self._out[number] = _Out(work, set(range(count)))
            self._images_out[work.far] += count
            yield number, work
            if work.strikes:
                return

    def come_back(self, number: int, place: int) -> tuple[Request, int] | None:
        """Take an image that was decoded off the list; None when it is no longer awaited."""
        out = self._out.get(number)
        if out is None or place not in out.left:
            return None
        out.left.remove(place)
        self._images_out[out.work.far] -= 1
        if not out.left:
            del self._out[number]
        return out.work.request, out.work.positions[place]

    def lose(self, casualties: Iterable[Casualty]) -> list[tuple[Request, int, Failure]]:
        """Every piece that is out is lost: queue it again, and return the failures found.

        A hang is a failure at once (its deadline has passed); a crash is a first strike, and a
        failure when the image, alone, crashes again.
        """
        failures = []
        for casualty in casualties:
            out = self._out.pop(casualty.piece_id, None) if casualty.piece_id is not None else None
            if out is None:
                continue
            work, culprit = out.work, out.work.positions[casualty.place]
            if (rest := out.rest(without=casualty.place)).positions:
                self._again.append(replace(rest, strikes=0))
            if casualty.hung or work.strikes + 1 >= STRIKES:
                failures.append((work.request, culprit, _failure(casualty)))
            else:
                self._suspects.append(Work(work.request, (culprit,), work.strikes + 1, work.far))
        self._again.extend(out.rest() for out in self._out.values())
        self._forget_out()
        return failures

    def images_out(self, *, far: bool) -> int:
        """Return how many images are with the loader processes, of those that are far or near."""
        return self._images_out[far]

    def is_out(self) -> bool:
        """Tell whether a piece is with the loader processes."""
        return bool(self._out)

    def is_empty(self) -> bool:
        """Tell whether nothing waits and nothing is out."""
        return not (self._out or any(self._queues()))

    def drain(self) -> set[Request]:
        """Forget everything; return the requests that still had a piece here."""
        everything = [out.work for out in self._out.values()]
        for queue in self._queues():
            everything += queue
            queue.clear()
        self._forget_out()
        return {work.request for work in everything}

    def _queues(self) -> tuple[deque[Work], ...]:
        return self._again, self._suspects, self._near, self._far

    def _forget_out(self) -> None:
        self._out.clear()
        self._images_out = {False: 0, True: 0}

    def _next(self, far_room: int) -> Work | None:
        if any(out.work.strikes for out in self._out.values()):
            return None
        for queue in self._queues():
            # Nobody waits for what was cancelled.
            while queue and queue[0].request.future.done():
                queue.popleft()
        if self._again:
            return self._again.popleft()
        if self._suspects:
            return None if self._out else self._suspects.popleft()
        if self._far and far_room > 0:
            return self._far.popleft()
        return self._near.popleft() if self._near else None


def _failure(casualty: Casualty) -> Failure:
    if casualty.hung:
        return Failure(FailureCode.TIMEOUT, "reading and decoding it took too long")
    return Failure(FailureCode.DECODER_CRASHED, "the loader process died of it twice")
