"""A request: one chunk in the engine, from its submission to its answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from pipeline.records import Failure, FileFacts, ImageRef, Outcome, Provenance, Score
from workers.decoder import Reuse
from workers.pieces import ImageNote


@dataclass(frozen=True, slots=True)
class Answer:
    """A chunk's outcomes, one for each of its images in their order, and how they came about."""

    outcomes: tuple[Outcome, ...]
    provenance: Provenance


class Request:
    """The images of one chunk; the last of them to get its outcome resolves the future.

    ``origin`` says what computes: the provenance of its answer starts from it.
    """

    def __init__(
        self,
        images: Sequence[ImageRef],
        top_k: int,
        origin: Provenance,
        reuse: Reuse | None = None,
    ) -> None:
        self.images = tuple(images)
        self.top_k = top_k
        self.reuse = reuse
        self._origin = origin
        self.future: Future[Answer] = Future()
        self._outcomes: list[Outcome | None] = [None] * len(images)
        self._open = len(images)
        self._facts: dict[int, FileFacts] = {}
        self._batch_sizes: list[int] = []
        self._queue_wait_ms = self._read_ms = self._decode_ms = self._forward_ms = 0.0
        self._lock = threading.Lock()

    def note(self, position: int, note: ImageNote) -> bool:
        """Keep what the loader saw of an image; tell whether it goes on to the model.

        A failure is its outcome, and so are the scores of an image with the same bytes.
        """
        with self._lock:
            self._facts[position] = note.facts
            self._read_ms += note.read_ms
            self._decode_ms += note.decode_ms
        if note.failure:
            self.fail(position, note.failure)
        elif note.scores:
            self._settle(position, note.scores, None, reused=True)
        return not (note.failure or note.scores)

    def ride(self, share: int, batch_size: int, waited_ms: float, forward_ms: float) -> None:
        """Keep that ``share`` of its images rode in a batch of ``batch_size``."""
        with self._lock:
            self._batch_sizes.append(batch_size)
            self._queue_wait_ms = max(self._queue_wait_ms, waited_ms)
            self._forward_ms += forward_ms * share / batch_size

    def classify(self, position: int, scores: tuple[Score, ...]) -> None:
        """Give an image its scores."""
        self._settle(position, scores, None)

    def fail(self, position: int, failure: Failure) -> None:
        """Give an image its failure."""
        self._settle(position, (), failure)

    def abandon(self, error: BaseException) -> None:
        """Let the future fail: the engine itself cannot go on."""
        with self._lock:
            if not self.future.done():
                self.future.set_exception(error)

    def _settle(
        self,
        position: int,
        scores: tuple[Score, ...],
        failure: Failure | None,
        *,
        reused: bool = False,
    ) -> None:
        with self._lock:
            facts = self._facts.get(position, FileFacts())
            index = self.images[position].index
            self._outcomes[position] = Outcome(index, scores, failure, facts, reused)
            self._open -= 1
            if self._open == 0 and not self.future.done():
                self.future.set_result(self._answer())

    def _answer(self) -> Answer:
        outcomes = tuple(outcome for outcome in self._outcomes if outcome is not None)
        provenance = replace(
            self._origin,
            batch_sizes=tuple(self._batch_sizes),
            queue_wait_ms=self._queue_wait_ms,
            read_ms=self._read_ms,
            decode_ms=self._decode_ms,
            forward_ms=self._forward_ms,
        )
        return Answer(outcomes, provenance)
