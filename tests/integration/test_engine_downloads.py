"""The engine with images to download: real loader processes, and a server with bad habits."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bad_host import BadHost, bad_host
from echo import OPTIONS, Echo, loader_pids
from PIL import Image

from pipeline.fetch.limits import FetchLimits
from pipeline.records import ImageRef, Outcome, Precision, Provenance
from workers.decoder import Decoder
from workers.engine.engine import Engine


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "grey.png"
    Image.new("RGB", (256, 256), (7, 7, 7)).save(path)
    return path


@pytest.fixture
def host(picture: Path) -> Iterator[BadHost]:
    with bad_host(picture.read_bytes()) as server:
        yield server


@pytest.fixture
def engine(host: BadHost) -> Iterator[Engine]:
    limits = FetchLimits(
        10**6,
        private_hosts=("127.0.0.0/8", "localhost"),
        ports=(host.port,),
        timeout_s=6,
        downloads=64,
    )
    decoder = Decoder(Precision.AUTO, 10**7, limits)
    started = Engine(Echo(), decoder, replace(OPTIONS, downloads=64), Provenance())
    yield started
    started.close()


def ask(engine: Engine, *uris: str) -> tuple[Outcome, ...]:
    images = [ImageRef(index, uri) for index, uri in enumerate(uris)]
    return engine.submit(images, 1).result(60).outcomes


def shown(outcomes: tuple[Outcome, ...]) -> list[object]:
    return [str(o.failure.code) if o.failure else o.scores[0].index for o in outcomes]


def test_images_from_far_and_near_of_one_chunk_come_in_order(
    engine: Engine, host: BadHost, picture: Path
) -> None:
    uris = [host.url("good"), str(picture), host.url("gone"), "/no/such.png", host.url("html")]
    found = ask(engine, *uris)
    assert shown(found) == [7, 7, "http_4xx", "not_found", "not_an_image"]
    assert found[0].facts.version == '"one"'
    assert found[0].facts.sha256 == found[1].facts.sha256


def test_nobody_waits_for_a_host_that_does_not_answer(
    engine: Engine, host: BadHost, picture: Path
) -> None:
    slow = engine.submit([ImageRef(n, host.url(f"silent/{n}")) for n in range(60)], 1)
    time.sleep(0.5)
    another = [host.url(f"good/{n}").replace("127.0.0.1", "localhost") for n in range(20)]
    others = [ask(engine, *([str(picture)] * 20)), ask(engine, *another)]
    assert not slow.done()
    assert [shown(found) for found in others] == [[7] * 20, [7] * 20]
    assert set(shown(slow.result(60).outcomes)) == {"timeout"}


def test_a_loader_process_that_dies_while_it_downloads_costs_no_image(
    engine: Engine, host: BadHost
) -> None:
    assert shown(ask(engine, host.url("good"))) == [7]
    uris = [host.url(f"good/{n}") for n in range(150)] + [host.url("half/1")]
    waiting = engine.submit([ImageRef(n, uri) for n, uri in enumerate(uris)], 1)
    time.sleep(0.3)
    for pid in loader_pids():
        os.kill(pid, signal.SIGKILL)
    assert shown(waiting.result(60).outcomes) == [7] * 150 + ["timeout"]


def test_loader_processes_are_replaced_in_time(host: BadHost, picture: Path) -> None:
    options = replace(OPTIONS, loader_images=10)
    engine = Engine(Echo(), Decoder(Precision.AUTO, 10**7, FetchLimits(10**6)), options)
    try:
        seen = set()
        for _ in range(5):
            assert shown(ask(engine, *([str(picture)] * 20))) == [7] * 20
            seen |= loader_pids()
        assert len(seen) >= 6
    finally:
        engine.close()


def test_a_picture_that_wants_more_memory_than_there_is_fails_alone(tmp_path: Path) -> None:
    large, small = tmp_path / "large.png", tmp_path / "small.png"
    Image.new("RGB", (13_000, 13_000)).save(large)
    Image.new("RGB", (256, 256), (7, 7, 7)).save(small)
    options = replace(OPTIONS, loader_memory=1024)
    engine = Engine(Echo(), Decoder(Precision.AUTO, 2 * 10**8, FetchLimits(10**8)), options)
    try:
        uris = [str(small), str(large), str(small)]
        assert shown(ask(engine, *uris)) == [7, "decoder_crashed", 7]
    finally:
        engine.close()
