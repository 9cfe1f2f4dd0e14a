"""Pictures that are known are left out, and bytes that are known take their answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import Done, Run

COUNT = 12


@pytest.fixture(scope="module")
def known(imagemill: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of pictures, and the address of the database in which a job classified them."""
    from workers.demo.drawing import write_pictures

    folder = tmp_path_factory.mktemp("known")
    write_pictures(folder / "pictures", count=COUNT, seed=11)
    url = f"sqlite:///{folder / 'known.db'}"
    done = run(imagemill, (folder / "pictures", url))
    assert done.returncode == 0, done.stderr
    return folder / "pictures", url


def run(imagemill: Run, known: tuple[Path, str], *words: str) -> Done:
    folder, url = known
    return imagemill("run", folder, "--weights", "demo", *words, IMAGEMILL_DATABASE_URL=url)


def answer_of(done: Done) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    job: dict[str, Any] = json.loads(done.stdout)
    return job


def test_where_all_is_known_the_job_is_empty_and_completed_and_a_sentence_says_so(
    imagemill: Run, known: tuple[Path, str]
) -> None:
    done = run(imagemill, known, "--skip-known", "--name", "again")
    assert done.returncode == 0
    assert f"all {COUNT} images are known already, so there was nothing to do" in done.stderr
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert shown["images"] == "0: 0 classified, 0 failed"
    assert shown["skipped"] == f"{COUNT} more that are known"
    twice = run(imagemill, known, "--skip-known", "--name", "again")
    assert "again was complete already" in twice.stderr


def test_of_a_folder_that_has_grown_the_new_picture_alone_is_classified(
    imagemill: Run, known: tuple[Path, str], tmp_path: Path
) -> None:
    folder = known[0]
    first = min(folder.iterdir())
    new = folder / "new.jpg"
    shutil.copyfile(first, new)
    try:
        job = answer_of(run(imagemill, known, "--skip-known", "--json"))
    finally:
        new.unlink()
    assert (job["counts"]["total"], job["skipped"], job["reused"]) == (1, COUNT, 0)
    assert job["options"]["skip_known"] is True


def test_without_the_option_everything_is_classified_again(
    imagemill: Run, known: tuple[Path, str]
) -> None:
    job = answer_of(run(imagemill, known, "--json"))
    assert (job["counts"]["total"], job["skipped"], job["reused"]) == (COUNT, 0, 0)
    assert job["options"]["skip_known"] is None


def test_copies_under_other_names_take_the_answers_of_the_same_bytes(
    imagemill: Run, known: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copytree(known[0], tmp_path / "copies")
    copies = (tmp_path / "copies", known[1])
    job = answer_of(run(imagemill, copies, "--reuse", "--json"))
    assert (job["counts"]["succeeded"], job["reused"]) == (COUNT, COUNT)
    anew = answer_of(run(imagemill, copies, "--json"))
    assert anew["reused"] == 0
    assert job["labels"] == anew["labels"]
    assert answers_in(imagemill, job, known[1]) == answers_in(imagemill, anew, known[1])


def answers_in(imagemill: Run, job: dict[str, Any], url: str) -> list[tuple[str, Any]]:
    """Return uri and predictions of each image of a job."""
    words = ("predictions", "list", "--job", job["id"], "--json")
    listed = json.loads(imagemill(*words, IMAGEMILL_DATABASE_URL=url).stdout)["predictions"]
    return [(row["uri"], row["predictions"]) for row in listed]


@pytest.mark.parametrize("command", ["classify x.jpg", "run .", "worker"])
def test_a_host_that_is_none_is_one_sentence_before_anything_starts(
    imagemill: Run, command: str
) -> None:
    done = imagemill(*command.split(), "--allow-private-hosts", "10.0.0.0/99")
    assert done.returncode == 2
    assert "10.0.0.0/99" in done.stderr
    assert done.stderr.count("\n") == 1
