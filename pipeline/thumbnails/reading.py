"""Reading: the bytes behind a reference while somebody waits for its thumbnail."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.fetch.downloads import Downloads, Got
from pipeline.fetch.kinds import is_far
from pipeline.fetch.near import read_near
from pipeline.records import Failure, FailureCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.fetch.limits import FetchLimits

#: How long a download may take, with the wait for its turn.
_PATIENCE_S = 10.0
#: Downloads at the same time, and from one host.
_DOWNLOADS, _HOST_DOWNLOADS = 32, 4
#: Local files that are read at the same time: each may be large.
_FILES = 4


class Reader:
    """Reads for many threads; a host that does not answer holds up those alone who ask for it."""

    def __init__(self, limits: FetchLimits) -> None:
        self._limits = replace(
            limits,
            timeout_s=min(limits.timeout_s, _PATIENCE_S),
            downloads=_DOWNLOADS,
            host_downloads=_HOST_DOWNLOADS,
        )
        self._files = threading.Semaphore(_FILES)
        self._lock = threading.Lock()
        self._downloads: Downloads[Future[Got]] | None = None
        self._is_over = False

    def read(self, uri: str) -> bytes:
        """Return a picture's bytes. Raises PictureError."""
        if is_far(uri):
            return self._download(uri)
        with self._turn():
            return read_near(uri, self._limits).data

    def close(self) -> None:
        """Break the downloads off."""
        with self._lock:
            self._is_over = True
            downloads, self._downloads = self._downloads, None
        if downloads is not None:
            downloads.close()

    def _download(self, uri: str) -> bytes:
        try:
            result = self._start(uri).result(_PATIENCE_S).result
        except TimeoutError:
            raise _late("it did not arrive within") from None
        if isinstance(result, Failure):
            raise PictureError(result.code, result.message, result.retry_after_s)
        return result.data

    def _start(self, uri: str) -> Future[Got]:
        answer: Future[Got] = Future()
        with self._lock:
            if self._is_over:
                raise PictureError(FailureCode.TIMEOUT, "the server is about to stop")
            if self._downloads is None:
                self._downloads = Downloads(self._limits, Future.set_result)
            self._downloads.start(answer, uri)
        return answer

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._files.acquire(timeout=_PATIENCE_S):
            raise _late("too many files were read before it, for")
        try:
            yield
        finally:
            self._files.release()


def _late(reason: str) -> PictureError:
    return PictureError(FailureCode.TIMEOUT, f"{reason} {_PATIENCE_S:g} s")
