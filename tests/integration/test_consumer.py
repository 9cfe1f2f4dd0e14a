"""What a worker does when Celery or its connection fails it."""

from __future__ import annotations

from typing import Any

import pytest
from redis import exceptions

from pipeline.broker import QUEUES, make_celery
from pipeline.config import load_settings
from pipeline.records import Priority
from workers import command
from workers.consumer import Consumer


def break_once(channel: Any) -> None:
    """Let a channel's socket be found broken as it is closed, once."""

    def read(**_: object) -> None:
        channel._in_poll = None
        raise exceptions.ConnectionError("gone")

    channel._in_poll, channel._brpop_read = True, read


def test_a_connection_that_breaks_once_more_as_it_is_closed_does_not_end_the_worker(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_celery(redis_url)
    with app.connection_for_write() as other, other.SimpleQueue(QUEUES[Priority.BULK]) as queue:
        queue.put({"is": "never acknowledged"})
    consumer = Consumer.__new__(Consumer)
    consumer.app = app
    consumer.connection = connection = app.connection_for_read()
    channel = connection.default_channel
    assert channel.basic_get(QUEUES[Priority.BULK]) is not None
    break_once(channel)
    break_once(connection.channel())
    consumer.on_connection_error_after_connected(exceptions.ConnectionError("gone"))
    assert consumer.connection is None
    assert "no attribute 'hostname'" in caplog.text


def test_a_worker_that_celery_gives_up_leaves_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Failed:
        exitcode = 1

        def __init__(self, **_: object) -> None:
            self.started = False

        def start(self) -> None:
            self.started = True

    app = make_celery("redis://127.0.0.1:1/0")
    app.Worker = Failed
    monkeypatch.setattr(command, "make_app", lambda _: app)
    monkeypatch.setattr(command, "set_up_logs", lambda _: None)
    assert command.work(load_settings(device="cpu"), []) == 1
