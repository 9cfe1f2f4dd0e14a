"""The first commands of a newcomer: classify, doctor, demo, weights."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from command import Done, Run
from PIL import Image


@pytest.fixture(scope="module")
def classified(imagemill: Run, pictures: Path) -> Done:
    """Two pictures and a broken file, classified."""
    paths = [*sorted(pictures.glob("000[01]_*.jpg")), pictures / "empty.jpg"]
    return imagemill("classify", *paths, "--weights", "demo")


def test_each_picture_gets_five_labels_with_scores(classified: Done, pictures: Path) -> None:
    lines = classified.stdout.splitlines()
    assert len(lines) == 13
    first = next(pictures.glob("0000_*.jpg"))
    assert lines[0] == str(first)
    label, score = lines[1].split()
    assert first.name == f"0000_{label}.jpg"
    assert re.fullmatch(r"[01]\.\d{4}", score)
    assert [len(line) for line in lines[1:6]] == [len(lines[1])] * 5


def test_a_failure_is_a_line_with_its_code(classified: Done, pictures: Path) -> None:
    assert classified.stdout.splitlines()[-1].startswith(
        f"{pictures / 'empty.jpg'}  not_an_image: "
    )
    assert classified.returncode == 0


def test_json_is_one_object_a_line_and_strict_exits_with_1(imagemill: Run, pictures: Path) -> None:
    listed = "\n".join(map(str, [*sorted(pictures.glob("000[0-4]_*.jpg")), pictures / "no.jpg"]))
    words = ("--weights", "demo", "--json", "--strict", "--top-k", "2")
    done = imagemill("classify", "-", *words, stdin=listed + "\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["uri"] for row in rows] == listed.split("\n")
    assert all(len(row["predictions"]) == 2 for row in rows[:-1])
    assert rows[-1]["predictions"] is None
    assert rows[-1]["error"]["code"] == "not_found"
    assert done.returncode == 1


def test_weights_show_their_path_hash_and_labels(imagemill: Run) -> None:
    shown = json.loads(imagemill("weights", "show", "demo", "--json").stdout)
    path = Path(shown["path"])
    assert shown["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(shown["labels"]) >= 10
    assert imagemill("weights", "download", "demo").stdout == f"{path}\n"
    assert shown["sha256"] in imagemill("weights", "show", "demo").stdout


def test_the_doctor_finds_this_machine_well(imagemill: Run) -> None:
    done = imagemill("doctor", "--json")
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["ok"]
    verdicts = {check["name"]: check["verdict"] for check in found["checks"]}
    assert verdicts["engine"] == "fine"
    assert verdicts["weights"] == "note"


def test_the_doctor_says_what_to_do(imagemill: Run) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/pictures"
    done = imagemill("doctor", "--database-url", url, "--weights", "demo")
    assert done.returncode == 1
    line = next(line for line in done.stdout.splitlines() if "database" in line)
    assert line.startswith("✗")
    assert "secret" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def demo(imagemill: Run) -> Done:
    return imagemill("demo", "--count", "50", "--folder", "shown")


def test_the_demo_is_right_and_says_how_right(demo: Done) -> None:
    assert demo.returncode == 0, demo.stderr
    accuracy = re.search(r"^accuracy (\d+\.\d) %$", demo.stdout, re.MULTILINE)
    assert accuracy
    assert float(accuracy[1]) >= 94
    assert "55: 50 classified, 5 failed" in demo.stdout
    assert "\x1b" not in demo.stdout


def test_the_demo_has_a_table_by_label(demo: Done) -> None:
    heading, *rows = demo.stdout.split("\naccuracy")[0].splitlines()
    assert heading.split() == ["label", "pictures", "right", "accuracy"]
    assert sum(int(row.split()[1]) for row in rows) == 50


def test_the_demo_draws_a_contact_sheet(demo: Done, folder: Path) -> None:
    with Image.open(folder / "shown" / "contact-sheet.png") as sheet:
        assert sheet.format == "PNG"
    assert "shown/contact-sheet.png" in demo.stdout


def test_the_commands_that_the_demo_names_work(demo: Done, imagemill: Run) -> None:
    typed = [line.split() for line in demo.stderr.splitlines() if "  imagemill " in line]
    *asking, (_, *looking) = typed
    assert len(asking) == 3
    assert looking == ["serve"], "tests/e2e/test_cli_serve.py: it ends when it is stopped"
    for _, *words in asking:
        assert imagemill(*words).returncode == 0, words


def test_a_second_demo_takes_the_place_of_the_first(
    demo: Done, imagemill: Run, folder: Path
) -> None:
    keep = folder / "shown" / "pictures" / "mine.jpg"
    keep.write_bytes(b"not yours")
    done = imagemill("demo", "--count", "10", "--seed", "8", "--folder", "shown")
    assert done.returncode == 0, done.stderr
    assert "16: 10 classified, 6 failed" in done.stdout
    assert keep.read_bytes() == b"not yours"
    assert imagemill("predictions", "count", "--job", "demo").stdout == "16\n"
