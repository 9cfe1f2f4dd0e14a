"""Tuning: the choice for one model on one device, given, remembered, measured, or built in.

``start_engine`` asks ``tune`` and lays the engine out by the ``Choice``.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import torch

from pipeline.records import Precision
from workers.classifier.making import list_engines
from workers.cores import count_cores
from workers.tuning import cache
from workers.tuning.choice import Choice, Given
from workers.tuning.choosing import choose, choose_built_in, count_streams, list_candidates
from workers.tuning.machine import describe_machine
from workers.tuning.measuring import measure_machine
from workers.weights import State, read_state

log = logging.getLogger(__name__)


def tune(
    weights: Path,
    state: State | None,
    precision: Precision,
    device: torch.device,
    *,
    measure: bool,
    given: Given,
    anew: bool = False,
) -> Choice:
    """Return how an engine for a weights file is laid out on this machine; it never fails.

    What was ``given`` by hand is kept. The rest follows from measurements: those remembered for
    this machine, model and version (not with ``anew``), or with ``measure`` new ones, which take
    a few seconds. Without either it is the built-in layout. ``state`` is what
    ``read_state`` made of the weights, where the caller has it; it is left as it is.
    """
    try:
        return _choose(weights, state, precision, device, measure=measure, given=given, anew=anew)
    except Exception as error:
        log.warning("this machine cannot be measured (%r); the built-in layout will do", error)
        return _built_in(precision, device, given, f"built in: measuring failed ({error!r})")


def _choose(
    weights: Path,
    state: State | None,
    precision: Precision,
    device: torch.device,
    *,
    measure: bool,
    given: Given,
    anew: bool,
) -> Choice:
    if given.is_whole:
        return _built_in(precision, device, given, "all of it was set by hand")
    cores, on_gpu = count_cores(), device.type == "cuda"
    candidates = list_candidates(given, list_engines(precision, device), on_gpu=on_gpu)
    machine = describe_machine(weights, precision, device, cores, candidates)
    found = None if anew else cache.find(machine)
    if found is None and not measure:
        return _built_in(precision, device, given, "built in: this machine is not measured yet")
    if found is None:
        started = time.perf_counter()
        streams = count_streams(cores, on_gpu=on_gpu)
        found = measure_machine(
            state or read_state(weights), precision, device, candidates, streams
        )
        cache.save(machine, found)
        choice = choose(found, given, cores, on_gpu=on_gpu)
        took_s = time.perf_counter() - started
        log.info("measured this machine in %.1f s: %s (%s)", took_s, choice.summary, choice.why)
        return choice
    return choose(found, given, cores, on_gpu=on_gpu)


def _built_in(precision: Precision, device: torch.device, given: Given, why: str) -> Choice:
    engine = list_engines(precision, device)[0]
    return choose_built_in(engine, given, count_cores(), on_gpu=device.type == "cuda", why=why)
