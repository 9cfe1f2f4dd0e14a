"""Metrics: what a worker counts and measures, in the words of the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

from prometheus_client import generate_latest

from pipeline.records import FailureCode, Outcome, Priority, Provenance
from workers.watch.instruments import Instruments, ProblemGauge, WithoutBirths
from workers.watch.vitals import Problem

#: The form of ``Metrics.text``: every Prometheus reads it.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_CLASSIFIED, _FAILED = "classified", "failed"
_STAGES = ("read", "decode", "forward", "store")


class ChunkEnd(StrEnum):
    """How a claimed chunk left its worker."""

    DONE = "done"
    #: Some of its images failed for a passing reason.
    QUEUED_AGAIN = "queued_again"
    #: The claim was no longer this worker's, and nothing was saved.
    FENCED = "fenced"
    GIVEN_BACK = "given_back"


class Refusal(StrEnum):
    """Why a message was acknowledged without any work."""

    #: Its token is an old one: the chunk is in other hands or done, or its job is over.
    TOO_LATE = "too_late"
    #: It is no chunk, or has a version that only newer workers know.
    UNREADABLE = "unreadable"


class Metrics:
    """The metrics of one worker; every method may be called from any thread.

    ``problems`` is asked at each reading for the names of what is wrong.
    """

    def __init__(self, problems: Callable[[], Collection[str]] = tuple) -> None:
        self._of = Instruments()
        self._of.registry.register(ProblemGauge(tuple(Problem), problems))
        self._show_zeros()

    def describe(self, device: str, engine: str, version: str) -> None:
        """Say what computes here; the last call counts."""
        self._of.worker.info({"device": device, "engine": engine, "version": version})

    def observe_chunk(
        self, outcomes: Sequence[Outcome], provenance: Provenance, store_ms: float
    ) -> None:
        """Count the outcomes of a chunk that were saved, and how they were made."""
        for code, images in Counter(map(_code, outcomes)).items():
            self._of.images.labels(_FAILED if code else _CLASSIFIED, code).inc(images)
        of = provenance
        times_ms = (of.read_ms, of.decode_ms, of.forward_ms, store_ms)
        for stage, time_ms in zip(_STAGES, times_ms, strict=True):
            self._of.stages.labels(stage).inc(time_ms / 1000)
        for size in provenance.batch_sizes:
            self._of.batch_size.observe(size)
        if provenance.batch_sizes:
            self._of.queue_wait.observe(provenance.queue_wait_ms / 1000)

    @contextmanager
    def in_flight(self, images: int) -> Iterator[None]:
        """Count one chunk of so many images as in this worker's hands, for as long as it lasts."""
        with self._of.chunks_in_flight.track_inprogress():
            self._of.images_in_flight.inc(images)
            try:
                yield
            finally:
                self._of.images_in_flight.dec(images)

    def chunk_ended(self, end: ChunkEnd) -> None:
        """Count a chunk that left this worker."""
        self._of.chunks.labels(end).inc()

    def message_refused(self, refusal: Refusal) -> None:
        """Count a message that was acknowledged without any work."""
        self._of.refused.labels(refusal).inc()

    def lease_lost(self, leases: int = 1) -> None:
        """Count claims of this worker that turned out to be no longer its own."""
        self._of.leases_lost.inc(leases)

    def swept(self, *, lost: int = 0, resent: int = 0, split: int = 0, condemned: int = 0) -> None:
        """Count what a sweep did: leases that had expired, chunks sent again, chunks split.

        An image that it condemned has its outcome, and counts with the others: `worker_crashed`.
        """
        self._of.lost.inc(lost)
        self._of.resent.inc(resent)
        self._of.split.inc(split)
        self._of.images.labels(_FAILED, FailureCode.WORKER_CRASHED).inc(condemned)

    def set_backlog(self, priority: Priority, messages: int) -> None:
        """Say how many messages wait in a queue of the broker.

        To be said again at every sweep, whoever has the turn: an old number misleads.
        """
        self._of.backlog.labels(priority).set(messages)

    def text(self) -> bytes:
        """Return every metric in Prometheus' text form."""
        return generate_latest(WithoutBirths(self._of.registry))

    def _show_zeros(self) -> None:
        # A series that begins at 1 hides its first event from rate() and increase().
        self._of.images.labels(_CLASSIFIED, "")
        for code in FailureCode:
            self._of.images.labels(_FAILED, code)
        for stage in _STAGES:
            self._of.stages.labels(stage)
        for end in ChunkEnd:
            self._of.chunks.labels(end)
        for refusal in Refusal:
            self._of.refused.labels(refusal)


def _code(outcome: Outcome) -> str:
    return str(outcome.failure.code) if outcome.failure else ""
