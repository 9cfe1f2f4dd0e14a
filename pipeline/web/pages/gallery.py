"""What of a job's images is looked at: the filter, the order and the page, as an address has it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.queries.filters import PredictionFilter
from pipeline.queries.orders import Order
from pipeline.records import FailureCode
from pipeline.web.pages.numbers import read_page
from pipeline.web.pages.rendering import make_address

if TYPE_CHECKING:
    from pipeline.records import Job

#: The orders of a gallery, as they are called there.
ORDERS = (
    (Order.INDEX, "In order"),
    (Order.LEAST_CERTAIN, "Least certain"),
    (Order.MOST_CERTAIN, "Most certain"),
)
#: What can have become of an image, beside the single failure codes.
OUTCOMES = (("", "Any"), ("classified", "Classified"), ("failed", "Any failure"))
#: What a browser takes for a number.
_NUMBER = re.compile(r"-?[0-9]{0,20}\.?[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, as it was written: nothing of it is checked before ``as_filter``."""

    label: str = ""
    min_score: str = ""
    max_score: str = ""
    outcome: str = ""
    uri: str = ""
    custom_id: str = ""
    sort: str = ""
    cursor: str = ""
    page: str = ""

    @property
    def order(self) -> Order:
        """The order; that of the indexes where no other is said, or what is chosen has no other."""
        is_known = self.sort in set(Order) and self._has_scores
        return Order(self.sort) if is_known else Order.INDEX

    @property
    def _has_scores(self) -> bool:
        """Whether an index holds what is chosen by its score: answers, and no references."""
        return self.outcome in ("", "classified") and not self.uri and not self.custom_id

    @property
    def scores(self) -> tuple[str, str]:
        """The two scores as a field for numbers takes them: nothing for what is none."""
        both = (self.min_score, self.max_score)
        return both[0] if _is_number(both[0]) else "", both[1] if _is_number(both[1]) else ""

    @property
    def number(self) -> int:
        """The number of the page, from 1, as far as the address tells."""
        return read_page(self.page, self.cursor)

    @property
    def is_filtered(self) -> bool:
        """Whether anything is left out."""
        chosen = (self.label, self.min_score, self.max_score, self.outcome, self.uri)
        return any((*chosen, self.custom_id))

    def as_filter(self, job: Job) -> PredictionFilter:
        """Return the filter; UsageError for a score or an outcome that is none."""
        return PredictionFilter(
            job=job.public_id,
            label=self.label or None,
            min_score=_read_score(self.min_score),
            max_score=_read_score(self.max_score),
            uri=f"{self.uri}*" if self.uri else None,
            custom_id=self.custom_id or None,
            code=self._code,
            failed={"failed": True, "classified": False}.get(self.outcome),
        )

    @property
    def _code(self) -> str | None:
        known = {value for value, _ in OUTCOMES}
        if self.outcome not in known and self.outcome not in set(FailureCode):
            raise UsageError(f"no image ends as {self.outcome!r}; choose one of the list")
        return None if self.outcome in known else self.outcome

    def href(self, job: Job, **changed: str) -> str:
        """Return the address of what is chosen, but for what is changed, from its first page on."""
        fresh = {"cursor": "", "page": ""}
        values = asdict(replace(self, **{**fresh, **changed}))
        if values["sort"] == Order.INDEX:
            values["sort"] = ""
        return make_address(f"/jobs/{job.public_id}", values, "images")

    def next(self, job: Job, cursor: str) -> str:
        """Return the address of the next page."""
        return self.href(job, cursor=cursor, page=str(self.number + 1))

    def cleared(self, job: Job) -> str:
        """Return the address of all images in the same order."""
        return Choice(sort=self.sort).href(job)

    def with_label(self, job: Job, label: str) -> str:
        """Return the address of the images of a label; of all labels, if it is that one now."""
        chosen = "" if label == self.label else label
        return self.href(job, label=chosen, **self._answers_alone)

    def with_scores(self, job: Job, low: str, high: str) -> str:
        """Return the address of a range of scores."""
        return self.href(job, min_score=low, max_score=high, **self._answers_alone)

    def with_order(self, job: Job, order: str) -> str:
        """Return the address of the same images in another order.

        Only answers have scores, and no index has them by score and by reference both: what
        does not go with the order is left out.
        """
        if order == Order.INDEX:
            return self.href(job, sort="")
        return self.href(job, sort=order, uri="", custom_id="", **self._answers_alone)

    @property
    def _answers_alone(self) -> dict[str, str]:
        return {} if self.outcome in ("", "classified") else {"outcome": ""}

    def export(self, job: Job, form: str) -> str:
        """Return the address of an export of what is chosen, in the order of the indexes."""
        failed = {"failed": "true", "classified": "false"}.get(self.outcome, "")
        chosen = {
            "job": job.public_id,
            "label": self.label,
            "min_score": self.min_score,
            "max_score": self.max_score,
            "uri": f"{self.uri}*" if self.uri else "",
            "custom_id": self.custom_id,
            "code": "" if self.outcome in ("", "failed", "classified") else self.outcome,
            "failed": failed,
        }
        return make_address("/api/v1/predictions/export", {"format": form, **chosen})


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _read_score(text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is no score; give a number between 0 and 1") from error
