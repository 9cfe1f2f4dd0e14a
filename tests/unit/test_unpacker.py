"""The unpacker: what it passes on, what fails, and what becomes of a lack of memory."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor

from pipeline.records import Failure, FailureCode, ImageRef, Provenance
from workers.engine.forward import Ticket
from workers.engine.requests import Request
from workers.engine.unpacker import Packed, Unpacker
from workers.jpegs import Jpeg, JpegNote

BAD = Failure(FailureCode.DECODE_ERROR, "it is bad")


def jpeg(number: int) -> Jpeg:
    return Jpeg(torch.tensor([number], dtype=torch.uint8), JpegNote(1, 1, 1, 1))


class Halver:
    """Makes a picture of a JPEG's one byte; 13 is bad, and more than ``room`` are too many."""

    def __init__(self, room: int = 99, error: Exception | None = None) -> None:
        self.room = room
        self.error = error or torch.OutOfMemoryError("no room")
        self.sizes: list[int] = []

    def __call__(self, pictures: Sequence[Tensor | Jpeg]) -> list[Tensor | Failure]:
        self.sizes.append(len(pictures))
        if len(pictures) > self.room:
            raise self.error
        return [self._make(each) for each in pictures]

    def _make(self, picture: Tensor | Jpeg) -> Tensor | Failure:
        data = picture.data if isinstance(picture, Jpeg) else picture
        return BAD if data[0] == 13 else data + 100


class Ends:
    """What an unpacker tells, in order."""

    def __init__(self) -> None:
        self.ready: queue.SimpleQueue[Ticket] = queue.SimpleQueue()
        self.failed: queue.SimpleQueue[Ticket | Packed] = queue.SimpleQueue()
        self.fatal: queue.SimpleQueue[Exception] = queue.SimpleQueue()
        self.open: list[Unpacker] = []

    def start(self, unpack: Halver) -> Unpacker:
        unpacker = Unpacker(unpack, self._ready, self._done, self.fatal.put)
        self.open.append(unpacker)
        return unpacker

    def _ready(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            self.ready.put(ticket)

    def _done(self, images: Sequence[Ticket | Packed]) -> None:
        for image in images:
            self.failed.put(image)

    def numbers(self, count: int) -> list[int]:
        return [int(self.ready.get(timeout=10).pixels[0]) for _ in range(count)]


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    for unpacker in made.open:
        unpacker.close()
        unpacker.join(10)
        assert not unpacker._thread.is_alive()


def request(count: int) -> Request:
    images = [ImageRef(number, str(number)) for number in range(count)]
    return Request(images, 1, Provenance())


def packed(*numbers: int) -> list[Ticket | Packed]:
    whole = request(len(numbers))
    return [Packed(whole, place, jpeg(number)) for place, number in enumerate(numbers)]


def test_jpegs_and_pixels_are_passed_on_in_their_order(ends: Ends) -> None:
    whole = request(3)
    pixels = torch.tensor([2], dtype=torch.uint8)
    ends.start(Halver()).put(
        [Packed(whole, 0, jpeg(1)), Ticket(whole, 1, pixels), Packed(whole, 2, jpeg(3))]
    )
    assert ends.numbers(3) == [101, 102, 103]


def test_an_image_that_fails_is_let_go_with_its_failure(ends: Ends) -> None:
    images = packed(13)
    ends.start(Halver()).put(images)
    assert ends.failed.get(timeout=10) is images[0]
    assert images[0].request.future.result(10).outcomes[0].failure == BAD


def test_what_has_no_room_together_is_halved(ends: Ends) -> None:
    unpack = Halver(room=2)
    ends.start(unpack).put(packed(*range(5)))
    assert ends.numbers(5) == [100, 101, 102, 103, 104]
    assert unpack.sizes == [5, 2, 3, 1, 2]


@pytest.mark.parametrize(
    "unpack", [Halver(room=0), Halver(room=0, error=RuntimeError("CUDA error: lost"))]
)
def test_no_room_for_one_image_and_a_lost_device_are_fatal(ends: Ends, unpack: Halver) -> None:
    ends.start(unpack).put(packed(1, 2))
    assert ends.fatal.get(timeout=10) is unpack.error


def test_it_ends_while_images_wait(ends: Ends) -> None:
    unpacker = ends.start(Halver())
    unpacker.close()
    unpacker.put(packed(1))
    unpacker.join(10)
    assert ends.ready.empty()
