"""The live DataLoader: pieces in, decoded pieces out, in processes that may die."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pipeline.records import Failure, FileFacts
from workers.decode import Decoded
from workers.processes import LoaderContext, is_alive, settle_in

#: What a loader process tells of itself: the piece and the position in work, since when (0: idle),
#: and when it was last seen to do something.
_PIECE, _POSITION, _SINCE, _SEEN = range(4)
_SLOT = 4
#: How long new processes may take until they do something, in seconds.
_START_S = 60.0


class Piece(NamedTuple):
    """A few images for one loader process."""

    id: int
    uris: tuple[str, ...]


class ImageNote(NamedTuple):
    """What is known of one image of a piece beside its pixels; times in ms."""

    failure: Failure | None
    facts: FileFacts
    read_ms: float
    decode_ms: float


class DecodedPiece(NamedTuple):
    """A piece's notes, and the pixels of those without a failure: uint8 (n, 224, 224, 3)."""

    id: int
    notes: tuple[ImageNote, ...]
    pixels: Tensor


@dataclass(frozen=True, slots=True)
class Casualty:
    """A loader process that died or hangs, and the image in its hands, if any."""

    piece_id: int | None
    position: int
    hung: bool


class Loader:
    """``processes`` loader processes behind one queue of pieces.

    ``decode`` turns a uri into a Decoded and never raises; it is pickled into each process.
    ``on_piece(loader, piece)`` and, when the DataLoader gives up, ``on_broken(loader, error)`` are
    called in the loader's own thread: the DataLoader is built and iterated there, because in the
    main thread its SIGCHLD handler would raise in the middle of whatever runs.
    """

    def __init__(
        self,
        processes: int,
        decode: Callable[[str], Decoded],
        on_piece: Callable[[Loader, DecodedPiece], None],
        on_broken: Callable[[Loader, Exception], None],
    ) -> None:
        self._context = LoaderContext()
        self._processes = processes
        self._pieces = self._context.Queue()
        self._slots = self._context.RawArray("d", processes * _SLOT)
        self._started = time.monotonic()
        self._last_put = 0.0
        self._killed = False
        self._dataset = _Pieces(self._pieces, self._slots, decode)
        self._on_piece = on_piece
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
        for lives, slot in zip(alive, self._read_slots(), strict=False):
            since = slot[_SINCE]
            late = bool(since) and time.monotonic() - since > image_timeout_s
            if late or not lives:
                piece = int(slot[_PIECE]) if since else None
                found.append(Casualty(piece, int(slot[_POSITION]), late))
        return found

    def idle_s(self) -> float:
        """Return for how many seconds no process has done anything; 0 while one is at work.

        With pieces queued that means that one of them was stopped with the queue's lock in hand.
        """
        slots = list(self._read_slots())
        if any(slot[_SINCE] for slot in slots):
            return 0.0
        seen = max(slot[_SEEN] for slot in slots) or self._started + _START_S
        return max(0.0, time.monotonic() - max(seen, self._last_put))

    def close(self) -> None:
        """Let the processes finish and leave; nothing to do after ``kill``."""
        if self._killed:
            return
        if not any(slot[_SEEN] for slot in self._read_slots()):
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

    def _read_slots(self) -> Iterator[tuple[float, ...]]:
        values = list(self._slots)
        for start in range(0, len(values), _SLOT):
            yield tuple(values[start : start + _SLOT])

    def _run(self) -> None:
        try:
            for piece in self._live():
                # A copy: what came is shared memory, with a file descriptor for each piece.
                self._on_piece(self, piece._replace(pixels=piece.pixels.clone()))
        except Exception as error:
            # A dead process surfaces as RuntimeError, or as whatever its half-sent piece raises.
            self._on_broken(self, error)

    def _live(self) -> DataLoader[DecodedPiece]:
        return DataLoader(
            self._dataset,
            batch_size=None,
            num_workers=self._processes,
            collate_fn=_as_it_is,
            in_order=False,
            multiprocessing_context=self._context,
            worker_init_fn=_start,
        )


class _Pieces(IterableDataset[DecodedPiece]):
    """What runs in a loader process: takes pieces, notes the image in work, never raises."""

    def __init__(self, pieces: Any, slots: Any, decode: Callable[[str], Decoded]) -> None:
        self._queue = pieces
        self._slots = slots
        self._decode = decode

    def __iter__(self) -> Iterator[DecodedPiece]:
        info = get_worker_info()
        start = (info.id if info else 0) * _SLOT
        while (piece := self._queue.get()) is not None:
            yield self._decode_piece(piece, start)

    def _decode_piece(self, piece: Piece, start: int) -> DecodedPiece:
        notes, pixels = [], []
        for position, uri in enumerate(piece.uris):
            # The time comes last: while it is 0, nobody believes the rest.
            self._slots[start + _PIECE] = piece.id
            self._slots[start + _POSITION] = position
            self._slots[start + _SINCE] = time.monotonic()
            image = self._decode(uri)
            self._slots[start + _SEEN] = time.monotonic()
            self._slots[start + _SINCE] = 0
            notes.append(ImageNote(image.failure, image.facts, image.read_ms, image.decode_ms))
            if image.pixels is not None:
                pixels.append(image.pixels)
        return DecodedPiece(piece.id, tuple(notes), _stacked(pixels))


def _start(_worker_id: int) -> None:
    settle_in()


def _as_it_is(piece: Any) -> Any:
    return piece


def _stacked(pixels: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(pixels)) if pixels else torch.empty(0, dtype=torch.uint8)
