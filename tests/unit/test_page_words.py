"""How the page writes numbers, times and names, and what it says of failures and of deeds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.records import FailureCode
from pipeline.web.pages import shown
from pipeline.web.pages.codes import get_advice
from pipeline.web.pages.messages import find_message
from pipeline.web.pages.placeholder import draw_placeholder
from pipeline.web.pages.rendering import find_sides, make_address
from pipeline.web.pages.shown import UNKNOWN


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.99996, "> 99.9 %"), (0.00001, "< 0.1 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, text: str) -> None:
    assert shown.percent(share) == text


@pytest.mark.parametrize(("score", "text"), [(1.0, "1.000"), (0.99999, "0.999"), (0.5, "0.500")])
def test_only_a_certain_score_is_written_as_one(score: float, text: str) -> None:
    assert shown.score(score) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, UNKNOWN), (7, "7 s"), (750, "12 min 30 s"), (11_100, "3 h 05 min")]
)
def test_a_duration_has_two_units_at_most(seconds: float | None, text: str) -> None:
    assert shown.duration(seconds) == text


def test_rates_times_and_sizes_are_short() -> None:
    assert [shown.rate(n) for n in (None, 12.34, 1234.5)] == [UNKNOWN, "12.3", "1,234"]
    assert [shown.milliseconds(n) for n in (None, 0.44, 123.4, 12_300)] == [
        UNKNOWN, "0.4 ms", "123 ms", "12.3 s"
    ]  # fmt: skip
    assert [shown.size(n) for n in (None, 512, 34_500, 2_400_000)] == [
        UNKNOWN, "512 bytes", "34.5 kB", "2.4 MB"
    ]  # fmt: skip
    assert shown.number(None) == ""
    assert shown.moment(datetime(2026, 11, 28, 14, 7, tzinfo=UTC)) == "2026-11-28 14:07"
    assert shown.moment(None) == UNKNOWN


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/photos/cat.jpg", "cat.jpg"),
        ("https://example.org/a/d%C3%B6g.jpg?sig=1/2", "dög.jpg"),
        ("https://example.org", "https://example.org"),
        ("http://[half/cat.jpg", "cat.jpg"),
        ("/photos/a\u202egpj.exe", r"a\u202egpj.exe"),
        ("/photos/line\nbreak.jpg", r"line\nbreak.jpg"),
        ("", ""),
    ],
)
def test_the_last_part_of_a_reference_is_its_name_and_hides_nothing(uri: str, name: str) -> None:
    assert shown.last_part(uri) == name


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    text = shown.clip("a" * 100 + "b" * 100, 21)
    assert text == "a" * 10 + "…" + "b" * 10


def test_every_failure_code_says_what_it_means_and_what_to_do() -> None:
    said = [get_advice(code) for code in FailureCode]
    assert all(one.title and one.meaning.endswith(".") and one.remedy.endswith(".") for one in said)
    assert len({one.title for one in said}) == len(said)


@pytest.mark.parametrize(
    ("said", "n", "text"),
    [
        ("retried", "1", "1 image runs again."),
        ("retried", "1200", "1,200 images run again."),
        ("retried", "<b>", ""),
        ("retried", "²", ""),
        ("deleted", "", "The job is deleted."),
        ("<script>", "", ""),
    ],
)
def test_an_address_chooses_a_sentence_and_writes_none(said: str, n: str, text: str) -> None:
    assert find_message(said, n) == text


def test_an_address_leaves_out_what_is_empty() -> None:
    assert (
        make_address("/jobs/a", {"label": "a&b", "uri": "", "page": None}) == "/jobs/a?label=a%26b"
    )
    assert make_address("/", {"before": 0}, "images") == "/?before=0#images"


@pytest.mark.parametrize(
    ("sides", "shown_sides"),
    [
        ((640, 480), (320, 240)),
        ((100, 50), (100, 50)),
        ((1, 90_000), (1, 320)),
        ((None, None), (320, 320)),
    ],
)
def test_a_thumbnail_has_the_proportions_of_its_picture(
    sides: tuple[int | None, int | None], shown_sides: tuple[int, int]
) -> None:
    assert find_sides(*sides) == shown_sides


def test_a_sign_in_place_of_a_picture_holds_its_reason_as_text() -> None:
    drawn = draw_placeholder("<script>alert(1)</script> " + "long " * 30).decode()
    assert "<script" not in drawn
    assert drawn.count("<text") == 2
