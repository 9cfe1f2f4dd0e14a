"""The words that rows and options are written in."""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """The life of a job."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_alive(self) -> bool:
        """Whether the job may still change by itself."""
        return self in (JobStatus.PENDING, JobStatus.RUNNING)


class ChunkState(StrEnum):
    """The life of a chunk."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class Precision(StrEnum):
    """How a picture is prepared and in which numbers the model computes."""

    EXACT = "exact"
    AUTO = "auto"
    FAST = "fast"


class Dispatch(StrEnum):
    """Who carries a job's chunks: the process that made it, or the broker's workers."""

    LOCAL = "local"
    BROKER = "broker"


class Priority(StrEnum):
    """The queue that a job's messages go through; workers read the two in turn."""

    HIGH = "high"
    BULK = "bulk"
