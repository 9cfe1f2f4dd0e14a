"""Processing: one claimed chunk through the engine into the ledger."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline import ledger
from pipeline.database.database import Database
from pipeline.queries.jobs import list_open_images
from pipeline.records import Claim, ImageRef, Outcome, Provenance, StoredModel
from pipeline.references import find_path
from workers.engine.engine import Engine

#: The first pause before an image that failed for a passing reason is tried again, in seconds;
#: it doubles with every retry.
_BACK_OFF_S = 5.0
_LONGEST_BACK_OFF_S = 600.0


@dataclass(frozen=True, slots=True)
class JobRules:
    """What processing must know of a chunk's job."""

    model: StoredModel
    top_k: int
    retries: int


def process_chunk(database: Database, claim: Claim, rules: JobRules, engine: Engine) -> bool:
    """Classify the open images of a claimed chunk and save what became of each.

    Returns whether it was saved: not so when the claim was no longer ours. Raises EngineError
    when the engine cannot go on; the chunk has been given back then.
    """
    with database.reading() as connection:
        images = list_open_images(connection, claim.job_id, claim.first, claim.last)
    if not images:
        # A retry of images that were cancelled in between, or a split's leftover: only books.
        return ledger.finish(database, claim, rules.model, (), Provenance())
    try:
        answer = engine.submit(images, rules.top_k).result()
    except BaseException:
        ledger.give_back(database, claim)
        raise
    final = _final(images, answer.outcomes, may_retry=claim.retries < rules.retries)
    retry_in_s = None if len(final) == len(images) else _back_off(claim.retries)
    return ledger.finish(database, claim, rules.model, final, answer.provenance, retry_in_s)


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


def _back_off(retries: int) -> float:
    pause: float = min(_LONGEST_BACK_OFF_S, _BACK_OFF_S * 2**retries)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 (no secret: it only spreads the load)
