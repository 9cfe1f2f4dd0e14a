"""Tables without a terminal, and text that a stranger chose."""

from __future__ import annotations

import pytest

from pipeline.cli.output import printable, show_pairs, show_table
from pipeline.cli.predictions.view import result_text
from pipeline.records import Failure, FailureCode, ImageResult, Prediction


def test_a_piped_table_is_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "/pictures/" + "x" * 300 + ".jpg"
    show_table(("uri", "score"), [[long, "0.5000"], ["/a.jpg", "1"]], right={"score"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("uri ")
    assert lines[0].endswith("  score")
    assert lines[1] == f"{long}  0.5000"
    assert lines[2].split() == ["/a.jpg", "1"]
    assert len({len(line) for line in lines}) == 1


def test_pairs_stand_in_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_pairs([("job", "holiday"), ("images", "3")])
    assert capsys.readouterr().out == "job     holiday\nimages  3\n"


def test_control_characters_in_a_name_cannot_reach_the_terminal() -> None:
    assert printable("/a\x1b[2J\nb.jpg") == r"/a\x1b[2J\nb.jpg"
    assert printable("/größe 雪.jpg") == "/größe 雪.jpg"


def test_a_classified_picture_reads_as_label_and_score() -> None:
    found = (Prediction(1, "Samoyed", 258, 0.73061), Prediction(2, "Arctic fox", 279, 0.0269))
    text = result_text(ImageResult("/dog.jpg", "d-1", found, None))
    assert text == "/dog.jpg (d-1)\n  Samoyed     0.7306\n  Arctic fox  0.0269"


def test_a_failure_is_one_line() -> None:
    failure = Failure(FailureCode.NOT_FOUND, "there is\nno such file")
    text = result_text(ImageResult("/no.jpg", None, None, failure))
    assert text == r"/no.jpg  not_found: there is\nno such file"
