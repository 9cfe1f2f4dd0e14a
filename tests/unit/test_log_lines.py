"""One event, one line: whatever it holds, and without secrets."""

from __future__ import annotations

import io
import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.watch.lines import JsonLines, TextLines
from workers.watch.secrets import mask

SIGNED = "https://bucket.example/a/b.jpg?X-Amz-Signature=s3cr3t&X-Amz-Expires=60"


class Page:
    """A logger that nobody else knows, and the one line that it wrote."""

    def __init__(self, lines: logging.Formatter) -> None:
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(lines)
        self.log = logging.Logger("workers.watch.test")
        self.log.addHandler(handler)

    @property
    def line(self) -> str:
        (line,) = self._stream.getvalue().splitlines()
        return line

    @property
    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.line)
        return found


@pytest.fixture
def text() -> Page:
    return Page(TextLines())


@pytest.fixture
def machine() -> Page:
    return Page(JsonLines())


@pytest.fixture(params=[TextLines, JsonLines])
def page(request: pytest.FixtureRequest) -> Page:
    return Page(request.param())


def test_a_line_for_people_has_time_level_name_message_and_extras(text: Page) -> None:
    extras = {"job": 12, "chunk": 3, "ms": 1.5, "worker": "a b", "label": "", "x": None}
    text.log.info("chunk %s", "done", extra=extras)
    time, rest = text.line.split(" ", 1)
    shown = 'INFO workers.test chunk done job=12 chunk=3 ms=1.5 worker="a b" label="" x=null'
    assert rest == shown
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()) < 60


def test_a_line_for_machines_has_the_same_and_the_whole_name(machine: Page) -> None:
    extras = {"job": 12, "rate": 0.5, "sizes": (1, 2), "ok": True}
    machine.log.warning("chunk done", extra=extras)
    shown = machine.shown
    assert shown.pop("time").endswith("Z")
    own = {"level": "WARNING", "logger": "workers.watch.test", "message": "chunk done"}
    assert shown == {**own, **extras, "sizes": [1, 2]}


def test_an_event_is_one_line_whatever_it_holds(page: Page) -> None:
    nasty = "a\nb\r\nc\rd\x0be\x85f\u2028g\x1b[31mh\x00"
    page.log.info(nasty, extra={"uri": nasty, "many": [nasty], "name with\nbreak": 1})
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028]", page.line)


@given(st.text(), st.dictionaries(st.text("abc", min_size=1), st.text() | st.floats()))
def test_every_text_makes_one_line_that_can_be_written(text: str, extras: dict[str, Any]) -> None:
    record = logging.makeLogRecord({"name": "a", "msg": text, "levelname": "INFO", **extras})
    for lines in (TextLines(), JsonLines()):
        line = lines.format(record)
        assert len(line.splitlines()) == 1
        assert line.encode()
    assert json.loads(line)["message"] == mask(text)


def fail() -> None:
    raise ValueError("no way to\nredis://:s3cr3t@host:6379/0")


def test_a_traceback_stays_on_the_line_of_its_event(page: Page) -> None:
    try:
        fail()
    except ValueError:
        page.log.exception("it failed", extra={"job": 1})
    assert "Traceback (most recent call last)" in page.line
    assert "redis://:***@host:6379/0" in page.line
    assert "s3cr3t" not in page.line


def test_other_alphabets_stay_readable(text: Page) -> None:
    text.log.info("größer 図", extra={"uri": "/bilder/kätzchen\udcff.jpg"})
    assert text.line.endswith("größer 図 uri=/bilder/kätzchen\\udcff.jpg")


def test_machines_get_back_what_was_said_over_any_terminal(machine: Page) -> None:
    machine.log.info("größer 図", extra={"uri": "/bilder/kätzchen\udcff.jpg"})
    assert machine.line.isascii()
    assert machine.shown["message"] == "größer 図"
    assert machine.shown["uri"] == "/bilder/kätzchen\udcff.jpg"


class Sulky:
    """Nobody can look at it."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def awkward() -> dict[str, object]:
    ring: list[object] = []
    ring.append(ring)
    deep = {"a": {1: [Path("/b")]}}
    values = {"nan": float("nan"), "ring": ring, "sulky": Sulky(), "raw": b"x", "deep": deep}
    return {"path": Path("/a"), "sulks": [Sulky(), 1], **values}


def test_extras_of_any_kind_are_shown_to_people(text: Page) -> None:
    text.log.info("here", extra=awkward())
    shown = 'path=/a sulks=["<Sulky>",1] nan=nan ring=[[[["[[...]]"]]]] sulky=<Sulky> raw="b\'x\'"'
    assert shown in text.line
    assert text.line.endswith('deep={"a":{"1":["/b"]}}')


def test_extras_of_any_kind_are_shown_to_machines(machine: Page) -> None:
    machine.log.info("here", extra=awkward())
    names = ("path", "sulks", "nan", "sulky", "raw", "deep")
    expected = ["/a", ["<Sulky>", 1], "nan", "<Sulky>", "b'x'", {"a": {"1": ["/b"]}}]
    assert [machine.shown[name] for name in names] == expected


@pytest.mark.parametrize("arguments", [(SIGNED,), (Sulky(),), (1, 2)])
def test_arguments_that_do_not_fit_do_not_cost_the_event(page: Page, arguments: Any) -> None:
    page.log.info("%d images", *arguments)
    assert "%d images" in page.line
    assert "s3cr3t" not in page.line


def test_extras_never_replace_what_every_line_has(machine: Page) -> None:
    machine.log.info("here", extra={"time": 3, "level": "x"})
    shown = machine.shown
    assert (shown["level"], shown["level_"], shown["time_"]) == ("INFO", "x", 3)


def test_secrets_are_hidden_wherever_they_are_passed(page: Page) -> None:
    extras = {"uri": SIGNED, "all": {"broker": ["redis://:s3cr3t@host"], SIGNED: 1}}
    page.log.info("%s of %r", SIGNED, [SIGNED], extra=extras)
    assert "s3cr3t" not in page.line
    assert page.line.count("bucket.example") == 4


def test_secrets_are_hidden_in_the_code_that_a_stack_shows(page: Page) -> None:
    page.log.info("from redis://:s3cr3t@host", stack_info=True)
    assert page.line.count("redis://:***@host") == 2
