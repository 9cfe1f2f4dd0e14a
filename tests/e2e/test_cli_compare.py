"""`imagemill compare`: agreement, flips as a table, and some of the flipped images."""

from __future__ import annotations

import json

import pytest
from command import Run, assert_refused
from compare_jobs import ANIMALS, BEASTS, FAILED, OPEN, Said, make_job

from pipeline.database.database import Database

YESTERDAY = [
    Said("/pictures/1.jpg", "cat", 0.9, "one"),
    Said("/pictures/2.jpg", "dog", 0.4, "two"),
    Said("/pictures/[3].jpg", "cow", 0.3),
    Said("/pictures/4.jpg", FAILED),
    Said("/pictures/5.jpg", "cat", 0.8),
]
TODAY = [
    Said("/pictures/1.jpg", "cat", 0.95, "one"),
    Said("/pictures/2.jpg", "cat", 0.45, "two"),
    Said("/pictures/[3].jpg", "bee", 0.6),
    Said("/pictures/4.jpg", "bee", 0.7),
]


@pytest.fixture
def compared(own_database: Database) -> Database:
    """The jobs ``yesterday`` and ``today`` in ``own_database``."""
    make_job(own_database, ANIMALS, YESTERDAY, "yesterday")
    make_job(own_database, BEASTS, TODAY, "today")
    return own_database


def test_a_person_reads_the_numbers_the_flips_and_flipped_images(
    command: Run, compared: Database
) -> None:
    done = command("compare", "yesterday", "today")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "A          yesterday: animals auto, pending\n"
        "B          today: beasts fast, pending\n"
        "images     4 in both by uri, 3 answered\n"
        "agreed     1 (33.33 %)\n"
        "flipped    2\n"
        "score      +0.0500 on average, from A to B, where both agree\n"
        "failed     1 in A alone, 0 in B alone, 0 in both\n"
        "only in A  1\n"
        "only in B  0\n"
        "\n"
        "label in A  label in B  images\n"
        "cow         bee              1\n"
        "dog         cat              1\n"
        "\n"
        "uri                custom id  label in A  score in A  label in B  score in B\n"
        "/pictures/[3].jpg             cow             0.3000  bee             0.6000\n"
        "/pictures/2.jpg    two        dog             0.4000  cat             0.4500\n"
    )
    assert "today still runs: these are the images that it has finished so far" in done.stderr


def test_the_json_has_everything(command: Run, compared: Database) -> None:
    told = json.loads(command("compare", "yesterday", "today", "--json").stdout)
    assert told["a"]["job"] == "yesterday"
    assert told["b"]["total"] == 4
    assert told["running"] == ["yesterday", "today"]
    assert told["by"] == "uri"
    numbers = {"images": 4, "answered": 3, "agreed": 1, "flipped": 2, "open": 0}
    numbers |= {"failed_a": 1, "failed_b": 0, "failed_both": 0, "only_a": 1, "only_b": 0}
    assert {name: told[name] for name in numbers} == numbers
    assert told["agreement"] == pytest.approx(1 / 3)
    assert told["score_change"] == pytest.approx(0.05)
    assert told["flips"] == [
        {"from_label": "cow", "to_label": "bee", "images": 1},
        {"from_label": "dog", "to_label": "cat", "images": 1},
    ]


def test_the_limit_is_of_the_images_that_are_shown(command: Run, compared: Database) -> None:
    shown = command("compare", "yesterday", "today", "--limit", "1").stdout
    assert "[3].jpg" in shown
    assert "2.jpg" not in shown
    assert ".jpg" not in command("compare", "yesterday", "today", "--limit", "0").stdout


def test_images_are_joined_by_a_users_own_ids_on_demand(command: Run, compared: Database) -> None:
    shown = command("compare", "yesterday", "today", "--by", "custom-id").stdout
    assert "2 in both by custom id, 2 answered" in shown
    assert "only in A  3" in shown


def test_what_is_not_finished_is_told(command: Run, compared: Database) -> None:
    make_job(compared, ANIMALS, [Said("/pictures/1.jpg", OPEN)], "now")
    shown = command("compare", "yesterday", "now").stdout
    assert "open       1 not finished in both" in shown
    assert "agreed     0\n" in shown


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("yesterday", "Missing argument 'B'"),
        ("yesterday yesterday", "yesterday agrees with itself; name two jobs"),
        ("yesterday nobody", "no job 'nobody'; `imagemill jobs list` shows them"),
        ("yesterday elsewhere", "share no uri, but some of their custom ids are the same"),
        ("yesterday today --by name", "'name' is not one of 'uri', 'custom-id'"),
        ("yesterday today --limit -1", "--limit takes 0 or more images, not -1"),
    ],
)
def test_wrong_usage_is_one_sentence(
    command: Run, compared: Database, line: str, sentence: str
) -> None:
    make_job(compared, ANIMALS, [Said("/other/1.jpg", "cat", custom_id="one")], "elsewhere")
    assert_refused(command("compare", *line.split()), sentence)
