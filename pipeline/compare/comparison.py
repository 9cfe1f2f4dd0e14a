"""Two jobs compared: where their answers agree, where they flip, and what one alone has."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pipeline.compare.joining import (
    count_in_place,
    shares_some,
    tally_everywhere,
    tally_in_place,
)
from pipeline.compare.keys import JoinKey
from pipeline.compare.planning import WHOLE_JOBS, planned
from pipeline.compare.sides import Side, get_sides, read_labels
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import sqlalchemy as sa

    from pipeline.compare.joining import Tally


@dataclass(frozen=True, slots=True)
class Flip:
    """How many images have one label in the first job, and another in the second."""

    from_label: str
    to_label: str
    images: int


@dataclass(frozen=True, slots=True)
class Tallies:
    """The joined images that are finished in both jobs, by what became of them.

    ``failed_a`` failed in the first job and have an answer in the second. ``score_change`` is the
    mean of score in b - score in a over the images that agree; None where none does.
    """

    agreed: int
    failed_a: int
    failed_b: int
    failed_both: int
    score_change: float | None
    flips: tuple[Flip, ...]

    @property
    def flipped(self) -> int:
        """Return the images with two different labels."""
        return sum(flip.images for flip in self.flips)

    @property
    def finished(self) -> int:
        """Return the images that have an outcome in both jobs."""
        return self.agreed + self.flipped + self.failed_a + self.failed_b + self.failed_both


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two jobs over the same images say of them, as of now.

    ``images`` are those that both jobs have; ``only_a`` and ``only_b`` those that one alone has.
    """

    a: Side
    b: Side
    by: JoinKey
    images: int
    tallies: Tallies

    @property
    def answered(self) -> int:
        """Return the images with a label in both jobs: they agree or are flipped."""
        return self.tallies.agreed + self.tallies.flipped

    @property
    def agreed(self) -> int:
        """Return the images with the same label in both jobs."""
        return self.tallies.agreed

    @property
    def flipped(self) -> int:
        """Return the images with another label in each job."""
        return self.tallies.flipped

    @property
    def agreement(self) -> float | None:
        """Return the share of the answered images that agree; None: none is answered."""
        return self.agreed / self.answered if self.answered else None

    @property
    def flips(self) -> tuple[Flip, ...]:
        """Return the flipped images by their two labels, the most frequent first."""
        return self.tallies.flips

    @property
    def open(self) -> int:
        """Return the images that both jobs have, and one of them has no outcome for yet."""
        return self.images - self.tallies.finished

    @property
    def only_a(self) -> int:
        """Return the images that the first job alone has."""
        return self.a.total - self.images

    @property
    def only_b(self) -> int:
        """Return the images that the second job alone has."""
        return self.b.total - self.images

    @property
    def running(self) -> tuple[str, ...]:
        """Return the jobs that still run: what they finish later changes the numbers."""
        return tuple(side.job for side in (self.a, self.b) if not side.has_ended)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON takes it; shares and scores are numbers from 0 to 1."""
        tallies = self.tallies
        return {
            "a": self.a.as_dict(),
            "b": self.b.as_dict(),
            "by": str(self.by),
            "running": list(self.running),
            "images": self.images,
            "answered": self.answered,
            "agreed": self.agreed,
            "flipped": self.flipped,
            "agreement": self.agreement,
            "score_change": tallies.score_change,
            "failed_a": tallies.failed_a,
            "failed_b": tallies.failed_b,
            "failed_both": tallies.failed_both,
            "open": self.open,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "flips": [asdict(flip) for flip in self.flips],
        }


def compare(conn: sa.Connection, a: str, b: str, by: JoinKey = JoinKey.URI) -> Comparison:
    """Compare two jobs, each meant by its id or its name; ``pipeline.compare.joining`` says how.

    Every image of both is read, once or twice. Of a job that runs, what is finished is compared.
    Labels are compared by their texts: the jobs may have different models.

    Raises JobError for a job that is not there or not submitted yet, and UsageError for the same
    job twice and for jobs that share no image.
    """
    one, two = get_sides(conn, a, b)
    with planned(conn, WHOLE_JOBS):
        images = count_in_place(conn, one, two, by)
        if images == min(one.total, two.total):
            rows = tally_in_place(conn, one, two)
        else:
            rows = tally_everywhere(conn, one, two, by)
            images = sum(row.images for row in rows)
    if not images:
        raise UsageError(_explain_nothing(conn, one, two, by))
    return Comparison(one, two, by, images, _add_up(rows, read_labels(conn, one, two)))


def _add_up(rows: Iterable[Tally], texts: Mapping[int, str]) -> Tallies:
    failed = {"failed_a": 0, "failed_b": 0, "failed_both": 0}
    agreed, change, flips = 0, 0.0, []
    for label_a, label_b, _, images, changed in filter(attrgetter("finished"), rows):
        if label_a is None or label_b is None:
            where = "both" if label_a is label_b else "a" if label_a is None else "b"
            failed[f"failed_{where}"] += images
        elif texts[label_a] == texts[label_b]:
            agreed, change = agreed + images, change + (changed or 0.0)
        else:
            flips.append(Flip(texts[label_a], texts[label_b], images))
    flips.sort(key=lambda flip: (-flip.images, flip.from_label, flip.to_label))
    mean = change / agreed if agreed else None
    return Tallies(agreed=agreed, score_change=mean, flips=tuple(flips), **failed)


def _explain_nothing(conn: sa.Connection, a: Side, b: Side, by: JoinKey) -> str:
    names = {JoinKey.URI: "uri", JoinKey.CUSTOM_ID: "custom id"}
    other = JoinKey.CUSTOM_ID if by is JoinKey.URI else JoinKey.URI
    said = f"{a.job} and {b.job} share no {names[by]}"
    if shares_some(conn, a, b, other):
        return f"{said}, but some of their {names[other]}s are the same; compare them --by {other}"
    return f"{said}, so there is nothing to compare; name two jobs over the same images"
