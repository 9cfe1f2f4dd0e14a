"""The live DataLoader: pieces in, decoded pieces out, in processes that may die."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from workers.arrivals import TOGETHER, Arrival, Arrivals
from workers.decoder import Decoded
from workers.pieces import DecodedImages, ImageDecoder, ImageNote, Key, Piece
from workers.processes import LoaderContext, is_alive, settle_in
from workers.ring import Handed, Ring
from workers.slots import Slots

#: How long new processes may take until they do something, in seconds.
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Casualty:
    """A loader process that died or hangs, and the image in its hands: its piece and place."""

    piece_id: int | None
    place: int
    hung: bool


class Loader:
    """``processes`` loader processes behind one queue of pieces of at most ``piece`` images.

    ``on_images(loader, images)`` and, when the DataLoader gives up, ``on_broken(loader, error)``
    are called in the loader's own thread: the DataLoader is built and iterated there, because in
    the main thread its SIGCHLD handler would raise in the middle of whatever runs.
    """

    def __init__(
        self,
        processes: int,
        piece: int,
        decoder: ImageDecoder,
        on_images: Callable[[Loader, DecodedImages], None],
        on_broken: Callable[[Loader, Exception], None],
        memory: int,
    ) -> None:
        self._memory = memory
        self._context = LoaderContext()
        self._processes = processes
        self._pieces = self._context.Queue()
        self._slots = Slots(self._context, processes)
        self._ring = Ring(self._context, processes, max(piece, TOGETHER))
        self._started = time.monotonic()
        self._last_put = 0.0
        self._killed = False
        self._dataset = _Pieces(self._pieces, self._slots, self._ring, decoder)
        self._on_images = on_images
        self._on_broken = on_broken
        self._thread = threading.Thread(target=self._run, name="loader")
        self._thread.daemon = True
        self._thread.start()

    def put(self, piece: Piece) -> None:
        """Queue a piece; it never blocks, so whoever puts keeps the number of them in bounds."""
        self._last_put = time.monotonic()
        self._pieces.put(piece)

    def find_casualties(self, image_timeout_s: float) -> list[Casualty]:
        """Return the processes that died, and those that hang on one image for too long."""
        found = []
        # DataLoader starts its processes in the order of their slots; some may not be there yet.
        pids = tuple(self._context.pids)
        # Life first, then the slots: what a dead process had in work does not change any more.
        alive = [is_alive(pid) for pid in pids]
        for lives, slot in zip(alive, self._slots.read(), strict=False):
            late = bool(slot.since) and time.monotonic() - slot.since > image_timeout_s
            if late or not lives:
                piece = int(slot.piece) if slot.since else None
                found.append(Casualty(piece, int(slot.place), late))
        return found

    def idle_s(self) -> float:
        """Return for how many seconds no process has done anything; 0 while one is at work.

        With pieces queued that means that one of them was stopped with the queue's lock in hand.
        """
        slots = self._slots.read()
        if any(slot.since for slot in slots):
            return 0.0
        seen = max(slot.seen for slot in slots) or self._started + _START_S
        return max(0.0, time.monotonic() - max(seen, self._last_put))

    def close(self) -> None:
        """Let the processes finish and leave; nothing to do after ``kill``."""
        if self._killed:
            return
        if not any(slot.seen for slot in self._slots.read()):
            self.kill()  # They are still starting, and would not hear of it for a while.
            return
        for _ in range(self._processes):
            self._pieces.put(None)
        self._thread.join(5)
        if self._thread.is_alive():
            self.kill()

    def kill(self) -> None:
        """End every process at once, whatever it does."""
        self._killed = True
        self._context.kill()
        # Its feeder thread would wait for ever for a reader.
        self._pieces.cancel_join_thread()
        self._pieces.close()

    def _run(self) -> None:
        try:
            for answer in self._live():
                self._on_images(self, self._take(answer))
        except Exception as error:
            # A dead process surfaces as RuntimeError, or as whatever its half-sent piece raises.
            self._on_broken(self, error)

    def _take(self, answer: _Answer) -> DecodedImages:
        # Copies: shared memory is needed again, and costs a file descriptor where it is a tensor's.
        jpegs = None if answer.jpegs is None else answer.jpegs.clone()
        return DecodedImages(answer.keys, answer.notes, self._ring.take(answer.pixels), jpegs)

    def _live(self) -> DataLoader[_Answer]:
        return DataLoader(
            self._dataset,
            batch_size=None,
            num_workers=self._processes,
            collate_fn=_as_it_is,
            in_order=False,
            multiprocessing_context=self._context,
            worker_init_fn=partial(_start, self._memory),
        )


class _Answer(NamedTuple):
    """``DecodedImages`` on their way from a loader process: the pixels are in the ring."""

    keys: tuple[Key, ...]
    notes: tuple[ImageNote, ...]
    pixels: Handed
    jpegs: Tensor | None


class _Pieces(IterableDataset[_Answer]):
    """What runs in a loader process: takes pieces, notes the image in work, never raises."""

    def __init__(self, pieces: Any, slots: Slots, ring: Ring, decoder: ImageDecoder) -> None:
        self._queue = pieces
        self._slots = slots
        self._ring = ring
        self._decoder = decoder

    def __iter__(self) -> Iterator[_Answer]:
        info = get_worker_info()
        process = info.id if info else 0
        for turn, together in enumerate(Arrivals(self._queue, self._decoder)):
            yield self._decode(together, process, turn)

    def _decode(self, together: Sequence[Arrival], process: int, turn: int) -> _Answer:
        notes, pixels, jpegs = [], [], []
        for arrival in together:
            with self._slots.working(process, *arrival.key):
                image = self._decode_one(arrival)
            times = (image.read_ms, image.decode_ms)
            jpeg = image.jpeg.note if image.jpeg else None
            notes.append(ImageNote(image.failure, image.facts, *times, image.scores, jpeg))
            if image.pixels is not None:
                pixels.append(image.pixels)
            if image.jpeg:
                jpegs.append(image.jpeg.data)
        keys = tuple(arrival.key for arrival in together)
        files = torch.cat(jpegs) if jpegs else None
        return _Answer(keys, tuple(notes), self._ring.write(process, turn, pixels), files)

    def _decode_one(self, arrival: Arrival) -> Decoded:
        if arrival.got is None:
            return self._decoder(arrival.uri, arrival.reuse)
        return self._decoder.decode_fetched(arrival.got, arrival.reuse)


def _start(memory: int, _worker_id: int) -> None:
    settle_in(memory)


def _as_it_is(images: Any) -> Any:
    return images
