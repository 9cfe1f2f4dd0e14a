"""The unpacker: where a GPU decodes, JPEGs between the loader processes and the batcher."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pipeline.records import Failure
from workers.engine.forward import Ticket
from workers.engine.requests import Request
from workers.jpegs import Jpeg

#: Images after which no more are awaited for one go: a GPU's decoder is faster with many.
_TOGETHER = 256


class Packed(NamedTuple):
    """An image on its way to the model that nobody has decoded yet."""

    request: Request
    position: int
    jpeg: Jpeg


class Unpack(Protocol):
    """What decodes many images at once; what it has in hand it does not keep."""

    def __call__(self, pictures: Sequence[Tensor | Jpeg], /) -> list[Tensor | Failure]:
        """Return the pixels of each on the model's device, uint8 (224, 224, 3), or its failure.

        Pixels are moved there as they are. Raises torch.OutOfMemoryError when there is no room
        for so many, and anything else when the device is lost.
        """
        ...


class Unpacker:
    """A thread that decodes whatever has come meanwhile, all of it together.

    ``on_ready(tickets)`` takes what is decoded, ``on_done(images)`` hears of those that failed,
    ``on_fatal(error)`` of a device that cannot go on.
    """

    def __init__(
        self,
        unpack: Unpack,
        on_ready: Callable[[Sequence[Ticket]], None],
        on_done: Callable[[Sequence[Ticket | Packed]], None],
        on_fatal: Callable[[Exception], None],
    ) -> None:
        self._unpack = unpack
        self._on_ready = on_ready
        self._on_done = on_done
        self._on_fatal = on_fatal
        self._queue: queue.SimpleQueue[Sequence[Ticket | Packed]] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="unpacker", daemon=True)
        self._thread.start()

    def put(self, images: Sequence[Ticket | Packed]) -> None:
        """Take images; it never blocks."""
        self._queue.put(images)

    def close(self) -> None:
        """Let the thread end after what it has in hand."""
        self._closed = True
        self._queue.put(())

    def join(self, timeout_s: float) -> None:
        """Wait so long for the thread to end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while images := self._take():
            try:
                self._pass_on(images)
            except Exception as error:
                self._on_fatal(error)
                return

    def _take(self) -> list[Ticket | Packed]:
        """Wait for images, and return what is here by then; nothing when it is closed."""
        taken = list(self._queue.get())
        with suppress(queue.Empty):
            while len(taken) < _TOGETHER:
                taken += self._queue.get_nowait()
        return [] if self._closed else taken

    def _pass_on(self, images: Sequence[Ticket | Packed]) -> None:
        """Unpack images; what has no room together is halved until one alone has none."""
        found = self._try(images)
        if found is None:
            torch.cuda.empty_cache()
            middle = len(images) // 2
            self._pass_on(images[:middle])
            self._pass_on(images[middle:])
            return
        ready, failed = [], []
        for image, made in zip(images, found, strict=True):
            if isinstance(made, Failure):
                image.request.fail(image.position, made)
                failed.append(image)
            else:
                ready.append(Ticket(image.request, image.position, made))
        self._on_ready(ready)
        self._on_done(failed)

    def _try(self, images: Sequence[Ticket | Packed]) -> list[Tensor | Failure] | None:
        try:
            return self._unpack([i.jpeg if isinstance(i, Packed) else i.pixels for i in images])
        except torch.OutOfMemoryError:
            if len(images) == 1:
                raise
            return None
