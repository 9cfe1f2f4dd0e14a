"""The frozen values that travel between the stages."""

from pipeline.records.chunks import Claim, Provenance
from pipeline.records.failures import RETRYABLE, Failure, FailureCode
from pipeline.records.images import (
    FileFacts,
    ImageRef,
    ImageResult,
    Outcome,
    Prediction,
    Reference,
    Score,
)
from pipeline.records.jobs import Counts, Job, JobSpec, Model, StoredModel
from pipeline.records.words import ChunkState, Dispatch, JobStatus, Precision

__all__ = [
    "RETRYABLE",
    "ChunkState",
    "Claim",
    "Counts",
    "Dispatch",
    "Failure",
    "FailureCode",
    "FileFacts",
    "ImageRef",
    "ImageResult",
    "Job",
    "JobSpec",
    "JobStatus",
    "Model",
    "Outcome",
    "Precision",
    "Prediction",
    "Provenance",
    "Reference",
    "Score",
    "StoredModel",
]
