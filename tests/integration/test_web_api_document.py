"""The document and the server agree: schemathesis asks for all that the document promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from web_fixtures import Serving, asking, make_job, running

from pipeline.tokens.scopes import Scope
from pipeline.tokens.tokens import create_token

_SETTINGS = settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
_CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest,
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Serving]:
    """A server with two finished jobs in it, that asks for a token; each database refuses more."""
    folder = tmp_path_factory.mktemp("document")
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'imagemill.db'}"
        (folder / "imagemill.db").write_bytes(sqlite_template.read_bytes())
        if request.param == "postgresql":
            _, url = stack.enter_context(request.getfixturevalue("migrated_postgres")())
        started = stack.enter_context(running(url, weights="demo", roots=(folder,)))
        make_job(started.database, "holiday")
        make_job(started.database, "again", shift=1)
        yield started


@pytest.fixture(scope="module")
def token(server: Serving) -> str:
    """A token that may do anything."""
    return create_token(server.database, "admin", Scope.ADMIN)


@pytest.fixture(scope="module")
def document(server: Serving, token: str) -> dict[str, Any]:
    """The OpenAPI document as it is served."""
    with asking(server, token) as client:
        document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_has_its_refusals_and_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for name, operation in operations(document):
        if name in ("GET /healthz", "GET /readyz"):
            continue
        assert {"401", "403", "429", "503"} <= set(operation["responses"]), name
        assert {"bearer": []} in operation["security"], name
        for status, answer in operation["responses"].items():
            content = answer.get("content", {})
            if int(status) >= 400:
                assert set(content) == {"application/problem+json"}, (name, status)
            elif "application/json" in content:
                model = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
                assert "example" in schemas[model], (name, model)


@pytest.mark.parametrize("job", ["holiday", "again"])
def test_real_answers_fit_the_document(
    server: Serving, token: str, document: dict[str, Any], job: str
) -> None:
    """What is made up rarely names what is there: ask for all that is."""
    schema = schemathesis.openapi.from_dict(document)
    with asking(server, token) as client:
        model = client.get("/api/v1/models").json()["models"][0]["id"]
        values = {"{job}": job, "{index}": "4", "{id}": str(model)}
        for name, _ in operations(document):
            method, path = name.split()
            if method != "GET" or path.endswith(("/watch", "/thumbnail")):
                continue
            for key, value in values.items():
                path = path.replace(key, value)
            query = {"a": "holiday", "b": "again"} if "compare" in path else {}
            answer = client.get(path, params=query)
            assert answer.status_code == 200, (name, answer.text)
            check(schema, name, answer)


def check(schema: Any, name: str, answer: httpx.Response) -> None:
    method, path = name.split()
    schema[path][method].validate_response(answer)


def test_the_server_keeps_what_the_document_says(
    server: Serving, token: str, document: dict[str, Any]
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.address)
    headers = {"Authorization": f"Bearer {token}"}

    def keep(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=_CHECKS, timeout=30)

    asked: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    # A watch has no end while its job runs: it comes before there is one. Deletions come last.
    asked.sort(key=lambda one: (one.method == "delete", not one.path.endswith("/watch")))
    assert asked[0].path.endswith("/watch")
    for operation in asked:
        _SETTINGS(given(case=operation.as_strategy())(keep))()
