"""A job and its model, as they are asked for, stored and read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.records.words import Dispatch, JobStatus, Precision, Priority


@dataclass(frozen=True, slots=True)
class Model:
    """The identity of a model: weights, labels, precision and preprocessing version."""

    name: str
    sha256: str
    precision: Precision
    preprocessing: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model's rows: its id, and ``label_ids[index]`` for each class index."""

    id: int
    label_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a submission says of its job, before it is stored."""

    name: str | None
    model: Model
    #: Everything a worker needs beside the model (``weights``, ``top_k``, limits), and ``sources``.
    options: dict[str, object]
    #: "The same sources" is a hash of the arguments.
    sources_hash: str
    chunk_size: int
    dispatch: Dispatch = Dispatch.LOCAL
    priority: Priority = Priority.BULK
    retries: int = 3
    max_failure_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """A job's books: total = succeeded + failed + pending + cancelled at any time."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def pending(self) -> int:
        """Images without an outcome that may still get one."""
        return self.total - self.succeeded - self.failed - self.cancelled


@dataclass(frozen=True, slots=True)
class Job:
    """A job as people read it; ``counts`` are live while it runs and its books afterwards."""

    id: int
    public_id: str
    name: str | None
    status: JobStatus
    reason: str | None
    notice: str | None
    dispatch: Dispatch
    priority: Priority
    retries: int
    #: The share of failures, 0 to 1, above which the job is stopped; None: never.
    max_failure_rate: float | None
    model_id: int
    model_name: str
    model_sha256: str
    precision: Precision
    preprocessing: str
    options: dict[str, object]
    sources_hash: str
    counts: Counts
    #: Of the succeeded: those that took the answer of an image with the same bytes (``--reuse``).
    reused: int
    #: References that were left out, since their answers are here already (``--skip-known``).
    skipped: int
    #: Images by label (classified), from the stored histogram of a finished job.
    histogram: dict[str, int]
    #: Images by score of rank 1, in 20 steps of 0.05; None: it runs, or ended before these were.
    scores: tuple[int, ...] | None
    #: Failures by code, the most frequent first; None: it runs, or ended before these were.
    failures: dict[str, int] | None
    created_at: datetime
    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def handle(self) -> str:
        """The name if it has one, else the id: either means the job everywhere."""
        return self.name or self.public_id
