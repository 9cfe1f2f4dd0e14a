"""Arrivals: in a loader process, the images that can be decoded now, one after another.

What is near is read when its turn comes. What is far away is downloaded meanwhile, many images at
the same time, and comes as soon as it is here, so that a slow host holds nobody up.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.fetch.downloads import Downloads, Got
from workers.decoder import Reuse
from workers.pieces import ImageDecoder, Key, Piece

#: Images that go back to the parent together at most.
TOGETHER = 8
#: A process takes pieces until so many times its downloads are under way or wait.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Arrival:
    """An image to decode; ``got`` is what its download gave, None: it is near, and not read yet."""

    key: Key
    uri: str
    reuse: Reuse | None
    got: Got | None = None


class Arrivals:
    """Iterated by the thread that decodes; it ends with the piece that is None."""

    def __init__(self, pieces: Any, decoder: ImageDecoder) -> None:
        self._pieces = pieces
        self._decoder = decoder
        self._news: queue.SimpleQueue[Piece | Arrival | None] = queue.SimpleQueue()
        self._may_take = threading.Semaphore(0)
        self._taking = False
        self._downloads: Downloads[Key] | None = None
        self._under_way: dict[Key, Arrival] = {}

    def __iter__(self) -> Iterator[list[Arrival]]:
        threading.Thread(target=self._take_pieces, name="pieces", daemon=True).start()
        while True:
            # The next piece is taken only when the last one is decoded: others would wait for it.
            self._let_take()
            news = self._news.get()
            if news is None:
                return
            if isinstance(news, Arrival):
                yield self._gather(news)
            elif news.far:
                self._download(self._arrive(news))
            else:
                yield self._arrive(news)

    def _take_pieces(self) -> None:
        while True:
            self._may_take.acquire()
            piece = self._pieces.get()
            self._news.put(piece)
            if piece is None:
                return

    def _let_take(self) -> None:
        most = _AHEAD * self._downloads.limit if self._downloads else 1
        if not self._taking and len(self._under_way) < most:
            self._taking = True
            self._may_take.release()

    def _arrive(self, piece: Piece) -> list[Arrival]:
        self._taking = False
        return [
            Arrival((piece.id, place), uri, piece.reuse) for place, uri in enumerate(piece.uris)
        ]

    def _download(self, arrivals: list[Arrival]) -> None:
        if self._downloads is None:
            self._downloads = self._decoder.start_downloads(self._hear)
        for arrival in arrivals:
            self._under_way[arrival.key] = arrival
            self._downloads.start(arrival.key, arrival.uri)

    def _hear(self, key: Key, got: Got) -> None:
        begun = self._under_way[key]
        self._news.put(Arrival(key, begun.uri, begun.reuse, got))

    def _gather(self, first: Arrival) -> list[Arrival]:
        """Return what is here by now; a piece that came in between keeps its turn."""
        together = [first]
        while len(together) < TOGETHER:
            try:
                news = self._news.get_nowait()
            except queue.Empty:
                break
            if not isinstance(news, Arrival):
                self._news.put(news)
                break
            together.append(news)
        for arrival in together:
            del self._under_way[arrival.key]
        return together
