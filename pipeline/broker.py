"""The broker: Celery over Redis, its queues and its settings, and the one way to send a chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import BrokerError
from pipeline.records import Priority

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from celery import Celery

    from pipeline.records import Message

#: The task that carries a chunk; renamed it would be dropped by workers of another version.
TASK = "imagemill.chunk"
QUEUES = {Priority.HIGH: "imagemill.high", Priority.BULK: "imagemill.bulk"}

_SCHEMES = ("redis", "rediss")
_SET_IT = "set --broker-url or IMAGEMILL_BROKER_URL"
#: How long one command to Redis may take, in seconds. Without it a half-open connection hangs a
#: worker for ever.
_SOCKET_TIMEOUT_S = 5
#: Connections of one broker at most; who needs another waits.
_CONNECTIONS = 8
_TRANSPORT = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 30,
    "socket_timeout": _SOCKET_TIMEOUT_S,
    "socket_connect_timeout": _SOCKET_TIMEOUT_S,
    "socket_keepalive": True,
    "health_check_interval": 5,
    # How often a command tries to connect; whoever waits for the broker does so in its own loop.
    "max_retries": 1,
    "interval_start": 0.2,
    # One list for each queue in place of four: no message of ours has a priority of its own.
    "priority_steps": [0],
}


def make_celery(url: str) -> Celery:
    """Return a Celery app with the product's settings; it connects at first use.

    Raises BrokerError for an address that is no Redis.
    """
    from celery import Celery
    from kombu.entity import Queue

    _check_address(url)
    app = Celery("imagemill", broker=url, set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(name, routing_key=name) for name in QUEUES.values()],  # type: ignore[no-untyped-call]
        task_default_queue=QUEUES[Priority.BULK],
        worker_pool="threads",
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_transport_options=_TRANSPORT,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A Redis that is full, or read-only, or still loading, is waited for like one that is away.
        broker_channel_error_retry=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return app


class Broker:
    """Sends messages and counts those that wait; may be used by any thread."""

    def __init__(self, url: str, app: Celery | None = None) -> None:
        from kombu.pools import ProducerPool

        self._app = app or make_celery(url)
        self.address = show_address(url)
        # Pools of its own: kombu's are shared by the process, and closed for all at once.
        self._connections: Any = self._app.connection_for_write().Pool(limit=_CONNECTIONS)
        self._producers: Any = ProducerPool(  # type: ignore[no-untyped-call]
            self._connections, limit=_CONNECTIONS
        )

    def send(self, messages: Sequence[Message]) -> None:
        """Send one message for each chunk, all in one round trip.

        Raises BrokerError; it is not known then which of them were taken.
        """
        if messages:
            with self._translated(), self._producing() as producer, producer.batch():
                for message in messages:
                    self._publish(message, producer)

    def length(self, priority: Priority) -> int:
        """Return how many messages wait in a queue. Raises BrokerError."""
        with self._translated(), self._connections.acquire(block=True) as connection:
            length: int = connection.default_channel.client.llen(QUEUES[priority])
            return length

    def check(self) -> None:
        """Raise BrokerError unless the broker answers."""
        with self._translated(), self._app.connection_for_write() as connection:
            connection.default_channel.client.ping()

    def close(self) -> None:
        """Close every connection."""
        self._producers.force_close_all()
        self._connections.force_close_all()

    def _publish(self, message: Message, producer: Any) -> None:
        what = f"job {message.job_id}, chunk {message.number}"
        self._app.send_task(
            TASK,
            args=message.as_fields(),
            task_id=f"{message.job_id}-{message.number}-{message.token}",
            queue=QUEUES[message.priority],
            producer=producer,
            retry=False,
            # What Flower shows; the references may be secrets, and are many.
            argsrepr=what,
            kwargsrepr="",
        )

    def _producing(self) -> AbstractContextManager[Any]:
        producers: AbstractContextManager[Any] = self._producers.acquire(block=True)
        return producers

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self.address)


def translated(address: str) -> AbstractContextManager[None]:
    """Turn what Celery, kombu and Redis raise into a BrokerError that says what to do."""
    from contextlib import contextmanager

    from kombu.exceptions import KombuError, OperationalError
    from redis.exceptions import RedisError

    @contextmanager
    def translating() -> Iterator[None]:
        try:
            yield
        except (RedisError, KombuError, OperationalError, OSError) as error:
            raise BrokerError(_explain(error, address)) from error

    return translating()


def show_address(url: str) -> str:
    """Return the address without its user and password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _check_address(url: str) -> None:
    if urlsplit(url).scheme not in _SCHEMES:
        raise BrokerError(
            f"a broker is redis://HOST:PORT/NUMBER, not {show_address(url)!r}; {_SET_IT}"
        )


def _explain(error: BaseException, address: str) -> str:
    # A batch that failed tells only in its cause why.
    said = str(error.__cause__ or error).strip().splitlines()
    reason = said[0].rstrip(".") if said else type(error).__name__
    return f"the broker {address} does not take it ({reason}); start it, or {_SET_IT}"
