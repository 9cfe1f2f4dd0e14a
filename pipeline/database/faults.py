"""What goes wrong with a database: which faults pass by themselves, and a sentence for the rest."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from pipeline.errors import DatabaseError

#: Serialization failures, deadlocks, locks held long, shutdowns and restarts, too many clients.
_PASSING_STATES = frozenset(
    {"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03", "25P03"}
)
#: No permission, no such database or schema, a table of that name that is somebody else's.
_SERVICE_STATES = frozenset({"42501", "3D000", "3F000", "42P07"})
#: SQLite's code for SQL that is wrong: no such table, a syntax error.
_SQLITE_ERROR = 1
_SQLITE_BUSY, _SQLITE_LOCKED = 5, 6
_SQLITE_SENTENCES = {
    3: "{address} cannot be written; check the permissions of the file and its folder",
    5: "{address} is locked by another program; close it, then try again",
    8: "{address} cannot be written; check the permissions of the file and its folder",
    11: "{address} is damaged; restore a copy, or name another file",
    13: "the disk under {address} is full; make room, then run the same command again",
    14: "{address} cannot be opened; check that its folder exists and can be written",
    26: "{address} is no SQLite database; name another file",
}
_SET_IT = "set --database-url or IMAGEMILL_DATABASE_URL"


def is_transient(error: BaseException) -> bool:
    """Tell whether the same transaction may succeed when it is simply run again."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, sa.exc.TimeoutError)
    if error.connection_invalidated or _sqlite_code(error) in (_SQLITE_BUSY, _SQLITE_LOCKED):
        return True
    state = _state(error)
    if state is None:
        # The driver gives no SQLSTATE to a connection that was refused or broke off.
        return _is_postgres(error) and isinstance(error, OperationalError)
    return state in _PASSING_STATES or state.startswith("08")


def is_service_fault(error: BaseException) -> bool:
    """Tell a broken service (a sentence for people) from a bug of ours (goes out as it is)."""
    if isinstance(error, sa.exc.TimeoutError):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error, IntegrityError):
        return False
    if _sqlite_code(error) == _SQLITE_ERROR:
        return False
    kinds = (OperationalError, InterfaceError, sa.exc.InternalError)
    exact = type(error) is sa.exc.DatabaseError
    return isinstance(error, kinds) or exact or _state(error) in _SERVICE_STATES


def explain(error: BaseException, address: str, secret: str | None = None) -> DatabaseError:
    """Return the error as one sentence that says what to do next and holds no password."""
    code = _sqlite_code(error)
    sentence = _SQLITE_SENTENCES.get(code or 0)
    if sentence:
        return DatabaseError(f"{sentence.format(address=address)} ({_SET_IT})")
    reason = _reason(error)
    if secret:
        reason = reason.replace(secret, "***")
    if code is None and _state(error) is None:
        return DatabaseError(
            f"the database {address} cannot be reached ({reason}); start it, or {_SET_IT}"
        )
    return DatabaseError(f"the database {address} refuses ({reason}); mend that, or {_SET_IT}")


def _reason(error: BaseException) -> str:
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0].rstrip(".;") if text else type(error).__name__


def _origin(error: BaseException) -> Any:
    return getattr(error, "orig", None)


def _state(error: BaseException) -> str | None:
    state = getattr(_origin(error), "sqlstate", None)
    return state if isinstance(state, str) else None


def _is_postgres(error: BaseException) -> bool:
    return hasattr(_origin(error), "sqlstate")


def _sqlite_code(error: BaseException) -> int | None:
    # The low byte is the kind; the rest of an extended code only details it.
    code = getattr(_origin(error), "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None
