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
from pipeline.records.messages import MESSAGE_VERSION, Message
from pipeline.records.rules import JobRules
from pipeline.records.words import ChunkState, Dispatch, JobStatus, Precision, Priority

__all__ = [
    "MESSAGE_VERSION",
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
    "JobRules",
    "JobSpec",
    "JobStatus",
    "Message",
    "Model",
    "Outcome",
    "Precision",
    "Prediction",
    "Priority",
    "Provenance",
    "Reference",
    "Score",
    "StoredModel",
]
