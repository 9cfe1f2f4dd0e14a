"""The engine: the only loop that wires loader, batcher and classifier, and mends them."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from pipeline.errors import EngineError
from pipeline.records import ImageRef, Provenance
from workers.batcher import Batcher
from workers.classifier import Classifier
from workers.decoder import Reuse
from workers.engine.backlog import Backlog
from workers.engine.forward import Forward, Ticket
from workers.engine.requests import Answer, Request
from workers.engine.unpacker import Packed, Unpack, Unpacker
from workers.jpegs import Jpeg
from workers.loader import Loader
from workers.pieces import DecodedImages, ImageDecoder, Piece

log = logging.getLogger(__name__)

#: How often the engine looks after its loader processes, in seconds.
_WATCH_S = 0.5
#: A longer pause between two looks means that this process itself was stopped, in seconds.
_SLEEP_S = 2.0
#: So many losses of loader processes in a row, with no image to blame, are no accident.
_LOSSES = 5


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine is laid out; counts are images unless they say otherwise."""

    max_batch: int
    max_wait_ms: float
    #: Loader processes.
    loaders: int
    #: Forward passes at the same time.
    streams: int
    #: Images that one loader process takes at once.
    piece: int
    image_timeout_s: float
    #: Downloads at the same time in each loader process, and how long one of them may take.
    downloads: int = 256
    url_timeout_s: float = 15.0
    #: Memory that one loader process may take, in MiB, and images after which it is replaced.
    loader_memory: int = 4096
    loader_images: int = 100_000

    @property
    def room(self) -> int:
        """Images between the backlog and the model: enough that neither side waits for work."""
        return 2 * self.loaders * self.piece + 2 * self.streams * self.max_batch

    @property
    def far_room(self) -> int:
        """Images that may be with the loader processes beside those, to be downloaded."""
        return self.loaders * self.downloads


class Engine:
    """One model on one device; ``submit`` and ``close`` may be called from any thread.

    All its state belongs to its own thread, which runs one event after the other. ``origin`` says
    what computes, for the provenance of its answers. ``unpack`` decodes what the loader processes
    hand over undecoded, where they do.
    """

    def __init__(
        self,
        classifier: Classifier,
        decoder: ImageDecoder,
        options: EngineOptions,
        origin: Provenance = Provenance(),
        unpack: Unpack | None = None,
    ) -> None:
        self.options = options
        self.origin = origin
        self._decoder = decoder
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._backlog = Backlog(options.piece, decoder.is_far)
        self._in_model: dict[Request, int] = {}
        self._losses = 0
        self._fatal: Exception | None = None
        self._closed = False
        self._shut = False
        self._door = threading.Lock()
        self._watched = self._progressed = time.monotonic()
        self._slept_s = self._slept_until = 0.0
        self._batcher: Batcher[Ticket] = Batcher(options.max_batch, options.max_wait_ms)
        self._loader = self._new_loader()
        self._forward = Forward(
            classifier, self._batcher, options.streams, self._hear_done, self._hear_fatal
        )
        self._unpacker = unpack and Unpacker(
            unpack, self._batcher.put, self._hear_done, self._hear_fatal
        )
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(
        self, images: Sequence[ImageRef], top_k: int, reuse_of: int | None = None
    ) -> Future[Answer]:
        """Take the images (one at least) of one chunk; the future gives their outcomes in order.

        ``top_k`` scores are kept of each. ``reuse_of`` is the stored model whose answers they may
        take, where their bytes were classified before. It fails with EngineError when the device
        or the loader processes are gone for good.
        """
        if not images:
            raise ValueError("a chunk without an image needs no engine")
        reuse = None if reuse_of is None else Reuse(reuse_of, top_k)
        request = Request(images, top_k, self.origin, reuse)
        with self._door:
            if self._shut:
                request.abandon(EngineError("the engine was closed"))
            else:
                self._events.put(lambda: self._accept(request))
        return request.future

    def stalled_s(self) -> float:
        """Return for how long images have been in flight without any progress, in seconds."""
        busy = self._in_model or not self._backlog.is_empty()
        return time.monotonic() - self._progressed if busy else 0.0

    def close(self) -> None:
        """Stop at once: what is in flight is abandoned with EngineError."""
        with self._door:
            self._shut = True
            # Behind all that was submitted, so that nobody waits for an answer for ever.
            self._events.put(self._close)
        if self._unpacker:
            self._unpacker.close()
        self._batcher.drop()
        self._thread.join(10)
        # A process that ends with a thread in the model aborts: only a lost device is left there.
        self._forward.join(10)
        if self._unpacker:
            self._unpacker.join(10)

    def _run(self) -> None:
        while not self._closed:
            pause_s = max(0.0, self._watched + _WATCH_S - time.monotonic())
            try:
                with suppress(queue.Empty):
                    self._events.get(timeout=pause_s)()
                if time.monotonic() >= self._watched + _WATCH_S:
                    self._watch()
                self._feed()
            except Exception as error:
                # A bug; but whoever waits for an answer must not wait for ever.
                log.exception("the engine's loop failed")
                self._give_up(EngineError(f"the engine failed ({error!r})"))

    # What the other threads tell: each is one event in the engine's own thread.

    def _hear_images(self, loader: Loader, images: DecodedImages) -> None:
        self._events.put(lambda: self._take_images(loader, images))

    def _hear_broken(self, loader: Loader, error: Exception) -> None:
        self._events.put(lambda: self._mend(loader, str(error)))

    def _hear_done(self, tickets: Sequence[Ticket | Packed]) -> None:
        self._events.put(lambda: self._let_go(tickets))

    def _hear_fatal(self, error: Exception) -> None:
        self._events.put(lambda: self._give_up(EngineError(f"the device is lost: {error}")))

    # The events.

    def _accept(self, request: Request) -> None:
        if self._fatal:
            request.abandon(self._fatal)
            return
        if self.stalled_s() == 0:
            self._progressed = time.monotonic()
        self._backlog.add(request)

    def _take_images(self, loader: Loader, images: DecodedImages) -> None:
        if loader is not self._loader:
            return  # A late answer of processes that were given up; their pieces went out again.
        self._losses = 0
        self._progressed = time.monotonic()
        if tickets := list(self._make_tickets(images)):
            for ticket in tickets:
                self._in_model[ticket.request] = self._in_model.get(ticket.request, 0) + 1
            self._put(tickets)

    def _put(self, tickets: Sequence[Ticket | Packed]) -> None:
        if self._unpacker:
            self._unpacker.put(tickets)
        else:
            # Without one that unpacks, no decoder hands over what is packed.
            self._batcher.put(cast("Sequence[Ticket]", tickets))

    def _make_tickets(self, images: DecodedImages) -> Iterator[Ticket | Packed]:
        """Give each image what is known of it, and yield those that need the model."""
        pictures = images.pictures()
        for key, note, picture in zip(images.keys, images.notes, pictures, strict=True):
            found = self._backlog.come_back(*key)
            if found is not None and found[0].note(found[1], note) and picture is not None:
                if isinstance(picture, Jpeg):
                    yield Packed(*found, picture)
                else:
                    yield Ticket(*found, picture)

    def _let_go(self, tickets: Sequence[Ticket | Packed]) -> None:
        self._progressed = time.monotonic()
        for ticket in tickets:
            self._in_model[ticket.request] -= 1
            if not self._in_model[ticket.request]:
                del self._in_model[ticket.request]

    def _watch(self) -> None:
        slept_s = time.monotonic() - self._watched - _WATCH_S
        self._watched = time.monotonic()
        if slept_s > _SLEEP_S:
            # This whole machine was stopped: time has passed, but not for the loader processes.
            self._slept_s += slept_s
            self._progressed += slept_s
            self._slept_until = self._watched + self._timeout_s()
        elif self._watched > self._slept_until:
            self._slept_s = 0.0
        if self._is_stuck() or self._loader.find_casualties(self._timeout_s()):
            self._mend(self._loader, "")

    def _is_stuck(self) -> bool:
        far, near = (self._backlog.images_out(far=far) for far in (True, False))
        # Nothing is done while every image out is still being downloaded.
        idle_s = self._timeout_s() + (self.options.url_timeout_s if far else 0.0)
        return far + near > 0 and self._loader.idle_s() > idle_s

    def _timeout_s(self) -> float:
        return self.options.image_timeout_s + self._slept_s

    def _mend(self, loader: Loader, reason: str) -> None:
        """Replace a loader that lost a process: its queue's lock may have died with it."""
        if loader is not self._loader or self._fatal:
            return
        casualties = loader.find_casualties(self._timeout_s())
        loader.kill()
        to_blame = any(casualty.piece_id is not None for casualty in casualties)
        self._losses = 0 if to_blame else self._losses + 1
        if self._losses > _LOSSES:
            self._give_up(EngineError(f"the loader processes die at their start; {reason}"))
            return
        for request, position, failure in self._backlog.lose(casualties):
            request.fail(position, failure)
        self._loader = self._new_loader()

    def _give_up(self, error: EngineError) -> None:
        self._fatal = self._fatal or error
        for request in self._backlog.drain() | set(self._in_model):
            request.abandon(self._fatal)

    def _close(self) -> None:
        idle = self._backlog.is_empty() and self._fatal is None
        self._give_up(EngineError("the engine was closed"))
        self._closed = True
        if idle:
            self._loader.close()
        else:
            self._loader.kill()

    def _feed(self) -> None:
        if self._given >= self.options.loaders * self.options.loader_images:
            self._recycle()
            return
        far, near = (self._backlog.images_out(far=far) for far in (True, False))
        room = self.options.room - near - sum(self._in_model.values())
        for number, work in self._backlog.send_out(room, self.options.far_room - far):
            self._given += len(work.positions)
            uris = tuple(work.request.images[position].uri for position in work.positions)
            self._loader.put(Piece(number, uris, work.far, work.request.reuse))

    def _recycle(self) -> None:
        """Replace the loader processes, once nothing is out: what they leaked goes with them."""
        if not self._backlog.is_out():
            self._loader.close()
            self._loader = self._new_loader()
            self._feed()

    def _new_loader(self) -> Loader:
        self._given = 0
        return Loader(
            self.options.loaders,
            self.options.piece,
            self._decoder,
            self._hear_images,
            self._hear_broken,
            self.options.loader_memory * 2**20,
        )
