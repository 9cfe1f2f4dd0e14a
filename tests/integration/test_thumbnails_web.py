"""Thumbnails of URLs: nothing inside is reached, and a slow host holds up nobody else."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bad_host import BadHost, bad_host
from broken_pictures import draw_picture, encode
from PIL import Image
from waiting import wait_for
from web_fixtures import asking, make_job, running

from pipeline.failures import PictureError
from pipeline.fetch.limits import FetchLimits
from pipeline.records import Failure
from pipeline.thumbnails import reading
from pipeline.thumbnails.thumbnails import Thumbnails

_PICTURE = encode(draw_picture(800, 600), "JPEG")


@pytest.fixture
def host() -> Iterator[BadHost]:
    with bad_host(_PICTURE) as server:
        yield server


@pytest.fixture
def thumbnails(
    host: BadHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Thumbnails]:
    monkeypatch.setattr(reading, "_PATIENCE_S", 2.0)
    ports = (80, 443, host.port)
    limits = FetchLimits(2**24, private_hosts=("127.0.0.1",), ports=ports)
    made = Thumbnails(tmp_path / "cache", 2**24, limits, 10_000_000)
    yield made
    made.close()


def failure_of(thumbnails: Thumbnails, uri: str) -> Failure:
    with pytest.raises(PictureError) as caught:
        thumbnails.get(uri)
    return caught.value.failure


def test_a_url_is_downloaded_once(thumbnails: Thumbnails, host: BadHost) -> None:
    first = thumbnails.get(host.url("good"))

    assert Image.open(io.BytesIO(first)).size == (320, 240)
    assert thumbnails.get(host.url("good")) == first
    assert host.asked["/good"] == 1


def test_what_many_ask_for_at_once_is_downloaded_once(
    thumbnails: Thumbnails, host: BadHost
) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(thumbnails.get, [host.url("good")] * 8))

    assert len(set(made)) == 1
    assert host.asked["/good"] == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.jpg",
        "http://localhost/a.jpg",
        "http://[::1]/a.jpg",
        "http://2130706433/a.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/a.jpg",
    ],
)
def test_addresses_inside_are_blocked(url: str, tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "cache", 2**24, FetchLimits(2**24), 1000)

    assert failure_of(thumbnails, url).code == "blocked_address"
    thumbnails.close()


def test_no_redirect_leads_inside(thumbnails: Thumbnails, host: BadHost) -> None:
    for path in ("inside", "metadata"):
        assert failure_of(thumbnails, host.url(path)).code == "blocked_address"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("html", "not_an_image"),
        ("bomb", "too_large"),
        ("endless", "too_large"),
        ("gone", "http_4xx"),
        ("broken", "http_5xx"),
        ("short", "connect_error"),
        ("loop", "http_4xx"),
    ],
)
def test_a_bad_answer_is_a_failure(
    thumbnails: Thumbnails, host: BadHost, path: str, code: str
) -> None:
    assert failure_of(thumbnails, host.url(path)).code == code


@pytest.mark.parametrize("uri", ["ftp://host.example/a.jpg", "memory://a/b.jpg", "data://x"])
def test_other_schemes_are_refused(thumbnails: Thumbnails, uri: str) -> None:
    assert failure_of(thumbnails, uri).code == "unsupported_scheme"


def test_a_silent_host_is_given_up_and_holds_up_nobody_else(
    thumbnails: Thumbnails, host: BadHost, tmp_path: Path
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(_PICTURE)
    with ThreadPoolExecutor(20) as threads:
        started = time.monotonic()
        slow = [
            threads.submit(failure_of, thumbnails, host.url(f"silent/{number}"))
            for number in range(12)
        ]
        thumbnails.get(str(path))
        with bad_host(_PICTURE, "127.0.0.2") as other:
            assert failure_of(thumbnails, other.url("good")).code == "blocked_address"
        assert time.monotonic() - started < 2
        assert {one.result(10).code for one in slow} == {"timeout"}
    assert time.monotonic() - started < 6


def test_closing_ends_the_wait_of_those_who_download(tmp_path: Path, host: BadHost) -> None:
    limits = FetchLimits(2**20, private_hosts=("127.0.0.1",), ports=(host.port,))
    thumbnails = Thumbnails(tmp_path / "cache", 2**20, limits, 1000)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as threads:
        patch.setattr(reading, "_PATIENCE_S", 1.0)
        waiting = threads.submit(failure_of, thumbnails, host.url("silent"))
        thumbnails.close()
        assert waiting.result(10).code == "timeout"
    assert failure_of(thumbnails, host.url("good")).code == "timeout"


def test_a_server_answers_while_many_wait_for_a_silent_host(
    host: BadHost, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PATIENCE_S", 5.0)
    inside = ("127.0.0.1",)
    with (
        running(sqlite_url, allow_private_hosts=inside, allow_ports=(host.port,)) as server,
        asking(server) as client,
        ThreadPoolExecutor(60) as threads,
    ):
        make_job(server.database, "slow", tuple(host.url(f"silent/{n}") for n in range(60)))
        address = "/api/v1/jobs/slow/images/{}/thumbnail"
        waiting = [threads.submit(client.get, address.format(index)) for index in range(60)]
        wait_for(lambda: sum(host.asked.values()) >= 4, 10, "downloads under way")
        started = time.monotonic()
        assert client.get("/api/v1/jobs/slow").status_code == 200
        assert time.monotonic() - started < 3
        assert {answer.result(30).status_code for answer in waiting} == {503}
