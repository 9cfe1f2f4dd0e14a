"""Logs: one handler for everything that a worker's process has to say, on standard error."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TextIO

from celery import signals

from workers.watch.lines import JsonLines, TextLines

log = logging.getLogger(__name__)

#: Whose handlers Celery sets up by itself.
_CELERYS = ("celery", "celery.task", "celery.worker", "celery.redirected", "kombu")
#: Who says at INFO that a task came, that it went, and which dialect a database speaks.
_CHATTY = ("celery.worker.strategy", "celery.app.trace", "alembic")
#: What Celery's ``--loglevel`` is when nobody gave it.
_CELERYS_DEFAULT = logging.WARNING
_RECEIVER = "imagemill.logs"


class _Stderr(logging.StreamHandler[TextIO]):
    """A handler that lets a line go when nobody can take it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Do nothing: the only place to complain at is the one that is gone."""


def set_up_logs(style: str, level: int | str = logging.INFO) -> None:
    """Let every logger of this process write one line an event to standard error.

    ``style`` is ``text`` or ``json``, ``level`` the least that is worth a line.
    Handlers that were there before are replaced, Celery's too. Warnings, and threads that end
    with an exception, become lines as well.
    """
    handler = _Stderr(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper() if isinstance(level, str) else level)
    for name in _CELERYS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(_quiet(root.level))
    logging.captureWarnings(True)
    threading.excepthook = _tell_of_a_thread


def connect_to_celery(style: str, level: int | str = logging.INFO) -> None:
    """Let Celery leave the logs to ``set_up_logs`` when its worker starts.

    A ``--loglevel`` of Celery's own command line goes before ``level``, unless it is WARNING: that
    is what Celery says when nobody gave one. Of several calls the last one counts.
    """

    def prepare(**_: object) -> None:
        # The warning to those who work as root comes before Celery asks for logs.
        set_up_logs(style, level)

    def configure(loglevel: int | None = None, logfile: str | None = None, **_: object) -> None:
        set_up_logs(style, level if loglevel in (None, _CELERYS_DEFAULT) else loglevel)
        if logfile:
            log.warning("--logfile is not used: the log goes to standard error")

    for signal, receiver in ((signals.celeryd_init, prepare), (signals.setup_logging, configure)):
        signal.disconnect(dispatch_uid=_RECEIVER)
        # Not weak: nobody else holds the function, and a receiver that is gone stops nothing.
        signal.connect(receiver, weak=False, dispatch_uid=_RECEIVER)


def _quiet(level: int) -> int:
    return logging.NOTSET if level <= logging.DEBUG else max(level, logging.WARNING)


def _tell_of_a_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    trace = (ended.exc_type, ended.exc_value, ended.exc_traceback)
    name = ended.thread.name if ended.thread else "?"
    log.critical("the thread %s ended with an exception", name, exc_info=trace)
