"""Probes: how a worker is, for whoever asks by HTTP: /metrics, /healthz and /readyz."""

from __future__ import annotations

import errno
import json
import threading
from http import HTTPStatus

from pipeline.errors import UsageError
from workers.watch.handler import ShortRequest
from workers.watch.listener import TICK_S, Listener
from workers.watch.metrics import CONTENT_TYPE, Metrics
from workers.watch.vitals import Vitals

_JSON = "application/json"
#: How long a client may take for its request and our answer together, in seconds.
_PATIENCE_S = 10.0

_Answer = tuple[HTTPStatus, str, bytes]


class Probes:
    """A running server; ``port`` is where it listens."""

    def __init__(self, listener: Listener) -> None:
        self.port = listener.server_port
        self._listener = listener
        self._thread = threading.Thread(
            target=listener.serve_forever, args=(TICK_S,), name="probes", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and cut who is connected."""
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


def serve(
    host: str, port: int, metrics: Metrics, vitals: Vitals, patience_s: float = _PATIENCE_S
) -> Probes:
    """Answer probes on ``host`` in threads of their own; port 0 takes a free one.

    ``/healthz`` is 503 while something gives no sign of life, ``/readyz`` also while anything is
    wrong, or the worker takes no chunks. Raises UsageError when nothing can listen there.
    """

    class Handler(ShortRequest):
        def do_GET(self) -> None:  # noqa: N802 (the base finds it by this name)
            self.answer(*_answer(self.path, metrics, vitals))

        do_HEAD = do_GET  # noqa: N815

    try:
        return Probes(Listener(host, port, Handler, patience_s))
    except OSError as error:
        raise UsageError(_explain(error, host, port)) from None


def _answer(path: str, metrics: Metrics, vitals: Vitals) -> _Answer:
    match path.partition("?")[0]:
        case "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE, metrics.text()
        case "/healthz":
            stuck = vitals.stuck()
            return _state({"status": "stuck", "stuck": stuck} if stuck else None)
        case "/readyz":
            wrong = vitals.obstacles()
            return _state({"status": "not ready", "problems": wrong} if wrong else None)
    return HTTPStatus.NOT_FOUND, "text/plain", b"/metrics, /healthz or /readyz\n"


def _state(trouble: dict[str, object] | None) -> _Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
    return status, _JSON, json.dumps(trouble or {"status": "ok"}).encode()


def _explain(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} of {host} is taken; choose another with --metrics-port"
        case errno.EACCES:
            return f"port {port} needs more rights; choose one above 1023 with --metrics-port"
    reason = error.strerror or str(error)
    return f"nothing can listen on {host} ({reason}); set IMAGEMILL_METRICS_HOST to an address here"
