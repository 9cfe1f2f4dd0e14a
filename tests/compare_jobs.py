"""Jobs to compare, made of what they say of each image, and the same comparison in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.compare.keys import JoinKey
from pipeline.database.database import Database
from pipeline.producer import submit
from pipeline.records import (
    Failure,
    FailureCode,
    JobSpec,
    Model,
    Outcome,
    Precision,
    Reference,
    Score,
)
from pipeline.storage.rows import save_model, save_outcomes
from pipeline.tables import jobs

#: Two models that know the same words in another order, and each a word of its own.
ANIMALS = Model("animals", "5a" * 32, Precision.AUTO, "1", ("cat", "dog", "cow", "ant"))
BEASTS = Model("beasts", "6b" * 32, Precision.FAST, "1", ("dog", "cat", "bee", "cow"))
OPEN, FAILED = "open", "failed"


@dataclass(frozen=True, slots=True)
class Said:
    """What a job says of an image: its label, or that it is ``OPEN`` or has ``FAILED``."""

    uri: str
    says: str
    score: float = 0.5
    custom_id: str | None = None

    @property
    def label(self) -> str | None:
        return None if self.says in (OPEN, FAILED) else self.says


#: An image in both jobs, by its indexes.
Pair = tuple[int, int]


def make_job(
    database: Database, model: Model, images: Sequence[Said], name: str | None = None
) -> str:
    """Submit a job whose images have these outcomes, and return its public id."""
    spec = JobSpec(name, model, {"top_k": 1}, "hash", 4)
    job_id = submit(database, spec, (Reference(one.uri, one.custom_id) for one in images))
    with database.transaction() as connection:
        stored = save_model(connection, model)
        save_outcomes(connection, job_id, stored, list(_outcomes(model, images)))
        public_id = connection.scalar(sa.select(jobs.c.public_id).where(jobs.c.id == job_id))
    return str(public_id)


def pair_plainly(a: Sequence[Said], b: Sequence[Said], by: JoinKey) -> list[Pair]:
    """Return which image is which: first at the same place, then in order."""
    keys_a, keys_b = ([_key(one, by) for one in job] for job in (a, b))
    ends = range(min(len(a), len(b)))
    pairs = [(n, n) for n in ends if keys_a[n] is not None and keys_a[n] == keys_b[n]]
    placed = {n for n, _ in pairs}
    free = [n for n in range(len(b)) if n not in placed]
    for index, key in enumerate(keys_a):
        if key is None or index in placed:
            continue
        partner = next((n for n in free if keys_b[n] == key), None)
        if partner is not None:
            free.remove(partner)
            pairs.append((index, partner))
    return pairs


def flip_plainly(
    a: Sequence[Said], b: Sequence[Said], pairs: Sequence[Pair]
) -> list[tuple[float, int, int]]:
    """Return the flipped images as (score in a, index in a, index in b), in this order."""
    flipped = (
        (a[one].score, one, two)
        for one, two in pairs
        if a[one].label and b[two].label and a[one].label != b[two].label
    )
    return sorted(flipped)


def count_plainly(a: Sequence[Said], b: Sequence[Said], pairs: Sequence[Pair]) -> dict[str, int]:
    """Return the numbers of a comparison under the names of ``Comparison.as_dict``."""
    states = [(a[one].says, b[two].says) for one, two in pairs]
    finished = [pair for pair in states if OPEN not in pair]
    answered = [pair for pair in finished if FAILED not in pair]
    return {
        "images": len(pairs),
        "answered": len(answered),
        "agreed": sum(one == two for one, two in answered),
        "flipped": sum(one != two for one, two in answered),
        "failed_a": sum(one == FAILED != two for one, two in finished),
        "failed_b": sum(one != FAILED == two for one, two in finished),
        "failed_both": finished.count((FAILED, FAILED)),
        "open": len(pairs) - len(finished),
        "only_a": len(a) - len(pairs),
        "only_b": len(b) - len(pairs),
    }


def tabulate_plainly(
    a: Sequence[Said], b: Sequence[Said], pairs: Sequence[Pair]
) -> list[tuple[str, str, int]]:
    """Return the flips as (from, to, images), the most frequent first, then by their labels."""
    found = Counter((a[one].says, b[two].says) for _, one, two in flip_plainly(a, b, pairs))
    return sorted(((*key, n) for key, n in found.items()), key=lambda row: (-row[2], *row[:2]))


def _key(image: Said, by: JoinKey) -> str | None:
    return image.uri if by is JoinKey.URI else image.custom_id


def _outcomes(model: Model, images: Sequence[Said]) -> Iterator[Outcome]:
    for index, image in enumerate(images):
        if image.says == FAILED:
            yield Outcome(index, failure=Failure(FailureCode.TIMEOUT, "too late"))
        elif image.says != OPEN:
            yield Outcome(index, (Score(model.labels.index(image.says), image.score),))
