"""Pictures in an object store and in archives, as a user asks for them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from command import Run
from s3_server import Bucket

pytest_plugins = ["s3_fixtures"]


@pytest.fixture
def keys() -> list[str]:
    return ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"]


@pytest.fixture
def stored(bucket: Bucket, pictures: Path, tmp_path: Path) -> Bucket:
    """A bucket with ten pictures below a prefix, five of them in a zip file, too."""
    good = sorted(pictures.glob("*.jpg"))[:10]
    bucket.put({f"shop/{path.name}": path.read_bytes() for path in good})
    with ZipFile(tmp_path / "five.zip", "w") as archive:
        for path in good[:5]:
            archive.write(path, path.name)
    bucket.put_file("packed/five.zip", tmp_path / "five.zip")
    return bucket


def run(imagemill: Run, keys: list[str], *words: str) -> dict[str, Any]:
    done = imagemill(
        "run", *words, "--weights", "demo", "--json", **{k: os.environ[k] for k in keys}
    )
    assert done.returncode == 0, done.stderr
    job: dict[str, Any] = json.loads(done.stdout)
    return job


def test_a_prefix_is_classified_and_what_is_known_is_left_out_the_next_time(
    imagemill: Run, keys: list[str], stored: Bucket, pictures: Path
) -> None:
    job = run(imagemill, keys, stored.at("shop/"), "--skip-known")
    assert (job["counts"]["succeeded"], job["skipped"]) == (10, 0)
    another = sorted(pictures.glob("*.jpg"))[11]
    stored.put({"shop/zzz.jpg": another.read_bytes()})
    job = run(imagemill, keys, stored.at("shop/"), "--skip-known")
    assert (job["counts"]["succeeded"], job["skipped"]) == (1, 10)


def test_the_members_of_an_archive_in_a_store_are_classified(
    imagemill: Run, keys: list[str], stored: Bucket
) -> None:
    job = run(imagemill, keys, stored.at("packed/five.zip"), "--name", "packed")
    assert job["counts"]["succeeded"] == 5
    shown = imagemill("predictions", "list", "--job", "packed", "--json")
    uris = [json.loads(shown.stdout)["predictions"][0]["uri"]]
    assert uris[0].startswith("zip+s3://")


def test_a_local_archive_is_classified(imagemill: Run, pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    with ZipFile(path, "w") as archive:
        for each in sorted(pictures.glob("*.jpg"))[:2]:
            archive.write(each, f"album/{each.name}")
    done = imagemill("run", path, "--weights", "demo", "--json")
    assert json.loads(done.stdout)["counts"]["succeeded"] == 2


def test_a_store_that_cannot_be_listed_is_one_sentence(
    imagemill: Run, keys: list[str], stored: Bucket
) -> None:
    environment = {k: os.environ[k] for k in keys} | {"AWS_SECRET_ACCESS_KEY": "wrong-secret"}
    done = imagemill("run", stored.at("shop/"), "--weights", "demo", **environment)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "wrong-secret" not in done.stderr
