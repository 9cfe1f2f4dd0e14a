"""An image on its way, from the reference to the result that people read."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records.failures import Failure


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was seen of an image's bytes: size in bytes, modified time or ETag, SHA-256, pixels."""

    size: int | None = None
    version: str | None = None
    sha256: bytes | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of a source, before it belongs to a job: a plain absolute path or a URL.

    ``facts``: what the source said of it by the way (an object store's listing does).
    """

    uri: str
    custom_id: str | None = None
    facts: FileFacts | None = None


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image of a job: its index in the job, its uri, and the user's own id for it."""

    index: int
    uri: str


@dataclass(frozen=True, slots=True)
class Score:
    """One class of the model and its softmax probability in [0, 1]."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: scores from the best down, or a failure; never both.

    ``reused``: the scores are those of an image with the same bytes.
    """

    index: int
    scores: tuple[Score, ...] = ()
    failure: Failure | None = None
    facts: FileFacts = FileFacts()
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer for an image: rank from 1, label, class index, softmax score in [0, 1]."""

    rank: int
    label: str
    index: int
    score: float


@dataclass(frozen=True, slots=True)
class ImageResult:
    """A finished image as people read it: predictions from rank 1 down, or an error."""

    uri: str
    custom_id: str | None
    predictions: tuple[Prediction, ...] | None
    error: Failure | None

    def as_dict(self) -> dict[str, object]:
        """Return the row of the JSONL export: ``uri custom_id predictions error``."""
        shown = self.predictions and [
            {"rank": p.rank, "label": p.label, "index": p.index, "score": p.score}
            for p in self.predictions
        ]
        error = self.error and {
            "code": str(self.error.code),
            "message": self.error.message,
            "retryable": self.error.retryable,
        }
        return {
            "uri": self.uri,
            "custom_id": self.custom_id,
            "predictions": shown,
            "error": error,
        }
