"""Who may ask what: every route of the application, walked with each kind of token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from web_fixtures import Serving, asking, make_job, running

from pipeline.tokens.scopes import Scope
from pipeline.tokens.tokens import create_token, revoke_token
from pipeline.web.access import Needs
from pipeline.web.app import make_app

#: What anybody may ask for; nothing else may be added without thought. Logging out opens nothing.
OPEN = {"/healthz", "/readyz", "/login", "/logout", "/static/{version}/{name}"}
_VALUES = {"{job}": "holiday", "{key}": "holiday", "{index}": "0", "{id}": "1"}


@pytest.fixture(scope="module")
def server(sqlite_template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with a token of each scope, by the scope's name."""
    path = tmp_path_factory.mktemp("access") / "imagemill.db"
    path.write_bytes(sqlite_template.read_bytes())
    with running(f"sqlite:///{path}") as started:
        make_job(started.database, "holiday")
        yield started


@pytest.fixture(scope="module")
def tokens(server: Serving) -> dict[str, str]:
    """A token of each scope."""
    return {str(scope): create_token(server.database, str(scope), scope) for scope in Scope}


def list_routes(routes: Any) -> Iterator[tuple[str, str, Scope | None]]:
    """Yield (method, path, scope) of each route of the application, however it was included."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            prefix = route.include_context.prefix
            for method, path, scope in list_routes(inner.routes):
                yield method, prefix + path, scope
            continue
        needed = [one.call.scope for one in route.dependant.dependencies if is_needs(one.call)]
        for method in sorted(route.methods - {"HEAD"}):
            yield method, route.path, max(needed, key=list(Scope).index, default=None)


def is_needs(call: Any) -> bool:
    return isinstance(call, Needs)


@pytest.fixture(scope="module")
def routes(server: Serving) -> list[tuple[str, str, Scope | None]]:
    """Every route: its method, its address with values in it, and the scope that it asks for."""
    app = make_app(server.settings, server.database, loopback=True)
    found = list(list_routes(app.routes))
    app.state.context.close()
    return found


def fill(path: str) -> str:
    for name, value in _VALUES.items():
        path = path.replace(name, value)
    return path


def ask(client: httpx.Client, method: str, path: str, secret: str | None) -> httpx.Response:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return client.request(method, fill(path), headers=headers)


def test_the_walk_meets_the_routes_of_the_api_and_of_the_page(
    routes: list[tuple[str, str, Scope | None]],
) -> None:
    met = {(method, path) for method, path, _ in routes}
    assert met >= {
        ("GET", "/"), ("GET", "/jobs/{key}"), ("POST", "/submit"), ("GET", "/openapi.json"),
        ("GET", "/metrics"), ("POST", "/api/v1/jobs"), ("DELETE", "/api/v1/jobs/{job}"),
        ("GET", "/api/v1/jobs/{job}/watch"), ("GET", "/api/v1/predictions/export"),
    }  # fmt: skip
    assert {path for _, path, scope in routes if scope is None} == OPEN


def test_no_route_answers_without_a_token_that_is_large_enough(
    server: Serving, tokens: dict[str, str], routes: list[tuple[str, str, Scope | None]]
) -> None:
    with asking(server) as client:
        for method, path, scope in routes:
            if scope is None:
                continue
            for secret in (None, "im_" + "x" * 43, "im_", tokens["read"][:-1]):
                answer = ask(client, method, path, secret)
                assert (answer.status_code, method, path) == (401, method, path)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["www-authenticate"].startswith("Bearer")
            smaller = list(Scope)[: list(Scope).index(scope)]
            for less in smaller:
                answer = ask(client, method, path, tokens[str(less)])
                assert (answer.status_code, method, path) == (403, method, path)
                assert answer.json()["code"] == "scope_too_small"


def test_each_scope_opens_what_it_is_for(server: Serving, tokens: dict[str, str]) -> None:
    reads = ("/api/v1/jobs", "/api/v1/jobs/holiday", "/metrics", "/openapi.json", "/")
    with asking(server, tokens["read"]) as client:
        assert [client.get(path).status_code for path in reads] == [200] * len(reads)
        assert client.post("/api/v1/jobs/holiday/retry").status_code == 403
        assert client.delete("/api/v1/jobs/holiday").status_code == 403
    with asking(server, tokens["submit"]) as client:
        assert client.post("/api/v1/jobs/holiday/cancel").status_code == 409
        assert client.delete("/api/v1/jobs/holiday").status_code == 403
    with asking(server, tokens["admin"]) as client:
        assert client.delete("/api/v1/jobs/none").status_code == 404


def test_what_is_open_is_open(server: Serving, tokens: dict[str, str]) -> None:
    with asking(server) as client:
        for path in ("/healthz", "/readyz", "/login"):
            assert client.get(path).status_code == 200
        assert client.get("/nothing").status_code == 404


def test_a_browser_is_asked_to_log_in(server: Serving, tokens: dict[str, str]) -> None:
    with asking(server) as client:
        page = client.get("/", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert "token" in page.text
        api = client.get("/api/v1/jobs", headers={"Accept": "text/html"})
        assert api.headers["content-type"] == "application/problem+json"


def test_a_revoked_token_opens_nothing_from_then_on(server: Serving) -> None:
    secret = create_token(server.database, "passing", Scope.ADMIN)
    with asking(server, secret) as client:
        assert client.get("/api/v1/jobs").status_code == 200
        revoke_token(server.database, "passing")
        assert client.get("/api/v1/jobs").status_code == 401


def test_a_token_is_taken_from_the_cookie(server: Serving, tokens: dict[str, str]) -> None:
    cookie = {"Cookie": f"imagemill_token={tokens['read']}"}
    with asking(server) as client:
        assert client.get("/api/v1/jobs", headers=cookie).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_what_another_site_sends_is_refused(
    server: Serving, tokens: dict[str, str], headers: dict[str, str]
) -> None:
    cookie = {"Cookie": f"imagemill_token={tokens['admin']}"}
    with asking(server) as client:
        for method, path in (("POST", "/api/v1/jobs/holiday/cancel"), ("DELETE", "/api/v1/jobs/x")):
            answer = client.request(method, path, headers={**cookie, **headers})
            assert (answer.status_code, answer.json()["code"]) == (403, "foreign_site")
        assert client.get("/api/v1/jobs", headers={**cookie, **headers}).status_code == 200


def test_what_its_own_page_sends_is_taken(server: Serving, tokens: dict[str, str]) -> None:
    own = [
        {"Sec-Fetch-Site": "same-origin", "Origin": server.address},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": server.address},
        {},
    ]
    with asking(server, tokens["admin"]) as client:
        for headers in own:
            answer = client.post("/api/v1/jobs/holiday/cancel", headers=headers)
            assert answer.json()["code"] == "conflict"


@pytest.fixture(scope="module")
def open_server(
    sqlite_template: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """A server that needs no token."""
    path = tmp_path_factory.mktemp("open") / "imagemill.db"
    path.write_bytes(sqlite_template.read_bytes())
    with running(f"sqlite:///{path}") as started:
        yield started


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost.evil:80", "\u00e9"],
)
def test_a_foreign_name_that_leads_to_loopback_is_refused(open_server: Serving, host: str) -> None:
    with asking(open_server) as client:
        for path in ("/", "/api/v1/jobs", "/openapi.json"):
            answer = client.get(path, headers={b"Host": host.encode("latin-1")})
            assert answer.status_code in (400, 403)


def test_any_name_will_do_where_a_token_is_needed(server: Serving, tokens: dict[str, str]) -> None:
    with asking(server) as client:
        assert client.get("/api/v1/jobs", headers={"Host": "mill.example"}).status_code == 401
    with asking(server, tokens["read"]) as client:
        assert client.get("/api/v1/jobs", headers={"Host": "mill.example"}).status_code == 200


def test_the_names_of_loopback_are_known(open_server: Serving) -> None:
    port = open_server.address.rpartition(":")[2]
    with asking(open_server) as client:
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "LocalHost"):
            assert client.get("/api/v1/jobs", headers={"Host": host}).status_code == 200


def test_a_name_is_free_where_others_may_ask(sqlite_url: str) -> None:
    with running(sqlite_url, loopback=False) as server, asking(server) as client:
        assert client.get("/healthz", headers={"Host": "mill.example"}).status_code == 200
        # Without any token nobody from elsewhere is let in.
        assert client.get("/api/v1/jobs").status_code == 401


def test_every_answer_forbids_what_a_page_could_be_tricked_into(server: Serving) -> None:
    with asking(server) as client:
        for path in ("/healthz", "/api/v1/jobs", "/nothing", "/login"):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert "server" not in headers


def test_wrong_tokens_are_counted_too(sqlite_url: str) -> None:
    with running(sqlite_url, requests_per_s=0.5) as server:
        secret = create_token(server.database, "one", Scope.READ)
        with asking(server, "im_wrong") as client:
            answers = [client.get("/api/v1/jobs").status_code for _ in range(4)]
            assert answers == [401, 401, 429, 429]
            login = client.post("/login", data={"token": secret})
            assert "set-cookie" not in login.headers
            assert "requests a second" in login.text
        with asking(server, secret) as client:
            assert client.get("/api/v1/jobs").status_code == 200
