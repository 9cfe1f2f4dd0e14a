"""The curl lines of the page about the HTTP API do what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest
from broken_pictures import draw_picture, encode
from web_fixtures import running

from pipeline.database.database import open_database
from pipeline.tokens.scopes import Scope
from pipeline.tokens.tokens import create_token

_PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```sh\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
LINES = [line for block in _BLOCKS for line in block.replace("\\\n", " ").splitlines()]


def read_curl(line: str) -> dict[str, Any]:
    """Return what httpx is to be told for a line of curl; no other options are on the page."""
    words = iter(shlex.split(line)[1:])
    told: dict[str, Any] = {"method": "GET", "headers": {}, "files": [], "data": {}}
    for word in words:
        match word:
            case "-H":
                name, _, value = next(words).partition(": ")
                told["headers"][name] = value
            case "-d":
                told |= {"method": "POST", "content": next(words)}
            case "-F":
                name, _, value = next(words).partition("=")
                told["method"] = "POST"
                if value.startswith("@"):
                    told["files"].append((name, (value[1:], Path(value[1:]).read_bytes())))
                else:
                    told["data"][name] = value
            case "-N":
                pass
            case _:
                told["url"] = word
    return {name: value for name, value in told.items() if value}


def test_every_curl_line_of_the_page_works(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.csv").write_text("url\nhttps://example.com/a.jpg\n")
    for name in ("a.jpg", "b.jpg"):
        Path(name).write_bytes(encode(draw_picture(), "JPEG"))
    database = open_database(sqlite_url)
    token = create_token(database, "me", Scope.SUBMIT)
    database.close()

    answers = []
    with (
        running(sqlite_url, weights="demo") as server,
        httpx.Client(trust_env=False, timeout=60) as client,
    ):
        for line in LINES:
            here = line.replace("http://127.0.0.1:8420", server.address)
            told = read_curl(here.replace("$TOKEN", token))
            # The stream of a job that nobody carries has no end.
            with client.stream(**told) as answer:
                beginning = next(answer.iter_text())
            answers.append((answer.status_code, beginning.split("\n")[0][:12]))
    assert [status for status, _ in answers] == [201, 200, 200, 201, 201]
    assert answers[1][1].startswith("retry:")
