"""What a loader process does with an image before it is handed over: read, decode, resize."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pipeline.config import Settings
from pipeline.fetch.limits import FetchLimits, limits_of
from pipeline.fetch.near import read_near
from pipeline.records import Precision
from workers.bench.crew import Crew
from workers.bench.pictures import Pictures
from workers.bench.seams import Parts, time_parts
from workers.decode import decode


@dataclass(frozen=True, slots=True)
class LoadingCost:
    """Seconds of one core for an image. Reading is from the page cache, and takes its SHA-256."""

    read_s: float
    decode_s: float
    resize_s: float


@dataclass(frozen=True, slots=True)
class _Rules:
    precision: Precision
    max_pixels: int
    limits: FetchLimits


def leave_out_broken(crew: Crew, pictures: Pictures, settings: Settings) -> Pictures:
    """Return the pictures that can be decoded; all are in the page cache afterwards."""
    found = crew.run(partial(_find_broken, _rules(settings)), pictures.uris)
    broken = {uri for part in found for uri in part}
    sound = tuple(uri for uri in pictures.uris if uri not in broken)
    return Pictures(sound, pictures.drawn, len(broken))


def time_loading(crew: Crew, uris: Sequence[str], settings: Settings) -> LoadingCost:
    """Measure the loader processes' stages with all cores at work."""
    rules = _rules(settings)
    read_s = sum(crew.run(partial(_time_reading, rules), uris))
    parts = crew.run(partial(_time_decoding, rules), uris)
    decode_s, resize_s = (sum(column) for column in zip(*parts, strict=True))
    return LoadingCost(read_s / len(uris), decode_s / len(uris), resize_s / len(uris))


def _rules(settings: Settings) -> _Rules:
    return _Rules(settings.precision, settings.max_pixels, limits_of(settings))


def _find_broken(rules: _Rules, uris: Sequence[str]) -> list[str]:
    return [uri for uri in uris if not _is_sound(rules, uri)]


def _is_sound(rules: _Rules, uri: str) -> bool:
    try:
        decode(read_near(uri, rules.limits).data, rules.precision, rules.max_pixels)
    except Exception:
        return False  # Whatever a decoder raises is about this one picture.
    return True


def _time_reading(rules: _Rules, uris: Sequence[str]) -> float:
    started = time.process_time()
    for uri in uris:
        hashlib.sha256(read_near(uri, rules.limits).data).digest()
    return time.process_time() - started


def _time_decoding(rules: _Rules, uris: Sequence[str]) -> Parts:
    parts = [_time_one(rules, uri) for uri in uris]
    return Parts(sum(part.decode_s for part in parts), sum(part.resize_s for part in parts))


def _time_one(rules: _Rules, uri: str) -> Parts:
    return time_parts(read_near(uri, rules.limits).data, rules.precision, rules.max_pixels)
