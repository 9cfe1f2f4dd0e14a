"""The broker: a real Redis, also one that is full, frozen, gone or guarded by a password."""

from __future__ import annotations

import pytest
from redis import Redis
from redis_server import RedisServer

from pipeline.broker import QUEUES, Broker, make_celery, show_address
from pipeline.errors import BrokerError
from pipeline.records import ImageRef, Message, Priority


def message(number: int, priority: Priority = Priority.BULK) -> Message:
    return Message(
        1, number, 4, False, (ImageRef(0, "https://host/a.jpg?signature=s3cret"),), priority
    )


def test_messages_wait_in_the_queue_of_their_priority(redis_url: str) -> None:
    broker = Broker(redis_url)
    broker.send([message(0), message(1), message(2, Priority.HIGH)])
    assert (broker.length(Priority.BULK), broker.length(Priority.HIGH)) == (2, 1)
    broker.close()


def test_a_message_is_json_and_shows_no_reference_to_those_who_watch(redis_url: str) -> None:
    broker = Broker(redis_url)
    broker.send([message(0)])
    with Redis.from_url(redis_url, decode_responses=True) as client:
        sent = str(client.lindex(QUEUES[Priority.BULK], 0))
    broker.close()
    assert '"content-type": "application/json"' in sent
    assert "job 1, chunk 0" in sent
    assert "s3cret" not in sent, "the body is encoded, and the headers are what Flower shows"


def test_nothing_is_sent_for_no_message() -> None:
    Broker("redis://127.0.0.1:1/0").send([])


def test_sending_goes_on_after_a_restart_and_after_a_cut(own_redis: RedisServer) -> None:
    broker = Broker(own_redis.url)
    broker.send([message(0)])
    own_redis.restart()
    _send_with_patience(broker, message(1))
    with own_redis.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    _send_with_patience(broker, message(2))
    assert broker.length(Priority.BULK) >= 2
    broker.close()


def test_sending_goes_on_after_everything_was_flushed(redis_url: str) -> None:
    broker = Broker(redis_url)
    broker.send([message(0)])
    with Redis.from_url(redis_url) as client:
        client.flushdb()
    broker.send([message(0)])
    assert broker.length(Priority.BULK) == 1
    broker.close()


def test_a_broker_that_is_away_is_one_sentence_without_its_password() -> None:
    broker = Broker("redis://user:geheim@127.0.0.1:1/0")
    for act in (
        broker.check,
        lambda: broker.send([message(0)]),
        lambda: broker.length(Priority.HIGH),
    ):
        with pytest.raises(BrokerError, match="IMAGEMILL_BROKER_URL") as caught:
            act()
        assert "redis://127.0.0.1:1/0" in str(caught.value)
        assert "geheim" not in str(caught.value)
    broker.close()


def test_a_wrong_password_is_one_sentence(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.config_set("requirepass", "richtig")
    broker = Broker(own_redis.url.replace("://", "://:falsch@"))
    with pytest.raises(BrokerError, match="password") as caught:
        broker.check()
    assert "falsch" not in str(caught.value)
    broker.close()


def test_a_full_broker_is_one_sentence(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
    broker = Broker(own_redis.url)
    with pytest.raises(BrokerError, match="maxmemory"):
        broker.send([message(0)])
    with own_redis.client() as client:
        client.config_set("maxmemory", "0")
    broker.send([message(0)])
    broker.close()


@pytest.mark.parametrize("url", ["amqp://u:geheim@host/", "localhost:6379", "", "http://x/0"])
def test_an_address_that_is_no_redis_is_refused(url: str) -> None:
    with pytest.raises(BrokerError, match="a broker is redis://HOST:PORT/NUMBER") as caught:
        Broker(url)
    assert "geheim" not in str(caught.value)


def test_the_workers_settings_are_those_that_lose_nothing() -> None:
    conf = make_celery("redis://127.0.0.1:1/0").conf
    assert conf.task_acks_late
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_pool == "threads"
    assert conf.accept_content == ["json"]
    assert conf.result_backend is None
    options = conf.broker_transport_options
    assert options["socket_timeout"] < options["visibility_timeout"]


def test_an_address_is_shown_without_its_secrets() -> None:
    assert show_address("rediss://user:geheim@host:6380/2?x=geheim") == "rediss://host:6380/2"


def _send_with_patience(broker: Broker, sent: Message) -> None:
    # The first command after a cut may find it out; the sweeper would send again.
    try:
        broker.send([sent])
    except BrokerError:
        broker.send([sent])


def test_closing_one_broker_leaves_others_of_that_address_alone(redis_url: str) -> None:
    first, second = Broker(redis_url), Broker(redis_url)
    first.send([message(0)])
    first.close()
    second.send([message(1)])
    assert second.length(Priority.BULK) == 2
    second.close()
