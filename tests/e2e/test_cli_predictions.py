"""Predictions of a finished job, for people and for programs, and the database under them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from command import COMMAND, Done, Run

pytestmark = pytest.mark.usefixtures("finished")


def read_json(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_predictions_page_by_cursor_without_a_gap(imagemill: Run) -> None:
    words = ["predictions", "list", "--job", "shapes", "--limit", "20", "--json"]
    first = read_json(imagemill(*words))
    second = read_json(imagemill(*words, "--cursor", first["next_cursor"]))
    uris = [row["uri"] for row in first["predictions"] + second["predictions"]]
    assert len(uris) == len(set(uris)) == 35
    assert second["next_cursor"] is None
    assert "--cursor" in imagemill("predictions", "list", "--limit", "20").stderr


def test_predictions_come_by_their_score_if_asked(imagemill: Run) -> None:
    def scores(*words: str) -> list[float]:
        found = read_json(imagemill("predictions", "list", "--job", "shapes", *words, "--json"))
        return [row["predictions"][0]["score"] for row in found["predictions"]]

    least = scores("--sort", "least-certain")
    assert len(least) == 30
    assert least == sorted(least)
    assert scores("--sort", "most-certain") == least[::-1]
    middle = least[15]
    assert scores("--sort", "least-certain", "--max-score", str(middle)) == least[:16]
    done = imagemill("predictions", "list", "--sort", "least-certain")
    assert done.returncode == 2
    assert done.stderr.strip().endswith(
        "the order least-certain needs a job as well; say which one"
    )


def test_predictions_are_found_by_what_is_asked(imagemill: Run, pictures: Path) -> None:
    def count(*words: str) -> int:
        done = imagemill("predictions", "count", "--job", "shapes", *words)
        return int(done.stdout)

    job = read_json(imagemill("jobs", "show", "shapes", "--json"))
    label, number = next(iter(job["labels"].items()))
    assert count("--label", label) == number
    assert count() == 35
    assert count("--failed") == 5
    assert count("--classified") == 30
    assert count("--min-score", "0") == 30
    assert count("--uri", f"{pictures}/0*") == 30
    assert count("--uri", f"{pictures}/empty.jpg") == 1
    code, number = next(iter(job["failures"].items()))
    assert count("--code", code) == number
    assert read_json(imagemill("predictions", "count", "--failed", "--json"))["count"] >= 5


def test_a_table_of_predictions_shows_answers_and_failures(imagemill: Run) -> None:
    rows = imagemill("predictions", "list", "--job", "shapes").stdout.splitlines()
    assert rows[0].split() == ["job", "uri", "label", "score", "error"]
    assert len(rows) == 36
    assert any("not_an_image: " in row for row in rows)


def test_nothing_found_is_no_error(imagemill: Run) -> None:
    done = imagemill("predictions", "list", "--custom-id", "nobody")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing found\n")


def test_jsonl_holds_every_finished_image(imagemill: Run) -> None:
    done = imagemill("predictions", "export", "--job", "shapes", "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 35
    assert all(set(row) == {"uri", "custom_id", "predictions", "error"} for row in rows)
    assert sum(row["error"] is not None for row in rows) == 5
    assert all(len(row["predictions"]) == 5 for row in rows if row["error"] is None)
    assert done.stderr == ""


def test_the_three_formats_agree(imagemill: Run, tmp_path: Path) -> None:
    by_format: dict[str, list[tuple[str, str]]] = {}
    for suffix in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"out.{suffix}"
        done = imagemill("predictions", "export", "--job", "shapes", "--output", path)
        assert done.returncode == 0
        assert done.stdout == ""
        assert "35 images" in done.stderr
        by_format[suffix] = sorted(read_answers(path))
    assert by_format["csv"] == by_format["jsonl"] == by_format["parquet"]


def read_answers(path: Path) -> list[tuple[str, str]]:
    """Return uri and best label (or failure code) of each row of an export."""
    if path.suffix == ".csv":
        cells = csv.DictReader(io.StringIO(path.read_text()))
        return [(row["uri"], row["label"] or row["error_code"]) for row in cells]
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (r["uri"], r["predictions"][0]["label"] if r["predictions"] else r["error"]["code"])
        for r in rows
    ]


def test_a_filtered_export_holds_what_was_asked(imagemill: Run) -> None:
    done = imagemill("predictions", "export", "--job", "shapes", "--failed")
    assert len(done.stdout.splitlines()) == 5


def test_no_half_of_an_export_is_left(imagemill: Run, tmp_path: Path) -> None:
    done = imagemill("predictions", "export", "--job", "nobody", "--output", tmp_path / "a.csv")
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_early_ends_it_quietly(
    environment: dict[str, str], folder: Path
) -> None:
    for words in (
        "predictions export --job shapes --format jsonl",
        "predictions list --job shapes --json",
        "--help",
    ):
        child = subprocess.Popen(
            [COMMAND, *words.split()],
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdout
        assert child.stderr
        # Closed before anything is written: the first write finds nobody, however little it is.
        child.stdout.close()
        assert child.wait(60) == 0
        assert child.stderr.read() == b""
        child.stderr.close()


def test_the_schema_is_checked_and_upgraded(imagemill: Run, tmp_path: Path) -> None:
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    before = imagemill("db", "check", "--json", "--database-url", fresh)
    assert before.returncode == 1
    assert "imagemill db upgrade" in before.stderr
    assert json.loads(before.stdout)["current"] is None
    done = imagemill("db", "upgrade", "--database-url", fresh)
    assert (done.returncode, done.stdout) == (0, "")
    after = read_json(imagemill("db", "check", "--json", "--database-url", fresh))
    assert after["current"] == after["head"]
    assert "schema" in imagemill("db", "check", "--database-url", fresh).stdout


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "run --help",
        "weights --help",
        "jobs list",
        "jobs show shapes",
        "predictions list",
        "predictions count",
        "predictions export --job shapes",
        "db check",
    ],
)
def test_what_needs_no_model_imports_no_torch(imagemill: Run, line: str) -> None:
    done = imagemill(*line.split(), PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = {row.split("|")[-1].strip() for row in done.stderr.splitlines() if "|" in row}
    assert "typer" in imported
    assert not {name for name in imported if name.split(".")[0] in {"torch", "torchvision"}}
    assert not {name for name in imported if name.split(".")[0] == "pyarrow"}


def test_a_full_disk_is_one_sentence(environment: dict[str, str], folder: Path) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 (a device)
        done = subprocess.run(
            [COMMAND, "predictions", "export", "--job", "shapes"],
            env=environment,
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "imagemill: No space left on device; make room, and run the command again\n"
    )
