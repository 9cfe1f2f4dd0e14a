"""Finished images as the API shows them."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.records import FailureCode

_PREDICTION = {"rank": 1, "label": "Samoyed", "index": 258, "score": 0.93}
RESULT: dict[str, Any] = {
    "job": "holiday",
    "index": 17,
    "uri": "/data/holiday/017.jpg",
    "custom_id": None,
    "predictions": [_PREDICTION],
    "error": None,
    "width": 4000,
    "height": 3000,
}


class Prediction(BaseModel):
    """One answer for an image: rank from 1, and a softmax score in [0, 1]."""

    rank: int
    label: str
    index: int
    score: float


class ImageError(BaseModel):
    """Why an image has no predictions."""

    code: FailureCode
    message: str
    retryable: bool


class Result(BaseModel):
    """A finished image: its predictions from rank 1 down, or an error; pixels of the picture."""

    model_config = ConfigDict(json_schema_extra={"example": RESULT})
    job: str
    index: int
    uri: str
    custom_id: str | None
    predictions: list[Prediction] | None
    error: ImageError | None
    width: int | None
    height: int | None


class ResultPage(BaseModel):
    """Finished images in order; ``next_cursor`` asks for the next page."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"predictions": [RESULT], "next_cursor": "AQAAAAEAAAAR"}}
    )
    predictions: list[Result]
    next_cursor: str | None


class Count(BaseModel):
    """How many there are."""

    model_config = ConfigDict(json_schema_extra={"example": {"count": 300}})
    count: int


class Failures(BaseModel):
    """A job's failures by code (null: too many to count now), and the images of a page."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"failures": {"not_found": 5}, "images": [RESULT], "next_cursor": None}
        }
    )
    failures: dict[str, int] | None
    images: list[Result]
    next_cursor: str | None


class LabelCount(BaseModel):
    """How many images have this label as their rank 1."""

    label: str
    index: int
    images: int


class LabelHistogram(BaseModel):
    """Images by label, the most frequent first; of a sample a count is a share of ``images``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "labels": [{"label": "Samoyed", "index": 258, "images": 200}],
                "images": 300,
                "is_sample": False,
            }
        }
    )
    labels: list[LabelCount]
    images: int
    is_sample: bool


class ScoreHistogram(BaseModel):
    """Images by the score of rank 1, in 20 steps of 0.05."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "counts": [*[0] * 18, 100, 200],
                "images": 300,
                "is_sample": False,
            }
        }
    )
    counts: list[int]
    images: int
    is_sample: bool
