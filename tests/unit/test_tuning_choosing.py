"""From measurements to a layout: numbers in, numbers out."""

from __future__ import annotations

import pytest

from workers.classifier.making import EngineName
from workers.tuning.choice import Choice, Given
from workers.tuning.choosing import (
    CPU_BATCHES,
    GPU_BATCHES,
    Candidates,
    choose,
    choose_built_in,
    is_hopeless,
    list_candidates,
    pick_piece,
    pick_rate,
)
from workers.tuning.measurements import Measurements, Rate

NOTHING = Given()


def openvino(batch: int, images_per_s: float) -> Rate:
    return Rate("openvino", batch, images_per_s)


def torch(batch: int, images_per_s: float) -> Rate:
    return Rate("torch", batch, images_per_s)


def on_cpu(*rates: Rate, decode_ms: float = 2.0, cores: int = 2, given: Given = NOTHING) -> Choice:
    return choose(Measurements(rates, decode_ms / 1000), given, cores, on_gpu=False)


def test_the_engine_with_the_best_rate_wins() -> None:
    assert on_cpu(openvino(8, 200), torch(8, 120), torch(32, 190)).engine == "openvino"
    assert on_cpu(openvino(8, 120), torch(32, 190)).engine == "torch"


def test_the_likeliest_batch_within_three_percent_of_the_best_is_taken() -> None:
    rates = [openvino(8, 96.9), torch(8, 99), openvino(16, 98), openvino(4, 99), openvino(32, 100)]
    assert pick_rate(rates) == openvino(16, 98)
    assert on_cpu(*rates).max_batch == 16


@pytest.mark.parametrize(
    ("decode_ms", "images_per_s", "cores", "loaders"),
    [
        # 1 of 2, and a tenth for reading and handing over; 13.2 of 16.
        (2.0, 1000, 2, 2),
        (2.0, 35000, 16, 14),
        # Half of them and two at least, and no more than there are cores.
        (2.0, 250, 2, 2),
        (0.1, 10, 16, 8),
        (100, 1000, 4, 4),
        (2.0, 50, 1, 1),
    ],
)
def test_loader_processes_make_up_the_share_of_the_cores_that_decoding_costs(
    decode_ms: float, images_per_s: float, cores: int, loaders: int
) -> None:
    assert on_cpu(openvino(8, images_per_s), decode_ms=decode_ms, cores=cores).loaders == loaders


def test_on_a_gpu_every_core_decodes() -> None:
    found = Measurements((torch(256, 9000), torch(128, 8990)), 0.0016)
    choice = choose(found, NOTHING, 16, on_gpu=True)
    assert (choice.max_batch, choice.loaders, choice.streams) == (256, 16, 2)
    assert choice.piece == 16


@pytest.mark.parametrize(
    ("decode_ms", "piece"), [(1.5, 16), (2.0, 8), (0.1, 32), (25, 1), (900, 1)]
)
def test_a_piece_is_a_power_of_two_that_is_decoded_in_thirty_milliseconds(
    decode_ms: float, piece: int
) -> None:
    assert pick_piece(decode_ms / 1000) == piece


def test_what_was_set_by_hand_wins_and_is_said() -> None:
    given = Given("torch", max_batch=5, loaders=7, piece=3)
    rates = (torch(5, 90),)
    choice = on_cpu(*rates, given=given)
    assert (choice.engine, choice.max_batch, choice.loaders, choice.piece) == ("torch", 5, 7, 3)
    assert "set by hand: engine, max_batch, loaders, piece" in choice.why


def test_the_reason_names_what_was_measured() -> None:
    why = on_cpu(openvino(8, 231.4), torch(16, 120), decode_ms=2.1).why
    assert "openvino 231 images/s in batches of 8, torch 120 images/s in batches of 16" in why
    assert "decoding takes 2.1 ms" in why
    assert "set by hand" not in why


def test_only_what_is_not_set_by_hand_is_measured() -> None:
    engines: tuple[EngineName, ...] = ("openvino", "torch")
    assert list_candidates(NOTHING, engines, on_gpu=False) == Candidates(engines, CPU_BATCHES)
    assert list_candidates(NOTHING, ("torch",), on_gpu=True).batches == GPU_BATCHES
    given = Given(engine="torch", max_batch=24)
    assert list_candidates(given, engines, on_gpu=False) == Candidates(("torch",), (24,))


def test_an_engine_that_is_far_behind_is_measured_no_further() -> None:
    rates = [openvino(8, 200), torch(8, 150)]
    assert is_hopeless("torch", rates)
    assert not is_hopeless("openvino", rates)
    assert not is_hopeless("torch", [openvino(8, 200), torch(8, 170)])
    assert not is_hopeless("torch", [openvino(8, 200)])


def test_the_built_in_layout_is_small_batches_on_a_cpu_and_big_ones_on_a_gpu() -> None:
    cpu = choose_built_in("openvino", NOTHING, 6, on_gpu=False, why="so")
    assert (cpu.max_batch, cpu.loaders, cpu.piece, cpu.streams) == (8, 3, 16, 6)
    gpu = choose_built_in("torch", NOTHING, 16, on_gpu=True, why="so")
    assert (gpu.max_batch, gpu.loaders, gpu.piece, gpu.streams) == (256, 16, 32, 2)
    assert choose_built_in("torch", NOTHING, 1, on_gpu=False, why="so").loaders == 1
    assert not cpu.measured
    by_hand = choose_built_in("openvino", Given(max_batch=3), 6, on_gpu=False, why="so")
    assert (by_hand.max_batch, by_hand.piece) == (3, 16)


def test_the_summary_counts_processes_rightly() -> None:
    one = on_cpu(openvino(8, 200), given=Given(loaders=1))
    assert one.summary == "openvino, batches of 8, 1 loader process, pieces of 8"
    two = on_cpu(openvino(8, 200), given=Given(loaders=2))
    assert "2 loader processes" in two.summary


@pytest.mark.parametrize("number", [0.0, -1.0, float("nan"), float("inf")])
def test_what_nobody_can_measure_is_no_measurement(number: float) -> None:
    for rates, decode_s in (((openvino(8, number),), 0.002), ((openvino(8, 200),), number)):
        with pytest.raises(ValueError, match="no measurements"):
            Measurements(rates, decode_s)
    with pytest.raises(ValueError, match="no measurements"):
        Measurements((), 0.002)
