"""Breaks: rules of the ledger, each broken on purpose, to see that the storm finds it.

Each is done to a worker's process before it starts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


def _forget_the_token() -> None:
    """Finish whatever the token and the state, and never look whether a claim is lost."""
    from pipeline import ledger
    from pipeline.ledger import finishing
    from pipeline.ledger.columns import same_chunk

    _replace(finishing, "held", same_chunk)
    _replace(ledger, "list_held", lambda _, claims: set(claims))


def _finish_in_two() -> None:
    """Commit first that a chunk is done, and its outcomes a moment later."""
    from pipeline import ledger
    from pipeline.ledger import finishing

    late = threading.local()

    def keep(_connection: Any, *what: Any) -> None:
        late.what = what

    def finish_late(database: Any, *chunk: Any) -> bool:
        done: bool = finish(database, *chunk)
        if done:
            time.sleep(0.05)
            database.attempt(lambda connection: save(connection, *late.what))
        return done

    save = _replace(finishing, "save_outcomes", keep)
    finish = _replace(ledger, "finish", finish_late)


def _resend_nothing() -> None:
    """Trust the broker to forget nothing."""
    from pipeline import ledger

    _replace(ledger, "mark_overdue", lambda *_: [])


def _expire_nothing() -> None:
    """Leave to the dead what they held."""
    from pipeline import ledger

    _replace(ledger, "expire_leases", lambda *_: ledger.Losses())


def _acknowledge_unfinished() -> None:
    """Acknowledge a message once its chunk is claimed, and do nothing for it."""
    from workers import carrier
    from workers.processing import Carried
    from workers.watch.metrics import ChunkEnd

    _replace(carrier, "process_chunk", lambda *_: Carried(ChunkEnd.FENCED))


def _claim_what_is_taken() -> None:
    """Claim whatever the token and the state."""
    from pipeline import ledger, tables

    chunk = tables.chunks.c

    def claim_anyway(
        database: Any, job_id: int, number: int, _token: int, worker: str, lease_s: float
    ) -> Any:
        mine = (chunk.job_id == job_id, chunk.number == number)
        freed = tables.chunks.update().where(*mine).values(state="queued", token=chunk.token + 1)
        token = database.attempt(lambda c: c.scalar(freed.returning(chunk.token)))
        return claim(database, job_id, number, token or 0, worker, lease_s)

    claim = _replace(ledger, "claim", claim_anyway)


def _complete_early() -> None:
    """Close a job's books without a look at its open chunks."""
    from pipeline.ledger import completion

    _replace(completion, "_has_open_chunk", lambda *_: False)


def _replace(module: Any, name: str, value: Any) -> Any:
    """Put something in the place of a module's function, and return that."""
    old = getattr(module, name)
    setattr(module, name, value)
    return old


#: What breaks each rule.
BREAKS: dict[str, Callable[[], None]] = {
    "token": _forget_the_token,
    "one-transaction": _finish_in_two,
    "resend": _resend_nothing,
    "expire": _expire_nothing,
    "acknowledge-last": _acknowledge_unfinished,
    "claim": _claim_what_is_taken,
    "complete": _complete_early,
}
