"""The engine with real loader processes, and a model whose answers are easy to check."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import decoders
import pytest
import torch
from echo import Echo, echo_engine, loader_pids
from torch import Tensor

from pipeline.errors import EngineError
from pipeline.records import ImageRef, Outcome
from workers.engine.engine import Engine, EngineOptions
from workers.engine.requests import Answer

MakeEngine = Callable[..., Engine]


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    engines: list[Engine] = []

    def make(*arguments: Any, **options: Any) -> Engine:
        engines.append(echo_engine(*arguments, **options))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def refs(*uris: str) -> list[ImageRef]:
    return [ImageRef(index, uri) for index, uri in enumerate(uris)]


def numbers(count: int, start: int = 0) -> list[ImageRef]:
    return refs(*(f"n:{n}" for n in range(start, start + count)))


def answer(engine: Engine, images: Sequence[ImageRef], timeout_s: float = 60) -> Answer:
    return engine.submit(images, top_k=1).result(timeout_s)


def shown(outcomes: Sequence[Outcome]) -> list[int | str]:
    return [str(o.failure.code) if o.failure else o.scores[0].index for o in outcomes]


def count_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_outcomes_come_in_the_order_of_the_images_whatever_the_batches(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(Echo())
    futures = [engine.submit(numbers(37, 40 * n), top_k=1) for n in range(5)]
    for n, future in enumerate(futures):
        found = future.result(60)
        assert shown(found.outcomes) == [(40 * n + i) % 256 for i in range(37)]
        assert [o.index for o in found.outcomes] == list(range(37))
        assert found.outcomes[3].facts.size == 40 * n + 3


def test_batches_keep_the_cap_and_mix_chunks(make_engine: MakeEngine) -> None:
    model = Echo()
    engine = make_engine(model)
    futures = [engine.submit(numbers(3, 100 * (n % 2)), top_k=1) for n in range(16)]
    for future in futures:
        future.result(60)
    assert max(map(len, model.batches)) <= 8
    assert any(len({number // 100 for number in batch}) == 2 for batch in model.batches)


def test_a_chunk_knows_how_it_was_made(make_engine: MakeEngine) -> None:
    made = answer(make_engine(Echo()), numbers(20)).provenance
    assert made.engine == "echo"
    assert sum(made.batch_sizes) >= 20
    assert max(made.batch_sizes) <= 8
    assert made.read_ms == 20.0
    assert made.decode_ms == 40.0
    assert made.forward_ms > 0


def test_jobs_with_another_top_k_share_a_batch(make_engine: MakeEngine) -> None:
    engine = make_engine(Echo())
    one, three = engine.submit(numbers(4), top_k=1), engine.submit(numbers(4), top_k=3)
    assert {len(o.scores) for o in one.result(60).outcomes} == {1}
    assert {len(o.scores) for o in three.result(60).outcomes} == {3}


def test_failures_of_decoding_stay_with_their_image(make_engine: MakeEngine) -> None:
    found = answer(make_engine(Echo()), refs("n:1", "bad:2", "n:3"))
    assert shown(found.outcomes) == [1, "not_an_image", 3]


@pytest.mark.parametrize("death", ["segv", "exit"])
def test_a_picture_that_kills_its_decoder_fails_alone(make_engine: MakeEngine, death: str) -> None:
    engine = make_engine(Echo())
    started = time.monotonic()
    found = answer(engine, refs(*(f"n:{n}" for n in range(10)), f"{death}:1", "n:11", "n:12"))
    assert shown(found.outcomes) == [*range(10), "decoder_crashed", 11, 12]
    assert time.monotonic() - started < 35


def test_many_pictures_in_a_row_that_kill_their_decoder_each_fail_alone(
    make_engine: MakeEngine,
) -> None:
    images = refs("n:0", *(f"exit:{n}" for n in range(9)), "n:10")
    found = answer(make_engine(Echo()), images, timeout_s=120)
    assert shown(found.outcomes) == [0, *["decoder_crashed"] * 9, 10]


def test_a_loader_process_that_is_killed_harms_nobody(
    make_engine: MakeEngine, tmp_path: Path
) -> None:
    images = refs("n:1", f"{tmp_path}/once:2", "n:3", *(f"n:{n}" for n in range(4, 20)))
    assert shown(answer(make_engine(Echo()), images).outcomes) == [1, 2, 3, *range(4, 20)]


def test_all_loader_processes_killed_while_idle_are_replaced(make_engine: MakeEngine) -> None:
    engine = make_engine(Echo())
    answer(engine, numbers(8))
    for pid in loader_pids():
        os.kill(pid, signal.SIGKILL)
    assert shown(answer(engine, numbers(8)).outcomes) == list(range(8))


def test_a_picture_that_hangs_its_decoder_fails_alone_in_its_time(make_engine: MakeEngine) -> None:
    options = EngineOptions(8, 5, loaders=2, streams=1, piece=4, image_timeout_s=1.5)
    engine = make_engine(Echo(), options=options)
    answer(engine, numbers(1))
    started = time.monotonic()
    found = answer(engine, refs("n:0", "n:1", "hang:1", "n:3", "n:4", "n:5"))
    assert shown(found.outcomes) == [0, 1, "timeout", 3, 4, 5]
    assert 1.5 <= time.monotonic() - started < 10


def test_a_loader_process_stopped_with_the_queues_lock_in_hand_is_replaced(
    make_engine: MakeEngine,
) -> None:
    options = EngineOptions(8, 5, loaders=1, streams=1, piece=4, image_timeout_s=1.0)
    engine = make_engine(Echo(), options=options)
    answer(engine, numbers(4))
    for pid in loader_pids():
        os.kill(pid, signal.SIGSTOP)
    assert shown(answer(engine, numbers(6)).outcomes) == list(range(6))


def test_loader_processes_that_die_at_their_start_end_the_engine_in_a_sentence(
    make_engine: MakeEngine,
) -> None:
    options = EngineOptions(8, 5, loaders=1, streams=1, piece=1, image_timeout_s=25)
    engine = make_engine(Echo(), decoders.DiesAtStart(), options)
    found = engine.submit(numbers(40), top_k=1)
    with pytest.raises(EngineError, match="loader processes die"):
        found.result(120)


def test_a_batch_that_fails_is_split_until_the_culprit_is_alone(make_engine: MakeEngine) -> None:
    class Allergic(Echo):
        def misbehave(self, numbers: list[int]) -> None:
            if 13 in numbers:
                raise ValueError("thirteen")

    found = answer(make_engine(Allergic()), numbers(24))
    assert shown(found.outcomes) == [n if n != 13 else "model_error" for n in range(24)]
    assert found.outcomes[13].failure
    assert "thirteen" in found.outcomes[13].failure.message


def test_scores_that_are_not_finite_are_a_failure(make_engine: MakeEngine) -> None:
    class Broken(Echo):
        def classify(self, pixels: Tensor, top_k: int) -> tuple[list[list[int]], list[list[float]]]:
            classes, _ = super().classify(pixels, top_k)
            return classes, [[float("nan")] if c == [2] else [0.5] for c in classes]

    assert shown(answer(make_engine(Broken()), numbers(4)).outcomes) == [0, 1, "model_error", 3]


def test_a_device_out_of_memory_halves_the_cap_and_loses_nothing(make_engine: MakeEngine) -> None:
    class Small(Echo):
        def misbehave(self, numbers: list[int]) -> None:
            if len(numbers) > 3:
                raise torch.OutOfMemoryError("no room")

    model = Small()
    engine = make_engine(model)
    assert shown(answer(engine, numbers(32)).outcomes) == list(range(32))
    model.batches.clear()
    assert shown(answer(engine, numbers(32)).outcomes) == list(range(32))
    assert max(map(len, model.batches)) <= 4


def test_a_device_without_room_for_one_image_is_lost_and_no_image_blamed(
    make_engine: MakeEngine,
) -> None:
    class Full(Echo):
        def misbehave(self, numbers: list[int]) -> None:
            raise torch.OutOfMemoryError("no room at all")

    with pytest.raises(EngineError, match="no room at all"):
        answer(make_engine(Full()), numbers(4))


def test_a_lost_device_ends_every_request_in_a_sentence(make_engine: MakeEngine) -> None:
    class Lost(Echo):
        def misbehave(self, numbers: list[int]) -> None:
            raise RuntimeError("CUDA error: device-side assert triggered")

    engine = make_engine(Lost())
    futures = [engine.submit(numbers(20), top_k=1) for _ in range(3)]
    for future in futures:
        with pytest.raises(EngineError, match="device is lost"):
            future.result(30)
    with pytest.raises(EngineError, match="device is lost"):
        engine.submit(numbers(1), top_k=1).result(5)


def test_a_closed_engine_leaves_no_process_and_abandons_what_is_in_flight(
    make_engine: MakeEngine,
) -> None:
    before = loader_pids()
    engine = make_engine(Echo())
    future = engine.submit(refs("n:1", "hang:2"), top_k=1)
    while not loader_pids() - before:
        time.sleep(0.05)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        future.result(5)
    deadline = time.monotonic() + 10
    while loader_pids() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert loader_pids() <= before


def test_a_closed_engine_takes_nothing_more_and_says_so(make_engine: MakeEngine) -> None:
    engine = make_engine(Echo())
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.submit(numbers(1), top_k=1).result(1)


def test_closing_does_not_wait_for_what_is_queued_before_the_model(
    make_engine: MakeEngine,
) -> None:
    class Slow(Echo):
        def misbehave(self, numbers: list[int]) -> None:
            time.sleep(0.5)

    engine = make_engine(Slow(), options=EngineOptions(1, 5, 2, 1, 4, 25))
    future = engine.submit(numbers(40), top_k=1)
    time.sleep(1)
    started = time.monotonic()
    engine.close()
    assert time.monotonic() - started < 4
    assert future.exception(1)


def test_chunks_of_bad_pictures_leave_nothing_behind(make_engine: MakeEngine) -> None:
    engine = make_engine(Echo())
    for _ in range(5):
        answer(engine, refs(*["bad:1"] * 12))
    assert not engine._in_model
    assert engine._backlog.is_empty()


def test_pictures_that_wait_for_the_model_hold_no_files(make_engine: MakeEngine) -> None:
    held = threading.Event()

    class Waiting(Echo):
        def misbehave(self, numbers: list[int]) -> None:
            held.wait(60)

    engine = make_engine(Waiting(), options=EngineOptions(64, 5, 2, 1, 1, 25))
    before = count_files()
    future = engine.submit(numbers(100), top_k=1)
    time.sleep(3)
    assert count_files() - before < 30
    held.set()
    assert len(future.result(60).outcomes) == 100


def test_a_pause_of_the_whole_machine_condemns_nobody(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = EngineOptions(8, 5, loaders=1, streams=1, piece=4, image_timeout_s=1.0)
    engine = make_engine(Echo(), options=options)
    answer(engine, numbers(1))
    future = engine.submit(refs("slow:1", "n:2"), top_k=1)
    time.sleep(0.3)
    (loader,) = loader_pids()
    stopped = [loader, os.getpid()]
    thaw = f"sleep 4; kill -CONT {' '.join(map(str, stopped))}"
    with subprocess.Popen(["sh", "-c", f"kill -STOP {' '.join(map(str, stopped))}; {thaw}"]):
        assert shown(future.result(60).outcomes) == [1, 2]


def test_a_chunk_without_images_is_refused(make_engine: MakeEngine) -> None:
    with pytest.raises(ValueError, match="without an image"):
        make_engine(Echo()).submit([], top_k=1)
