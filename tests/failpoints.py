"""Failpoints: a process that is told to breaks at one boundary of the product's code.

IMAGEMILL_TEST_FAILPOINT names the boundary (see ``POINTS``), IMAGEMILL_TEST_FAILURE what happens
there (see ``_FAILURES``), IMAGEMILL_TEST_TIMES how often, in all processes that share the folder
IMAGEMILL_TEST_MARKS. The product knows nothing of it: its functions are replaced from outside.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

#: Decides by the arguments and the result of a call whether the boundary is reached.
_When = Callable[[Sequence[Any], Any], object]


def _always(_arguments: Sequence[Any], _result: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Point:
    """Before or after a call of ``name``, an attribute of what ``owner`` names."""

    owner: str
    name: str
    after: bool
    when: _When = _always


#: Each boundary between two steps of a chunk, and the middle of each transaction.
POINTS = {
    "after the first piece": _Point("pipeline.producer", "_create", after=True),
    "after the mark": _Point("pipeline.dispatcher:Dispatcher", "send", False, lambda a, _: a[1]),
    "after the send": _Point("pipeline.broker:Broker", "send", after=True),
    "after the pop": _Point("kombu.transport.redis:QoS", "append", after=False),
    "before the claim": _Point("workers.carrier:Carrier", "carry", after=False),
    "within the claim": _Point("pipeline.ledger.claims", "mark_next", after=True),
    "after the claim": _Point("pipeline.ledger", "claim", True, lambda _, r: r[0]),
    "at the forward": _Point("workers.carrier", "process_chunk", after=False),
    "after the forward": _Point("pipeline.ledger", "finish", after=False),
    "within the finish": _Point("pipeline.ledger.finishing", "save_outcomes", after=True),
    "after the commit": _Point("pipeline.ledger", "finish", after=True),
    "within the completion": _Point("pipeline.ledger.completion", "close_books", after=True),
    "before the acknowledgement": _Point("workers.carrier:Carrier", "carry", after=True),
    "within the split": _Point("pipeline.ledger.losses", "_split", after=True),
    "within the condemnation": _Point("pipeline.ledger.losses", "_condemn", after=True),
}


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _run_out_of_memory() -> None:
    raise MemoryError("made up")


def _exit() -> None:
    raise SystemExit("made up")


_FAILURES = {"kill": _kill, "stop": _stop, "memory": _run_out_of_memory, "exit": _exit}


def set_up() -> None:
    """Put the failpoint in place that the environment asks for, if any."""
    point = os.environ.get("IMAGEMILL_TEST_FAILPOINT")
    if point:
        times = int(os.environ.get("IMAGEMILL_TEST_TIMES", "1"))
        marks = Path(os.environ["IMAGEMILL_TEST_MARKS"])
        failure = _FAILURES[os.environ.get("IMAGEMILL_TEST_FAILURE", "kill")]
        _replace(POINTS[point], lambda: failure() if _take_mark(marks, times) else None)


def _take_mark(marks: Path, times: int) -> bool:
    """Count what was done in files: a killed process remembers nothing."""
    for number in range(times):
        try:
            (marks / f"failed-{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def _replace(point: _Point, fail: Callable[[], None]) -> None:
    owner = resolve_name(point.owner)
    original = getattr(owner, point.name)

    @wraps(original)
    def failing(*arguments: Any, **named: Any) -> Any:
        if not point.after and point.when(arguments, None):
            fail()
        result = original(*arguments, **named)
        if point.after and point.when(arguments, result):
            fail()
        return result

    setattr(owner, point.name, failing)
