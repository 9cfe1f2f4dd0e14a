"""The pages for operators keep their promises: every command, setting, address and link exists."""

from __future__ import annotations

import re
import shlex
import sqlite3
from pathlib import Path

import pytest
from cli_words import find_unknown
from compose import COMPOSE_FILE, read_services

from pipeline.config import Settings, load_settings
from pipeline.database.database import open_database
from pipeline.records import Failure, FailureCode
from pipeline.web.app import make_app

_DOCS = COMPOSE_FILE.parent / "docs"
_NAMES = ("operations.md", "security.md", "failures.md", "http.md", "page.md")
PAGES = {name: (_DOCS / name).read_text(encoding="utf-8") for name in _NAMES}
_SERVICES = set(read_services())


def blocks(page: str, kind: str) -> list[str]:
    """Return the blocks of a kind, wherever they are indented."""
    found = re.findall(rf"^ *```{kind}\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\\\n *", "", block) for block in found]


def lines(page: str) -> list[str]:
    """Return the lines of a page's shell blocks, without their comments."""
    given = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in given]


def commands() -> list[str]:
    found = []
    for page in PAGES.values():
        for line in [*lines(page), *re.findall(r"`([^`\n]+)`", page)]:
            said = re.match(r"(?:docker compose run [^|]*?--rm )?imagemill (.+)", line)
            if said and "NAME" not in said[1]:
                found.append(said[1].partition(" > ")[0])
    return found


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("command", commands())
def test_every_command_that_a_page_names_exists(command: str) -> None:
    assert find_unknown(shlex.split(command)) == []


def test_the_pages_name_enough_commands_to_be_worth_a_test() -> None:
    assert len(commands()) >= 15


@pytest.mark.parametrize("name", _NAMES)
def test_every_service_that_a_page_names_exists(name: str) -> None:
    for line in lines(PAGES[name]):
        words = shlex.split(line.partition(" > ")[0].partition(" < ")[0])
        if words[:2] != ["docker", "compose"] or words[2] in ("build", "ps"):
            continue
        plain = [word for word in words[3:] if not word.startswith("-") and word != "tar"]
        named = set(plain if words[2] == "stop" else plain[:1])
        assert named <= _SERVICES, line


@pytest.mark.parametrize("name", _NAMES)
def test_every_setting_that_a_page_names_exists(name: str) -> None:
    example = (COMPOSE_FILE.parent / ".env.example").read_text(encoding="utf-8")
    settings = {f"IMAGEMILL_{setting.upper()}" for setting in Settings.model_fields}
    for one in re.findall(r"IMAGEMILL_[A-Z_]+", PAGES[name]):
        assert one in settings or f"{one}=" in example, one


@pytest.mark.parametrize("name", _NAMES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", PAGES[name]):
        file, _, anchor = target.partition("#")
        text = (_DOCS / file).read_text(encoding="utf-8") if file else PAGES[name]
        assert not anchor or anchor in anchors(text), target


def test_the_page_of_failures_has_every_code_in_its_order_and_says_which_are_tried_again() -> None:
    row = re.compile(r"^\| `(\w+)` \|.*\| (yes|no) \| \S.* \|$", re.MULTILINE)
    assert row.findall(PAGES["failures.md"]) == [
        (str(code), "yes" if Failure(code, "").retryable else "no") for code in FailureCode
    ]


@pytest.mark.parametrize(
    ("said", "setting", "value"),
    [
        ("`IMAGEMILL_RETRIES` times (3)", "retries", 3),
        ("`IMAGEMILL_URL_TIMEOUT_S` (15 s)", "url_timeout_s", 15),
        ("`IMAGEMILL_IMAGE_TIMEOUT_S` (25 s)", "image_timeout_s", 25),
        ("`IMAGEMILL_MAX_BYTES` (256 MiB)", "max_bytes", 256 * 2**20),
        ("`IMAGEMILL_MAX_PIXELS` (179 million)", "max_pixels", 178_956_970),
        ("`IMAGEMILL_LOADER_MEMORY` (4,096 MiB)", "loader_memory", 4096),
        ("`IMAGEMILL_UPLOAD_BYTES` (64 MiB)", "upload_bytes", 64 * 2**20),
        ("`IMAGEMILL_UPLOAD_REFERENCES` (100,000)", "upload_references", 100_000),
        ("`IMAGEMILL_REQUESTS_PER_S` (50,", "requests_per_s", 50),
        ("client_max_body_size 64m;", "upload_bytes", 64 * 2**20),
    ],
)
def test_a_default_that_a_page_says_is_the_default(said: str, setting: str, value: float) -> None:
    assert any(said in page for page in PAGES.values())
    assert Settings.model_fields[setting].default == value


def test_every_address_of_the_api_that_a_page_names_exists(sqlite_url: str, tmp_path: Path) -> None:
    settings = load_settings(database_url=sqlite_url, uploads=tmp_path, thumbnails=tmp_path)
    web = make_app(settings, loopback=True)
    documented = {re.sub(r"\{\w+\}", "JOB", path) for path in web.openapi()["paths"]}
    web.state.context.close()
    web.state.context.database.close()
    for name in re.findall(r"(/(?:api|openapi|metrics|healthz|readyz)[\w/.-]*)", PAGES["http.md"]):
        path = name.replace("holiday", "JOB").rstrip("/.")
        if path not in ("/api/v1", "/openapi.json"):
            assert path in documented, name


def test_the_page_about_the_page_has_its_keys() -> None:
    template = COMPOSE_FILE.parent / "pipeline" / "web" / "templates" / "base.html"
    keys = re.findall(r"<kbd>([^<]+)</kbd>", template.read_text(encoding="utf-8"))
    table = PAGES["page.md"].partition("| key |")[2]
    assert re.findall(r"`([^`]+)`", "\n".join(re.findall(r"^\| (`.+?) \|", table, re.M))) == keys


def test_the_backup_of_an_embedded_database_is_whole(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (words,) = [shlex.split(line) for line in lines(PAGES["operations.md"]) if "sqlite3" in line]
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute(words[-1])
    connection.close()
    open_database(f"sqlite:///{tmp_path / 'imagemill-backup.db'}").close()
