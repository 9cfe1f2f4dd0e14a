"""Tokens: made once, stored as hashes alone, found, listed and revoked, on either database."""

from __future__ import annotations

import hashlib
import re
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from pipeline import tables
from pipeline.errors import UsageError
from pipeline.tokens.scopes import Scope
from pipeline.tokens.tokens import (
    create_token,
    find_token,
    has_tokens,
    list_tokens,
    revoke_token,
)

if TYPE_CHECKING:
    from conftest import Faults

    from pipeline.database.database import Database


def find(database: Database, secret: str) -> str | None:
    with database.reading() as connection:
        token = find_token(connection, secret)
    return None if token is None else f"{token.name}: {token.scope}"


def test_a_token_is_found_by_itself_until_it_is_revoked(database: Database) -> None:
    secret = create_token(database, "shop", Scope.SUBMIT)
    other = create_token(database, "dashboard", Scope.READ)
    assert re.fullmatch("im_[A-Za-z0-9_-]{43}", secret)
    assert find(database, secret) == "shop: submit"
    assert find(database, other) == "dashboard: read"
    revoke_token(database, "shop")
    assert find(database, secret) is None
    assert find(database, other) == "dashboard: read"


@pytest.mark.parametrize("secret", ["", "im_", "shop", "im_\0", "im_\udcff", "x" * 10_000])
def test_what_is_no_token_finds_none(database: Database, secret: str) -> None:
    create_token(database, "shop", Scope.ADMIN)
    assert find(database, secret) is None


def test_only_the_hash_of_a_token_is_stored(database: Database, books: Any) -> None:
    secret = create_token(database, "shop", Scope.READ)
    (row,) = books.rows(tables.tokens)
    assert hashlib.sha256(secret.encode()).hexdigest() in row
    assert not any(secret[3:] in str(value) for value in row)


def test_the_tokens_are_listed_the_oldest_first(database: Database) -> None:
    with database.reading() as connection:
        assert list_tokens(connection) == []
        assert not has_tokens(connection)
    for name, scope in (("b", Scope.READ), ("a", Scope.ADMIN)):
        create_token(database, name, scope)
    with database.reading() as connection:
        assert has_tokens(connection)
        found = list_tokens(connection)
    assert [(token.name, token.scope) for token in found] == [("b", "read"), ("a", "admin")]
    assert all(token.created_at.tzinfo for token in found)


def test_a_name_that_is_taken_is_refused_and_its_token_stays(database: Database) -> None:
    secret = create_token(database, "shop", Scope.READ)
    with pytest.raises(UsageError, match="a token named 'shop' exists already; take another name"):
        create_token(database, "shop", Scope.ADMIN)
    assert find(database, secret) == "shop: read"


@pytest.mark.parametrize(
    "name", ["", " ", "-x", "a b", "a\nb", "ä", "im_shop", "x" * 65, "\0", "a/b", ".hidden"]
)
def test_what_is_no_name_is_refused(database: Database, name: str) -> None:
    with pytest.raises(UsageError, match="no name for a token; take 1 to 64 letters"):
        create_token(database, name, Scope.READ)
    with pytest.raises(UsageError, match="no token is named"):
        revoke_token(database, name)


def test_no_message_shows_a_token_that_was_given_for_a_name(database: Database) -> None:
    secret = create_token(database, "shop", Scope.READ)
    with pytest.raises(UsageError) as created:
        create_token(database, secret, Scope.READ)
    with pytest.raises(UsageError) as revoked:
        revoke_token(database, secret)
    for one in (created, revoked):
        assert secret[3:] not in "".join(traceback.format_exception(one.value))


@pytest.mark.parametrize("landed", [True, False])
def test_a_commit_that_nobody_learns_the_outcome_of_makes_one_token(
    database: Database, faults: Faults, landed: bool
) -> None:
    faults.at_next_commit(database, landed=landed)
    secret = create_token(database, "shop", Scope.READ)
    assert find(database, secret) == "shop: read"
    faults.at_next_commit(database, landed=landed)
    revoke_token(database, "shop")
    assert find(database, secret) is None


def test_no_trace_of_a_fault_shows_a_token(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make(size: int) -> str:
        made.append("A" * 43)
        return made[-1]

    monkeypatch.setattr("pipeline.tokens.tokens.secrets.token_urlsafe", make)
    with database.transaction() as connection:
        connection.execute(sa.text("DROP TABLE tokens"))
    with pytest.raises(Exception, match="tokens") as caught:
        create_token(database, "shop", Scope.READ)
    with pytest.raises(Exception, match="tokens") as again:
        find(database, "im_" + "A" * 43)
    for one in (caught, again):
        told = "".join(traceback.format_exception(one.value))
        assert "AAAA" not in told
        assert hashlib.sha256(b"im_" + b"A" * 43).hexdigest() not in told
    assert made
