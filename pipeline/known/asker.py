"""The asker: a thread that waits for the database, so that nobody else has to."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from pipeline.records import Score

if TYPE_CHECKING:
    from pipeline.known.driver import Connection, Driver

Scores = tuple[Score, ...]


class _Question(NamedTuple):
    model_id: int
    top_k: int
    digest: bytes
    answer: Future[Scores | None]


class Asker:
    """Asks over one connection, a question after the other; after a fault it is of no use."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._classes: dict[int, int] = {}
        # A driver may wait for ever, for a name or a server that says nothing: only a daemon lets
        # the process end then.
        threading.Thread(target=self._run, name="known-answers", daemon=True).start()

    def ask(self, model_id: int, top_k: int, digest: bytes) -> Future[Scores | None]:
        """Return the future of an answer; it raises whatever the driver raises."""
        question = _Question(model_id, top_k, digest, Future())
        self._questions.put(question)
        return question.answer

    def leave(self) -> None:
        """Let the thread end and the connection be closed, as soon as the driver comes back."""
        self._questions.put(None)

    def _run(self) -> None:
        connection: Connection | None = None
        while (question := self._questions.get()) is not None:
            try:
                connection = connection or self._driver.connect()
                question.answer.set_result(self._find(connection, question))
            except BaseException as error:
                question.answer.set_exception(error)
        if connection is not None:
            connection.close()

    def _find(self, connection: Connection, question: _Question) -> Scores | None:
        needed = min(question.top_k, self._count_classes(connection, question.model_id))
        wanted = {"model_id": question.model_id, "needed": needed, "digest": question.digest}
        rows = connection.execute(self._driver.same_bytes, wanted).fetchall()
        return tuple(Score(*row) for row in rows) or None

    def _count_classes(self, connection: Connection, model_id: int) -> int:
        # A model has its labels from its first moment on, and they never change.
        if model_id not in self._classes:
            found = connection.execute(self._driver.class_count, {"model_id": model_id})
            self._classes[model_id] = int(found.fetchone()[0])
        return self._classes[model_id]
