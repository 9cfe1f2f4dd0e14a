"""Each way in which the proxy breaks connections, with a real server behind it."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_server import PostgresServer
from proxy import Proxy
from redis import Redis
from redis_server import RedisServer
from waiting import wait_for


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    """A proxy in front of the shared Redis."""
    with Proxy("127.0.0.1", redis_server.port) as made:
        yield made


def connect(proxy: Proxy) -> socket.socket:
    end = socket.create_connection(("127.0.0.1", proxy.port))
    end.settimeout(5)
    return end


def ping(end: socket.socket) -> bytes:
    end.sendall(b"PING\r\n")
    return end.recv(100)


def hears_nothing(end: socket.socket) -> bool:
    """Tell whether a request gets neither an answer nor an end, for a moment."""
    end.settimeout(0.2)
    try:
        ping(end)
    except TimeoutError:
        return True
    return False


def count_clients(server: RedisServer, name: str) -> int:
    with server.client() as client:
        return sum(one["name"] == name for one in client.client_list())


def test_everything_passes_both_ways(proxy: Proxy, redis_server: RedisServer) -> None:
    large = bytes(range(256)) * 40_000
    with Redis("127.0.0.1", proxy.port, socket_timeout=5) as client:
        client.set("large", large)
        assert client.get("large") == large
        assert proxy.connections == 1
    wait_for(lambda: proxy.connections == 0, 5, "the end of the connection")
    with redis_server.client() as client:
        client.delete("large")


def test_the_end_of_the_server_ends_its_clients(own_redis: RedisServer) -> None:
    with Proxy("127.0.0.1", own_redis.port) as proxy, connect(proxy) as end:
        assert ping(end) == b"+PONG\r\n"
        own_redis.kill()
        assert end.recv(100) == b""
        with connect(proxy) as late, pytest.raises(ConnectionResetError):
            late.recv(100)


def test_in_a_hole_no_side_hears_of_the_other(proxy: Proxy, redis_server: RedisServer) -> None:
    with connect(proxy) as end:
        end.sendall(b"CLIENT SETNAME holed\r\n")
        assert end.recv(100) == b"+OK\r\n"
        proxy.hole()
        assert hears_nothing(end)
    # Its client has left, and the server still waits for it: so is a message lost.
    assert proxy.connections == 1
    assert count_clients(redis_server, "holed") == 1
    proxy.reset()
    wait_for(lambda: not count_clients(redis_server, "holed"), 5, "the end of the connection")


def test_a_message_that_is_popped_into_a_hole_is_lost(
    proxy: Proxy, redis_server: RedisServer
) -> None:
    with connect(proxy) as end, redis_server.client() as other:
        end.sendall(b"CLIENT SETNAME popping\r\nBRPOP holed 0\r\n")
        assert end.recv(100) == b"+OK\r\n"
        wait_for(lambda: other.info("clients")["blocked_clients"] == 1, 5, "the pop")
        proxy.hole()
        other.lpush("holed", "message")
        assert other.llen("holed") == 0
        end.settimeout(0.2)
        with pytest.raises(TimeoutError):
            end.recv(100)


def test_beside_a_hole_new_connections_pass(proxy: Proxy) -> None:
    with connect(proxy) as old:
        ping(old)
        proxy.hole()
        with connect(proxy) as new:
            assert ping(new) == b"+PONG\r\n"
            proxy.heal()
            assert ping(new) == b"+PONG\r\n"
        assert hears_nothing(old)  # Half of its bytes are gone: it never comes back.


def test_in_a_hole_for_all_new_connections_hang_until_it_heals(
    proxy: Proxy, redis_server: RedisServer
) -> None:
    proxy.hole(new_pass=False)
    with connect(proxy) as hung:
        assert hears_nothing(hung)
        proxy.heal()
        with connect(proxy) as new:
            assert ping(new) == b"+PONG\r\n"
        assert hears_nothing(hung)


def test_a_reset_breaks_all_connections_and_no_new_one(proxy: Proxy) -> None:
    with connect(proxy) as first, connect(proxy) as second:
        assert ping(first) == ping(second) == b"+PONG\r\n"
        proxy.reset()
        for end in first, second:
            with pytest.raises(ConnectionResetError):
                end.recv(100)
        with connect(proxy) as new:
            assert ping(new) == b"+PONG\r\n"
            wait_for(lambda: proxy.connections == 1, 5, "the end of the others")


def test_refused_are_new_connections_alone_until_it_heals(proxy: Proxy) -> None:
    with connect(proxy) as old:
        assert ping(old) == b"+PONG\r\n"
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        assert ping(old) == b"+PONG\r\n"
        proxy.heal()
        with connect(proxy) as new:
            assert ping(new) == b"+PONG\r\n"


def test_a_closed_proxy_leaves_nothing_behind(redis_server: RedisServer) -> None:
    before = threading.active_count()
    proxy = Proxy("127.0.0.1", redis_server.port)
    with connect(proxy) as holed, connect(proxy) as passed:
        ping(holed), ping(passed)
        proxy.hole(new_pass=False)
        with connect(proxy):
            proxy.close()
    assert threading.active_count() == before
    assert proxy.connections == 0


def test_a_server_behind_a_unix_socket_is_reached(tmp_path: Path) -> None:
    class Echo(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline())

    path = str(tmp_path / "echo")
    with socketserver.UnixStreamServer(path, Echo) as server, Proxy(path) as proxy:
        server.timeout = 5
        threading.Thread(target=server.handle_request).start()
        with connect(proxy) as end:
            assert ping(end) == b"PING\r\n"
            assert end.recv(100) == b""


def test_postgres_is_reached_and_cut_off_too(own_postgres: PostgresServer) -> None:
    with Proxy("127.0.0.1", own_postgres.port) as proxy:
        connection = psycopg.connect(own_postgres.url_at(proxy.port))
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
        proxy.reset()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        connection.close()
