"""The frozen values that travel between the stages, and the stable failure codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class FailureCode(StrEnum):
    """Why an image has no predictions; the strings are stable."""

    INVALID_REFERENCE = "invalid_reference"
    NOT_FOUND = "not_found"
    PERMISSION_DENIED = "permission_denied"
    BLOCKED_PATH = "blocked_path"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    BLOCKED_ADDRESS = "blocked_address"
    DNS_ERROR = "dns_error"
    CONNECT_ERROR = "connect_error"
    TIMEOUT = "timeout"
    HTTP_4XX = "http_4xx"
    HTTP_429 = "http_429"
    HTTP_5XX = "http_5xx"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED = "truncated"
    DECODE_ERROR = "decode_error"
    DECODER_CRASHED = "decoder_crashed"
    WORKER_CRASHED = "worker_crashed"
    MODEL_ERROR = "model_error"


#: Codes whose cause may pass by itself.
RETRYABLE = frozenset(
    {
        FailureCode.DNS_ERROR,
        FailureCode.CONNECT_ERROR,
        FailureCode.TIMEOUT,
        FailureCode.HTTP_429,
        FailureCode.HTTP_5XX,
    }
)


class JobStatus(StrEnum):
    """The life of a job."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


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


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of a source, before it belongs to a job: a plain absolute path or a URL."""

    uri: str
    custom_id: str | None = None


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image of a job: its index in the job, its uri, and the user's own id for it."""

    index: int
    uri: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An outcome without predictions."""

    code: FailureCode
    message: str

    @property
    def retryable(self) -> bool:
        """Whether the cause may pass by itself."""
        return self.code in RETRYABLE


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was seen of an image's bytes: size in bytes, modified time or ETag, SHA-256, pixels."""

    size: int | None = None
    version: str | None = None
    sha256: bytes | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One class of the model and its softmax probability in [0, 1]."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: scores from the best down, or a failure; never both."""

    index: int
    scores: tuple[Score, ...] = ()
    failure: Failure | None = None
    facts: FileFacts = FileFacts()


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a chunk was made: the batches it rode in, stage times in ms, and what computed it.

    ``queue_wait_ms`` is the longest wait of one of its images between decoding and its batch;
    the stage times are sums over its images (forward: each batch's time, shared by its images).
    """

    batch_sizes: tuple[int, ...] = ()
    queue_wait_ms: float = 0.0
    read_ms: float = 0.0
    decode_ms: float = 0.0
    forward_ms: float = 0.0
    engine: str = ""
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk in somebody's hands: the token is the fence that every later write must name."""

    job_id: int
    number: int
    token: int
    first: int
    last: int
    retries: int


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
    priority: str = "bulk"
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
    priority: str
    retries: int
    model_id: int
    model_name: str
    model_sha256: str
    precision: Precision
    preprocessing: str
    options: dict[str, object]
    sources_hash: str
    counts: Counts
    #: Images by label (classified), from the stored histogram of a finished job.
    histogram: dict[str, int]
    created_at: datetime
    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def handle(self) -> str:
        """The name if it has one, else the id: either means the job everywhere."""
        return self.name or self.public_id


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
