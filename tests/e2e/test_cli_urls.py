"""Pictures from the web, as a user asks for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_host import BadHost, bad_host
from command import Run


@pytest.fixture
def host(pictures: Path) -> Iterator[BadHost]:
    good = next(path for path in sorted(pictures.iterdir()) if path.suffix == ".jpg")
    with bad_host(good.read_bytes()) as server:
        yield server


def test_a_list_of_urls_is_classified_and_each_failure_has_its_code(
    imagemill: Run, host: BadHost, tmp_path: Path
) -> None:
    paths = ["good/1", "good/2", "moved", "gone", "html", "inside", "busy"]
    manifest = tmp_path / "urls.txt"
    manifest.write_text("".join(f"{host.url(path)}\n" for path in paths))
    allowed = ("--allow-private-hosts", "127.0.0.1", "--allow-ports", str(host.port))
    done = imagemill(
        *("run", manifest, "--weights", "demo", "--json", *allowed), IMAGEMILL_RETRIES="0"
    )
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert job["counts"]["succeeded"] == 3
    expected = {"http_4xx": 1, "not_an_image": 1, "blocked_address": 1, "http_429": 1}
    assert job["failures"] == expected


def test_an_address_inside_is_refused_unless_it_is_allowed(imagemill: Run, host: BadHost) -> None:
    done = imagemill("classify", host.url("good"), "--weights", "demo", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "blocked_address"
    assert not host.asked
    allowed = ("--allow-private-hosts", "127.0.0.1", "--allow-ports", str(host.port))
    done = imagemill("classify", host.url("good"), "--weights", "demo", "--json", *allowed)
    assert json.loads(done.stdout)["predictions"], done.stdout
    done = imagemill(
        "run", host.url("good"), "--weights", "demo", "--allow-private-hosts", "10.0.0.0/99"
    )
    assert done.returncode == 2
    assert "10.0.0.0/99" in done.stderr
