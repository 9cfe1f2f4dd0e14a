"""Sampling: the predictions of a few images at once, without a job and without a database."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, TextIO

from pipeline.config import Settings
from pipeline.errors import SourceError
from pipeline.fetch.limits import limits_of
from pipeline.records import ImageRef, ImageResult, Outcome, Prediction, Reference
from pipeline.sources import SourceOptions, read_sources
from workers.devices import check_device
from workers.processes import warm_up
from workers.weights import find_weights

if TYPE_CHECKING:
    from workers.engine.engine import Engine

#: Images that the engine is given at once, where no chunk size was set.
_CHUNK = 64
#: Chunks that are in the engine at the same time, beyond those that it has room for.
_AHEAD = 2


def classify_sources(
    sources: Sequence[str],
    source_options: SourceOptions,
    settings: Settings,
    stdin: BinaryIO | TextIO | None,
) -> Iterator[ImageResult]:
    """Yield the result of each image in the order of the sources; memory stays flat.

    Raises SourceError when there is no image at all, and what weights and sources raise.
    """
    references = read_sources(sources, source_options, stdin, limits_of(settings))
    first = list(islice(references, _size(settings)))
    if not first:
        raise SourceError("no images at all; check the sources, --include and --exclude")
    check_device(settings.device)
    weights = find_weights(settings.weights, settings.labels)
    warm_up()
    from workers.engine.layout import start_engine  # it imports torch, which takes a second

    with closing(start_engine(weights.path, settings, reuse=False, measure=False)) as engine:
        chunks = _chunks(first, references, _size(settings))
        for reference, outcome in _classified(engine, chunks, settings):
            yield _result(reference, outcome, weights.labels)


def _size(settings: Settings) -> int:
    return settings.chunk_size or _CHUNK


def _chunks(
    chunk: list[Reference], references: Iterator[Reference], size: int
) -> Iterator[list[Reference]]:
    while chunk:
        yield chunk
        chunk = list(islice(references, size))


def _classified(
    engine: Engine, chunks: Iterator[list[Reference]], settings: Settings
) -> Iterator[tuple[Reference, Outcome]]:
    submitted = (
        (chunk, engine.submit([ImageRef(n, r.uri) for n, r in enumerate(chunk)], settings.top_k))
        for chunk in chunks
    )
    window = deque(islice(submitted, _AHEAD + -(-engine.options.room // _size(settings))))
    while window:
        chunk, future = window.popleft()
        yield from zip(chunk, future.result().outcomes, strict=True)
        window.extend(islice(submitted, 1))


def _result(reference: Reference, outcome: Outcome, labels: Sequence[str]) -> ImageResult:
    if outcome.failure:
        return ImageResult(reference.uri, reference.custom_id, None, outcome.failure)
    predictions = tuple(
        Prediction(rank, labels[score.index], score.index, score.score)
        for rank, score in enumerate(outcome.scores, start=1)
    )
    return ImageResult(reference.uri, reference.custom_id, predictions, None)
