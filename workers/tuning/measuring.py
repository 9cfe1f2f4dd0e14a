"""Measuring: what this machine does in a quarter of a second, twice, and the better counts."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import torch

from pipeline.records import Precision
from workers.classifier import Classifier
from workers.classifier.making import EngineName, make_classifier
from workers.decode import decode
from workers.geometry import CROP
from workers.tuning.choosing import Candidates, is_hopeless
from workers.tuning.measurements import Measurements, Rate
from workers.tuning.picture import draw_photo
from workers.tuning.together import Meet, Together
from workers.weights import State

log = logging.getLogger(__name__)

#: How long one measurement takes, in seconds, and how often it is taken.
_MEASURE_S = 0.25
_ROUNDS = 2
#: After so many seconds no further batch is tried: a start must not wait for a slow machine.
_PATIENCE_S = 6.0
#: Scores kept of each image, as most jobs do.
_TOP_K = 5


def measure_machine(
    state: State,
    precision: Precision,
    device: torch.device,
    candidates: Candidates,
    streams: int,
) -> Measurements:
    """Measure the candidates for the model of a state dict, and what decoding takes.

    ``streams`` threads compute at once. What has no room on the device is left out. Raises what
    the device raises, and ValueError when nothing at all has room.
    """
    rates = _measure_rates(state, precision, device, candidates, streams)
    if device.type == "cuda":
        torch.cuda.empty_cache()  # What the classifiers, which are gone now, had of it.
    return Measurements(tuple(rates), measure_decoding(precision))


def measure_forward(classifier: Classifier, batch: int, threads: Together) -> float:
    """Return the images/s of a classifier in batches of one size, all threads at once.

    Raises what the classifier raises.
    """
    images = list(torch.randint(0, 256, (batch, CROP, CROP, 3), dtype=torch.uint8))

    def classify() -> None:
        # Put together anew each time, as the engine has to.
        classifier.classify(torch.stack(images), _TOP_K)

    return batch * sum(threads.run(lambda meet: _passes_per_s(classify, meet)))


def measure_decoding(precision: Precision) -> float:
    """Return the seconds of one core that it takes to decode a photo of about 500 x 375 pixels.

    They are seconds of CPU: what else runs here does not count.
    """
    photo = draw_photo()

    def decode_photo() -> None:
        decode(photo, precision, max_pixels=2**30)

    with Together(1) as thread:
        rounds = [
            thread.run(lambda meet: _passes_per_s(decode_photo, meet, time.thread_time))[0]
            for _ in range(_ROUNDS)
        ]
    return 1 / max(rounds)


def _measure_rates(
    state: State,
    precision: Precision,
    device: torch.device,
    candidates: Candidates,
    streams: int,
) -> list[Rate]:
    classifiers: dict[EngineName, Classifier] = {
        engine: make_classifier(state, precision, device, engine, streams)
        for engine in candidates.engines
    }
    deadline = time.monotonic() + _PATIENCE_S
    with Together(streams) as threads:
        # First each engine in its likeliest batch: one that is far behind gets no more time.
        rates = _measure_all(classifiers, candidates.batches[:1], threads, math.inf)
        left = {e: made for e, made in classifiers.items() if not is_hopeless(e, rates)}
        return rates + _measure_all(left, candidates.batches[1:], threads, deadline)


def _measure_all(
    classifiers: Mapping[EngineName, Classifier],
    batches: tuple[int, ...],
    threads: Together,
    deadline: float,
) -> list[Rate]:
    """Return the better rate of each that has room.

    Round after round over all of them: what else runs here for a moment disturbs each but once.
    """
    keys = [(engine, batch) for batch in batches for engine in classifiers]
    best = dict.fromkeys(keys, 0.0)
    for _ in range(_ROUNDS):
        for engine, batch in keys:
            if (engine, batch) in best and time.monotonic() < deadline:
                rate = _try(classifiers[engine], batch, threads)
                if rate is None:
                    log.info("%s has no room here for batches of %d", engine, batch)
                    del best[engine, batch]
                else:
                    best[engine, batch] = max(rate, best[engine, batch])
    return [Rate(*key, rate) for key, rate in best.items() if rate]


def _try(classifier: Classifier, batch: int, threads: Together) -> float | None:
    with suppress(torch.OutOfMemoryError):
        return measure_forward(classifier, batch, threads)
    # Not before the error is gone: its traceback holds memory.
    torch.cuda.empty_cache()
    return None


def _passes_per_s(
    work: Callable[[], None],
    meet: Meet,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return how often a second the work is done, from when all the threads are ready."""
    work()  # The first call compiles, and reads code and weights into the caches.
    meet()
    count, started = 0, clock()
    while clock() < started + _MEASURE_S:
        work()
        count += 1
    return count / (clock() - started)
