"""Lines: one event of a log as one line, for people or for machines, without secrets."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from workers.watch.secrets import mask

#: What a record has by itself; everything else in it was passed as ``extra``.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: What Celery passes along: the arguments of its message once more.
_CELERYS = frozenset({"data"})
#: Line breaks of every kind, and what steers a terminal.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: A value that needs no quotation marks.
_PLAIN = re.compile(r"[^\s\"'=\\]+")
#: Deeper than this, values within values are shown as text.
_DEPTH = 4


class TextLines(logging.Formatter):
    """``2026-11-24T11:00:00.123Z INFO workers.carrier chunk done job=12 chunk=3``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of an event."""
        fields = _extras(record) | _traces(record)
        shown = [f"{name}={_shorten(value)}" for name, value in fields.items()]
        line = [_time(record), record.levelname, _short_name(record.name), _message(record), *shown]
        return _escape(" ".join(line))


class JsonLines(logging.Formatter):
    """One object a line: ``time level logger message``, the extras, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of an event; it is plain ASCII, so that no terminal can spoil it."""
        fixed: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        extras = {name + "_" * (name in fixed): its for name, its in _extras(record).items()}
        return json.dumps(fixed | extras | _traces(record))


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _short_name(name: str) -> str:
    first, _, rest = name.partition(".")
    return f"{first}.{rest.rpartition('.')[2]}" if rest else first


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception:  # Arguments that do not fit the message must not cost the event.
        text = f"{_show(record.msg)} {_show(record.args)}"
    return mask(text)


def _extras(record: logging.LogRecord) -> dict[str, object]:
    known = _OWN | _CELERYS if record.name.startswith("celery") else _OWN
    return {name: _show(its) for name, its in vars(record).items() if name not in known}


def _traces(record: logging.LogRecord) -> dict[str, object]:
    traces: dict[str, object] = {}
    if record.exc_info:
        traces["traceback"] = mask(logging.Formatter().formatException(record.exc_info))
    if record.stack_info:
        traces["stack"] = mask(record.stack_info)
    return traces


def _show(value: object, depth: int = _DEPTH) -> object:
    try:
        return _plain(value, depth)
    except Exception:  # A value that cannot be shown must not cost the event.
        return f"<{type(value).__name__}>"


def _plain(value: object, depth: int) -> object:
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case Mapping() if depth:
            return {mask(str(name)): _show(its, depth - 1) for name, its in value.items()}
        case Collection() if depth and not isinstance(value, str | bytes | bytearray):
            return [_show(its, depth - 1) for its in value]
    return mask(str(value))


def _shorten(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _escape(line: str) -> str:
    line = line.replace("\r\n", "\n")
    line = _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), line)
    return line.encode(errors="backslashreplace").decode()
