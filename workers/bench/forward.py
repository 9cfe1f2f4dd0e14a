"""The forward pass alone: as many threads as the engine has, each with one batch after another."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

from workers.classifier import Classifier
from workers.geometry import CROP
from workers.tuning.together import Meet, Together

#: Images that go around: more than a CPU's caches hold, as in the whole pipeline.
_POOL = 256


class ForwardCost(NamedTuple):
    """Images/s of the device, and seconds of one core of this machine for an image."""

    images_per_s: float
    core_s: float


class _Times(NamedTuple):
    started: float
    started_cpu: float
    ended: float
    ended_cpu: float


def time_forward(
    classifier: Classifier, images: int, batch: int, streams: int, top_k: int
) -> ForwardCost:
    """Classify ``images`` images about, in batches of ``batch``, ``streams`` threads at once.

    Raises what the classifier raises.
    """
    pool = torch.randint(0, 256, (max(_POOL, batch), CROP, CROP, 3), dtype=torch.uint8)
    batches = [pool[n : n + batch] for n in range(0, len(pool) - batch + 1, batch)]
    rounds = max(1, round(images / (batch * streams)))

    def work(meet: Meet) -> _Times:
        classifier.classify(batches[0], top_k)  # The first call of a thread prepares much.
        meet()
        started, started_cpu = time.perf_counter(), time.process_time()
        for number in range(rounds):
            classifier.classify(batches[number % len(batches)], top_k)
        return _Times(started, started_cpu, time.perf_counter(), time.process_time())

    with Together(streams) as together:
        times = together.run(work)
    done = rounds * batch * streams
    took_s = max(t.ended for t in times) - min(t.started for t in times)
    cpu_s = max(t.ended_cpu for t in times) - min(t.started_cpu for t in times)
    return ForwardCost(done / took_s, cpu_s / done)
