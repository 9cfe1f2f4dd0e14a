"""Choosing: from what was measured to a layout. Numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workers.classifier.making import EngineName
from workers.tuning.choice import Choice, Given
from workers.tuning.measurements import Measurements, Rate

#: Batches worth trying, the likeliest first: small ones stay in a CPU's caches, a GPU wants many.
CPU_BATCHES = (8, 4, 16, 32)
GPU_BATCHES = (256, 128, 512, 64)

#: A rate within this share of the best is as good: measurements of a quarter of a second are not
#: surer. The likeliest batch is taken then: smaller ones cost the engine more, larger ones wait.
_AS_GOOD = 0.97
#: An engine that reaches less than this share of another's best with its likeliest batch will not
#: win by a better one: the batches of one engine lie closer together (design, forward on 2 cores).
_HOPELESS = 0.8

#: Beside decoding, a loader process reads the file, hashes it and hands the pixels over.
_LOADER_WORK = 1.1
#: A piece is decoded within so many seconds: with longer ones the model waits for the first
#: images of a job, and loader processes end apart. Shorter ones cost the engine more.
_PIECE_S = 0.03
#: Images in a piece at most: it is copied whole.
_PIECE = 32

#: Forward passes at the same time on a GPU: one computes while the other's pixels are copied.
_GPU_STREAMS = 2


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is measured: each engine in batches of each size, the likeliest first."""

    engines: tuple[EngineName, ...]
    batches: tuple[int, ...]


def list_candidates(given: Given, engines: Sequence[EngineName], *, on_gpu: bool) -> Candidates:
    """Return what is to be measured of ``engines``, without what was decided by hand."""
    batches = GPU_BATCHES if on_gpu else CPU_BATCHES
    return Candidates(
        (given.engine,) if given.engine else tuple(engines),
        (given.max_batch,) if given.max_batch else batches,
    )


def is_hopeless(engine: EngineName, rates: Sequence[Rate]) -> bool:
    """Tell whether an engine of which something is measured needs no further measurements."""
    own = [rate.images_per_s for rate in rates if rate.engine == engine]
    best = max((rate.images_per_s for rate in rates), default=0.0)
    return bool(own) and max(own) < _HOPELESS * best


def count_streams(cores: int, *, on_gpu: bool) -> int:
    """Return how many forward passes run at once: on a CPU each keeps one core busy."""
    return _GPU_STREAMS if on_gpu else cores


def choose(found: Measurements, given: Given, cores: int, *, on_gpu: bool) -> Choice:
    """Return the layout that follows from what was measured, and what was ``given`` by hand.

    The engine that is fastest in its best batch wins, in the likeliest batch that is as good.
    """
    best = pick_rate(found.rates)
    max_batch = given.max_batch or best.batch
    streams = count_streams(cores, on_gpu=on_gpu)
    share = None if on_gpu else decoding_share(found.decode_s, cores / best.images_per_s)
    return Choice(
        engine=given.engine or best.engine,
        max_batch=max_batch,
        loaders=given.loaders or count_loaders(cores, share),
        piece=given.piece or pick_piece(found.decode_s),
        streams=streams,
        why=_why(found, share, cores) + _by_hand(given),
        measured=found.rates,
        decode_s=found.decode_s,
    )


def choose_built_in(
    engine: EngineName, given: Given, cores: int, *, on_gpu: bool, why: str
) -> Choice:
    """Return what suits most machines of this kind, and what was ``given`` by hand."""
    max_batch = given.max_batch or usual_batch(on_gpu=on_gpu)
    return Choice(
        engine=given.engine or engine,
        max_batch=max_batch,
        loaders=given.loaders or count_loaders(cores, None if on_gpu else 0.0),
        piece=given.piece or (_PIECE if on_gpu else 16),
        streams=count_streams(cores, on_gpu=on_gpu),
        why=why if given.is_whole else why + _by_hand(given),
    )


def usual_batch(*, on_gpu: bool) -> int:
    """Return the batch that is mostly best on a device of this kind, in images."""
    return GPU_BATCHES[0] if on_gpu else CPU_BATCHES[0]


def pick_rate(rates: Sequence[Rate]) -> Rate:
    """Return the first that is as good as the best, of the engine that has the best.

    ``rates`` are in the order of the candidates: the likeliest batch first.
    """
    best = max(rates, key=lambda rate: rate.images_per_s)
    return next(
        rate
        for rate in rates
        if rate.engine == best.engine and rate.images_per_s >= _AS_GOOD * best.images_per_s
    )


def decoding_share(decode_s: float, forward_s: float) -> float:
    """Return the share of the cores that loader processes need, so that neither side waits.

    Both in seconds of one core for an image: where the stages share the cores, each gets what it
    costs.
    """
    loading_s = _LOADER_WORK * decode_s
    return loading_s / (loading_s + forward_s)


def count_loaders(cores: int, share: float | None) -> int:
    """Return how many loader processes make up a share of the cores; None: all of them.

    Rounded up: one that is idle now and then costs memory, one too few costs images. At least
    half of the cores, and two of them: photos of 12 megapixels take twenty times what the
    measured one does. On a GPU the cores have nothing else to do.
    """
    if share is None:
        return cores
    return min(cores, max(2, cores // 2, math.ceil(cores * share)))


def pick_piece(decode_s: float) -> int:
    """Return the largest power of two that is decoded in time.

    A power of two, so that pieces make up batches: every batch that is tried is one.
    """
    fits = max(1, min(_PIECE, int(_PIECE_S / decode_s)))
    return int(1 << (fits.bit_length() - 1))


def _why(found: Measurements, share: float | None, cores: int) -> str:
    engines = list(dict.fromkeys(rate.engine for rate in found.rates))
    best = [pick_rate([r for r in found.rates if r.engine == engine]) for engine in engines]
    best.sort(key=lambda rate: rate.images_per_s, reverse=True)
    forward = ", ".join(
        f"{r.engine} {r.images_per_s:,.0f} images/s in batches of {r.batch}" for r in best
    )
    decode = f"decoding takes {found.decode_s * 1000:.1f} ms of a core"
    needs = "" if share is None else f" and needs {cores * share:.1f} of {cores} cores"
    return f"measured: {forward}; {decode}{needs}"


def _by_hand(given: Given) -> str:
    return f"; set by hand: {', '.join(given.names)}" if given.names else ""
