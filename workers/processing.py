"""Processing: one claimed chunk through the engine into the ledger."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.errors import EngineError
from pipeline.records import ImageRef, JobRules, Outcome, Provenance
from pipeline.references import find_path
from workers.engine.requests import Answer
from workers.leases import Lease
from workers.watch.metrics import ChunkEnd

T = TypeVar("T")

#: The first pause before an image that failed for a passing reason is tried again, in seconds;
#: it doubles with every retry.
_BACK_OFF_S = 5.0
_LONGEST_BACK_OFF_S = 600.0


class ImageEngine(Protocol):
    """What processing needs of an engine."""

    def submit(
        self, images: Sequence[ImageRef], top_k: int, reuse_of: int | None = None
    ) -> Future[Answer]:
        """Take the images of one chunk; the future gives their outcomes in order."""
        ...


class Insist(Protocol):
    """Runs a write, and decides what a database that is away means for it."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """Return ``work()``."""
        ...


def _try_once(work: Callable[[], T]) -> T:
    return work()


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of a chunk in hand, and of its images; nothing of them when it was fenced."""

    end: ChunkEnd
    outcomes: tuple[Outcome, ...] = ()
    provenance: Provenance = Provenance()
    store_ms: float = 0.0


def process_chunk(
    database: Database,
    lease: Lease,
    images: Sequence[ImageRef],
    rules: JobRules,
    engine: ImageEngine,
    insist: Insist = _try_once,
) -> Carried:
    """Classify the open images of a claimed chunk and save what became of each.

    Every write goes through ``insist``. Raises EngineError when the engine cannot go on; the
    chunk has been given back then.
    """
    claim = lease.claim
    try:
        answer = _ask(engine, images, rules, lease)
    except CancelledError:
        return Carried(ChunkEnd.FENCED)
    except EngineError:
        insist(lambda: ledger.give_back(database, claim))
        raise
    final = _final(images, answer.outcomes, may_retry=claim.retries < rules.retries)
    retry_in_s = None
    if len(final) < len(images):
        retry_in_s = max(_back_off(claim.retries), _asked_for(answer.outcomes))
    started = time.perf_counter()
    made = answer.provenance
    if not insist(lambda: ledger.finish(database, claim, rules.model, final, made, retry_in_s)):
        return Carried(ChunkEnd.FENCED)
    end = ChunkEnd.DONE if retry_in_s is None else ChunkEnd.QUEUED_AGAIN
    store_ms = (time.perf_counter() - started) * 1000
    return Carried(end, tuple(final), made, store_ms)


def _ask(engine: ImageEngine, images: Sequence[ImageRef], rules: JobRules, lease: Lease) -> Answer:
    if not images:
        # A retry of images that were cancelled in between: only books.
        return Answer((), Provenance())
    future = engine.submit(images, rules.top_k, rules.model.id if rules.reuse else None)
    lease.bind(future)
    return future.result()


def _final(
    images: Sequence[ImageRef], outcomes: Sequence[Outcome], *, may_retry: bool
) -> list[Outcome]:
    """Leave out the images that failed for a passing reason, as long as they may be retried."""
    pairs = zip(images, outcomes, strict=True)
    return [done for image, done in pairs if not (may_retry and _may_pass(image, done))]


def _may_pass(image: ImageRef, outcome: Outcome) -> bool:
    # A file here that hung a decoder hangs it again; what is far away may come back.
    remote = find_path(image.uri) is None
    return remote and outcome.failure is not None and outcome.failure.retryable


def _asked_for(outcomes: Sequence[Outcome]) -> float:
    """Return how long the hosts of a chunk's images want to be left alone, in seconds."""
    waits = [o.failure.retry_after_s or 0.0 for o in outcomes if o.failure]
    return min(_LONGEST_BACK_OFF_S, max(waits, default=0.0))


def _back_off(retries: int) -> float:
    pause: float = min(_LONGEST_BACK_OFF_S, _BACK_OFF_S * 2**retries)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 (no secret: it only spreads the load)
