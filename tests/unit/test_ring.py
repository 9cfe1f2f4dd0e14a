"""The ring: pixels come as they were laid down, and no place is used while it is needed."""

from __future__ import annotations

import multiprocessing
import threading

import torch
from torch import Tensor

from workers.ring import Handed, Ring


def pictures(*values: int) -> list[Tensor]:
    return [torch.full((224, 224, 3), value, dtype=torch.uint8) for value in values]


def new_ring(processes: int = 2, images: int = 3) -> Ring:
    return Ring(multiprocessing.get_context("forkserver"), processes, images)


def first_values(pixels: Tensor) -> list[int]:
    assert pixels.shape[1:] == (224, 224, 3)
    return [int(value) for value in pixels[:, 0, 0, 0]]


def test_what_each_process_lays_down_is_taken_whole() -> None:
    ring = new_ring()
    handed = [ring.write(process, 0, pictures(process + 1, process + 5)) for process in (0, 1)]
    for process, each in enumerate(handed):
        pixels = ring.take(each)
        assert first_values(pixels) == [process + 1, process + 5]
        assert bool((pixels == pixels[:, :1, :1, :1]).all())


def test_what_was_taken_stays_when_its_place_is_used_again() -> None:
    ring = new_ring(processes=1)
    taken = [ring.take(ring.write(0, turn, pictures(turn))) for turn in range(20)]
    assert [first_values(each) for each in taken] == [[turn] for turn in range(20)]


def test_an_answer_without_pixels_takes_its_turn() -> None:
    ring = new_ring(processes=1)
    for turn in range(10):
        assert ring.take(ring.write(0, turn, [])).shape == (0, 224, 224, 3)


def test_a_process_waits_for_a_place_and_overwrites_nothing() -> None:
    ring, handed = new_ring(processes=1), list[Handed]()

    def write() -> None:
        for turn in range(5):
            handed.append(ring.write(0, turn, pictures(turn)))

    writer = threading.Thread(target=write)
    writer.start()
    writer.join(0.3)
    assert (writer.is_alive(), len(handed)) == (True, 4)
    assert first_values(ring.take(handed[0])) == [0]
    writer.join(10)
    assert [first_values(ring.take(each)) for each in handed[1:]] == [[1], [2], [3], [4]]
