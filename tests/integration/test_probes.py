"""A worker's probes, asked over a real socket."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from waiting import wait_for

from pipeline.errors import UsageError
from workers.watch import listener
from workers.watch.metrics import Metrics
from workers.watch.probes import Probes, serve
from workers.watch.vitals import Problem, Vitals

HOST = "127.0.0.1"
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def vitals() -> Vitals:
    started = Vitals()
    started.start()
    return started


@pytest.fixture
def metrics(vitals: Vitals) -> Metrics:
    return Metrics(vitals.problems)


@pytest.fixture
def probes(metrics: Metrics, vitals: Vitals) -> Iterator[Probes]:
    served = serve(HOST, 0, metrics, vitals, patience_s=1)
    yield served
    served.close()


def ask(probes: Probes, path: str, method: str = "GET", body: bytes | None = None) -> Answer:
    connection = http.client.HTTPConnection(HOST, probes.port, timeout=5)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def ask_state(probes: Probes, path: str) -> tuple[int, object]:
    status, headers, body = ask(probes, path)
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(body)


def test_the_metrics_are_served_as_prometheus_reads_them(probes: Probes, metrics: Metrics) -> None:
    metrics.lease_lost(3)
    status, headers, body = ask(probes, "/metrics?from=here")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert families["imagemill_leases_lost"].samples[0].value == 3


def test_a_problem_stands_in_the_metrics_and_in_readiness_but_is_no_death(
    probes: Probes, vitals: Vitals
) -> None:
    assert ask_state(probes, "/readyz") == (200, {"status": "ok"})
    vitals.trouble(Problem.BROKER, "the broker is away")
    why = {"broker": "the broker is away"}
    assert ask_state(probes, "/readyz") == (503, {"status": "not ready", "problems": why})
    assert ask_state(probes, "/healthz") == (200, {"status": "ok"})
    assert b'imagemill_worker_problem{problem="broker"} 1.0' in ask(probes, "/metrics")[2]


def test_who_is_stuck_is_named(probes: Probes, vitals: Vitals) -> None:
    vitals.beat("sweeper", limit_s=60)
    assert ask_state(probes, "/healthz") == (200, {"status": "ok"})
    vitals.beat("engine", limit_s=-1)
    assert ask_state(probes, "/healthz") == (503, {"status": "stuck", "stuck": ["engine"]})


def test_a_worker_that_drains_is_not_ready(probes: Probes, vitals: Vitals) -> None:
    vitals.drain()
    status, answer = ask_state(probes, "/readyz")
    assert status == 503
    assert "told to stop" in str(answer)


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
def test_head_has_the_headers_and_no_body(probes: Probes, path: str) -> None:
    with socket.create_connection((HOST, probes.port), 5) as client:
        client.sendall(f"HEAD {path} HTTP/1.1\r\n\r\n".encode())
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 0" not in answer


def test_every_other_path_is_404(probes: Probes) -> None:
    for path in ("/", "/metrics/", "/../etc/passwd", "/healthz%00"):
        assert ask(probes, path)[0] == 404


def test_every_other_method_is_405_and_says_what_is_allowed(probes: Probes) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        status, headers, _ = ask(probes, "/metrics", method, b"x=1")
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_nothing_is_said_on_standard_error_and_no_version_is_given_away(
    probes: Probes, capfd: pytest.CaptureFixture[str]
) -> None:
    _, headers, _ = ask(probes, "/nothing")
    assert headers["Server"].strip() == "imagemill"
    with socket.create_connection((HOST, probes.port), 5) as client:
        client.sendall(b"\x00 what is this\r\n\r\n")
        assert b" 400 " in client.recv(4096)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "request_", [b"GET /" + b"a" * 60_000, b"GET / HTTP/1.0\r\n" + b"X: " + b"a" * 60_000]
)
def test_a_request_that_is_too_long_is_refused(probes: Probes, request_: bytes) -> None:
    with socket.create_connection((HOST, probes.port), 5) as client:
        client.sendall(request_)
        assert b" 431 " in client.recv(4096)
    assert ask(probes, "/healthz")[0] == 200


def test_a_client_that_says_nothing_or_little_at_a_time_is_cut(probes: Probes) -> None:
    with (
        socket.create_connection((HOST, probes.port), 5) as silent,
        socket.create_connection((HOST, probes.port), 5) as slow,
    ):
        done = threading.Event()
        dripping = threading.Thread(target=_drip, args=(slow, done))
        dripping.start()
        assert ask(probes, "/healthz")[0] == 200
        assert silent.recv(1) == b""
        dripping.join(5)
        assert done.is_set()
    wait_for(lambda: not _handlers(), 5, "the end of their threads")


def test_clients_that_only_hold_on_keep_nobody_out(
    metrics: Metrics, vitals: Vitals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_CONNECTIONS", 3)
    probes = serve(HOST, 0, metrics, vitals)
    held = [socket.create_connection((HOST, probes.port), 5) for _ in range(6)]
    try:
        assert ask(probes, "/healthz")[0] == 200
        assert held[0].recv(1) == b""
        wait_for(lambda: len(_handlers()) <= 3, 5, "the end of the oldest")
    finally:
        probes.close()
        wait_for(lambda: not _handlers(), 5, "the end of all others")
        for client in held:
            client.close()


def test_a_taken_port_is_refused_in_a_sentence(
    probes: Probes, metrics: Metrics, vitals: Vitals
) -> None:
    with pytest.raises(UsageError, match=f"port {probes.port} .*taken; choose another"):
        serve(HOST, probes.port, metrics, vitals)


def test_an_address_of_another_machine_is_refused_in_a_sentence(
    metrics: Metrics, vitals: Vitals
) -> None:
    with pytest.raises(UsageError, match=r"listen on 192\.0\.2\.1 .*IMAGEMILL_METRICS_HOST"):
        serve("192.0.2.1", 0, metrics, vitals)


def test_a_closed_server_frees_its_port_at_once(metrics: Metrics, vitals: Vitals) -> None:
    first = serve(HOST, 0, metrics, vitals)
    assert ask(first, "/healthz")[0] == 200
    first.close()
    second = serve(HOST, first.port, metrics, vitals)
    assert ask(second, "/healthz")[0] == 200
    second.close()


def _drip(client: socket.socket, done: threading.Event) -> None:
    try:
        while True:
            client.sendall(b"G")
            if done.wait(0.05):
                return
    except OSError:
        done.set()


def _handlers() -> list[threading.Thread]:
    threads = threading.enumerate()
    return [thread for thread in threads if "process_request_thread" in thread.name]
