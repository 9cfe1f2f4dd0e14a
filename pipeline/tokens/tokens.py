"""The rows of tokens: made, listed, revoked, and found again by what a request carries."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline import tables
from pipeline.clock import from_now
from pipeline.errors import UsageError
from pipeline.tokens.names import PREFIX, check_name, shown_name
from pipeline.tokens.scopes import Scope

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.database.database import Database

_BYTES = 32
_token = tables.tokens.c


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; the token itself is known to its owner alone."""

    name: str
    scope: Scope
    created_at: datetime


def create_token(database: Database, name: str, scope: Scope) -> str:
    """Make a token and return it: ``im_`` and 43 characters, which nobody can read again.

    Raises UsageError when the name is none or is taken.
    """
    check_name(name)
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
    stored = insert(tables.tokens).values(
        name=name, sha256=_digest(secret), scope=str(scope), created_at=from_now()
    )

    def work(connection: sa.Connection) -> str | None:
        connection.execute(stored.on_conflict_do_nothing())
        return connection.scalar(sa.select(_token.sha256).where(_token.name == name))

    # Not the number of rows: after a commit of unknown outcome the row may be there, and ours.
    if database.attempt(work) != _digest(secret):
        raise UsageError(
            f"a token named {name!r} exists already; take another name, or revoke it first: "
            f"`imagemill tokens revoke {name}`"
        )
    return secret


def list_tokens(conn: sa.Connection) -> list[Token]:
    """Return every token, the oldest first."""
    return [_as_token(row) for row in conn.execute(_select().order_by(tables.tokens.c.id))]


def revoke_token(database: Database, name: str) -> None:
    """Delete a token: from now on it opens nothing; UsageError if there is none of this name."""
    doomed = sa.select(_token.id).where(_token.name == name)
    with database.reading() as connection:
        token_id = connection.scalar(doomed) if name.isascii() and "\0" not in name else None
    if token_id is None:
        raise UsageError(
            f"no token is named {shown_name(name)}; `imagemill tokens list` shows them"
        )
    gone = sa.delete(tables.tokens).where(_token.id == token_id)
    database.attempt(lambda connection: connection.execute(gone).rowcount)


def find_token(conn: sa.Connection, secret: str) -> Token | None:
    """Return the token that a request carries; None: it is none of ours, or was revoked.

    It is looked up by its SHA-256, so how long that takes tells nothing of any token.
    """
    row = conn.execute(_select().where(_token.sha256 == _digest(secret))).one_or_none()
    return None if row is None else _as_token(row)


def has_tokens(conn: sa.Connection) -> bool:
    """Return whether there is any token."""
    return conn.scalar(sa.select(_token.id).limit(1)) is not None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "backslashreplace")).hexdigest()


def _select() -> sa.Select[Any]:
    return sa.select(*(_token[field.name] for field in fields(Token)))


def _as_token(row: sa.Row[Any]) -> Token:
    return Token(row.name, Scope(row.scope), row.created_at)
