"""`imagemill tokens`: a token is shown once, and nowhere else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import Run, assert_refused

from pipeline.database.database import Database
from pipeline.tokens.tokens import find_token


def test_a_token_alone_is_the_answer_and_works_until_it_is_revoked(
    command: Run, own_database: Database
) -> None:
    done = command("tokens", "create", "shop", "--scope", "submit")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"im_[A-Za-z0-9_-]{43}\n", done.stdout)
    token = done.stdout.strip()
    assert token not in done.stderr
    assert "it is not shown again" in done.stderr
    assert "imagemill tokens revoke shop" in done.stderr
    with own_database.reading() as connection:
        assert find_token(connection, token)

    listed = command("tokens", "list")
    assert "shop  submit" in listed.stdout
    assert token[3:] not in listed.stdout + listed.stderr

    gone = command("tokens", "revoke", "shop")
    assert (gone.returncode, gone.stdout) == (0, "")
    assert gone.stderr.startswith("revoked shop; ")
    with own_database.reading() as connection:
        assert find_token(connection, token) is None


def test_the_list_is_json_on_demand(command: Run, own_database: Database) -> None:
    assert json.loads(command("tokens", "list", "--json").stdout) == []
    assert "tokens create NAME --scope read" in command("tokens", "list").stderr
    command("tokens", "create", "dashboard", "--scope", "read")
    (told,) = json.loads(command("tokens", "list", "--json").stdout)
    assert (told["name"], told["scope"]) == ("dashboard", "read")
    assert told["created_at"].endswith("+00:00")


def test_the_first_token_makes_the_database(command: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert command("tokens", "create", "me", "--scope", "admin", "--database-url", url).stdout
    assert "me" in command("tokens", "list", "--database-url", url).stdout


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("create shop", "Missing option '--scope'"),
        ("create shop --scope all", "'all' is not one of 'read', 'submit', 'admin'"),
        ("create --scope read", "Missing argument 'NAME'"),
        ("create a/b --scope read", "'a/b' is no name for a token"),
        ("revoke nobody", "no token is named 'nobody'; `imagemill tokens list` shows them"),
        ("revoke im_secret", "no token is named im_...; "),
    ],
)
def test_wrong_usage_is_one_sentence(
    command: Run, own_database: Database, line: str, sentence: str
) -> None:
    assert_refused(command("tokens", *line.split()), sentence)


def test_a_name_that_is_taken_is_one_sentence(command: Run, own_database: Database) -> None:
    command("tokens", "create", "shop", "--scope", "read")
    again = command("tokens", "create", "shop", "--scope", "admin")
    assert_refused(again, "a token named 'shop' exists already")
