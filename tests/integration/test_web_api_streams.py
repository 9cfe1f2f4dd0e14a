"""Streams: a job that is watched by many at the price of one, and exports of any size."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from job_books import carry, carry_all
from waiting import wait_for
from web_fixtures import Serving, asking, make_job, running

from pipeline import ledger
from pipeline.export.rows import FORMATS, export
from pipeline.queries.filters import PredictionFilter
from pipeline.queries.results import iterate_results
from pipeline.storage.deletion import delete_job

if TYPE_CHECKING:
    from conftest import SmallJob

LISTENERS = 200


@pytest.fixture
def server(database_url: str) -> Iterator[Serving]:
    """A server without any token."""
    with running(database_url) as started:
        yield started


@contextmanager
def statements(server: Serving) -> Iterator[list[str]]:
    """Collect the statements that the server's database is sent, but for BEGIN."""
    said: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if not statement.startswith("BEGIN"):
            said.append(statement)

    sa.event.listen(server.database.engine, "before_cursor_execute", note)
    yield said
    sa.event.remove(server.database.engine, "before_cursor_execute", note)


async def events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    """Yield (name, data) of each event; a comment is ("", its text)."""
    name = ""
    async for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
        elif line.startswith(":"):
            yield "", line


async def hear_of(heard: AsyncIterator[tuple[str, Any]], succeeded: int) -> None:
    """Listen until so many images have succeeded."""
    async for _, data in heard:
        if data["counts"]["succeeded"] == succeeded:
            return


def listeners(server: Serving) -> int:
    with asking(server) as client:
        (line,) = [
            line
            for line in client.get("/metrics").text.splitlines()
            if line.startswith("imagemill_web_listeners ")
        ]
    return int(float(line.split()[1]))


def test_two_hundred_who_watch_a_job_cost_less_than_a_query_a_second(
    server: Serving, submit_small: Callable[..., SmallJob]
) -> None:
    job = submit_small(server.database, name="watched")

    async def listen() -> None:
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(
                base_url=server.address, timeout=60, limits=limits, trust_env=False
            ) as client,
            AsyncExitStack() as open_streams,
        ):
            heard = []
            for _ in range(LISTENERS):
                asked = client.stream("GET", "/api/v1/jobs/watched/watch")
                answer = await open_streams.enter_async_context(asked)
                assert answer.headers["content-type"].startswith("text/event-stream")
                heard.append(events(answer.aiter_lines()))
            first = await asyncio.gather(*(anext(one) for one in heard))
            assert {name for name, _ in first} == {"progress"}
            await asyncio.to_thread(carry, server.database, job)
            await asyncio.gather(*(hear_of(one, succeeded=4) for one in heard))
            started = time.monotonic()
            with statements(server) as said:
                for _ in range(2):
                    await asyncio.gather(*(anext(one) for one in heard))
                per_s = len(said) / (time.monotonic() - started)
            assert 0 < per_s < 1, said
            await asyncio.to_thread(carry_all, server.database, job)
            for one in heard:
                told = [event async for event in one]
                name, data = told[-1]
                assert (name, data["status"], data["labels"]) == (
                    "end",
                    "completed",
                    {"label 0": 10},
                )

    asyncio.run(listen())
    wait_for(lambda: listeners(server) == 0, 10, "the end of every subscription")


def test_a_look_is_what_a_job_is_shown_as(
    server: Serving, submit_small: Callable[..., SmallJob]
) -> None:
    job = submit_small(server.database, name="watched")
    with asking(server) as client:
        with client.stream("GET", "/api/v1/jobs/watched/watch") as answer:
            lines = answer.iter_lines()
            assert next(lines) == "retry: 3000"
            event, data = [next(line for line in lines if line) for _ in range(2)]
            assert event == "event: progress"
            shown = client.get("/api/v1/jobs/watched").json()
            assert json.loads(data.removeprefix("data: ")) == {**shown, "labels": None}
        assert client.head("/api/v1/jobs/watched/watch").content == b""
        wait_for(lambda: listeners(server) == 0, 10, "the leaving")
        carry_all(server.database, job)
        # One that has ended is told of once.
        text = client.get("/api/v1/jobs/watched/watch").text
    assert text.count("event: ") == text.count("event: end") == 1


def test_the_stream_of_a_job_that_is_deleted_ends(
    server: Serving, submit_small: Callable[..., SmallJob]
) -> None:
    job = submit_small(server.database, name="watched")
    with asking(server) as client, client.stream("GET", "/api/v1/jobs/watched/watch") as answer:
        lines = answer.iter_lines()
        assert any(line.startswith("data: ") for line in lines)
        delete_job(server.database, job.id)
        assert not any(line.startswith("event: end") for line in lines)


def test_a_database_that_is_away_ends_no_stream(own_postgres: Any) -> None:
    postgres = own_postgres
    with running(postgres.url) as server:
        job_id = make_job(server.database, "watched", finish=False)
        with asking(server) as client, client.stream("GET", "/api/v1/jobs/watched/watch") as answer:
            lines = answer.iter_lines()
            assert any(line.startswith("data: ") for line in lines)
            postgres.stop()
            wait_for(lambda: client.get("/readyz").status_code == 503, 30, "the outage")
            assert client.get("/api/v1/jobs").status_code == 503
            assert client.get("/healthz").status_code == 200
            postgres.start()
            wait_for(lambda: client.get("/readyz").status_code == 200, 30, "the recovery")
            ledger.cancel(server.database, job_id)
            assert any(line == "event: end" for line in lines)


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_is_that_of_the_command(server: Serving, form: str) -> None:
    make_job(server.database, "holiday")
    make_job(server.database, "other", uris=("/<script>.jpg", "/b.jpg"))
    for wanted in ({"job": "holiday"}, {"job": "other", "failed": "false"}):
        expected = io.BytesIO()
        failed = False if "failed" in wanted else None
        found = iterate_results(server.database, PredictionFilter(job=wanted["job"], failed=failed))
        export(found, form, expected, 3)
        with asking(server) as client:
            answer = client.get("/api/v1/predictions/export", params={**wanted, "format": form})
        disposition = f'attachment; filename="predictions.{form}"'
        assert answer.headers["content-disposition"] == disposition
        if form == "parquet":
            table = pq.read_table(io.BytesIO(answer.content))
            assert table.equals(pq.read_table(io.BytesIO(expected.getvalue())))
        else:
            assert answer.content == expected.getvalue()


def test_a_wrong_export_is_refused_before_it_begins(server: Serving) -> None:
    with asking(server) as client:
        for query in ("job=none", "format=xls", "label=none", "uri=/a*"):
            answer = client.get(f"/api/v1/predictions/export?{query}")
            assert answer.status_code in (404, 422)
            assert answer.headers["content-type"] == "application/problem+json"


def test_a_client_that_leaves_ends_its_export(server: Serving) -> None:
    uris = tuple(f"/{n}/{'x' * 1000}.jpg" for n in range(3000))
    make_job(server.database, "large", uris=uris, chunk_size=3000)
    with asking(server) as client:
        with client.stream("GET", "/api/v1/predictions/export?job=large") as answer:
            next(answer.iter_raw())
        wait_for(
            lambda: not any(one.name == "export" for one in threading.enumerate()),
            10,
            "the end of the export",
        )
