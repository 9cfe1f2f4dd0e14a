"""Jobs over HTTP: listed, shown, decided on; every refusal is a problem."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from web_fixtures import LABELS, Serving, asking, make_job, refused, running

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def server(database_url: str) -> Iterator[Serving]:
    """A server without any token."""
    with running(database_url) as started:
        yield started


@pytest.fixture
def client(server: Serving) -> Iterator[httpx.Client]:
    """A client of it."""
    with asking(server) as made:
        yield made


def test_jobs_are_listed_a_page_at_a_time(server: Serving, client: httpx.Client) -> None:
    for n in range(3):
        make_job(server.database, f"job {n}")
    first = client.get("/api/v1/jobs", params={"limit": 2}).json()
    assert [job["name"] for job in first["jobs"]] == ["job 2", "job 1"]
    rest = client.get("/api/v1/jobs", params={"cursor": first["next_cursor"]}).json()
    assert ([job["name"] for job in rest["jobs"]], rest["next_cursor"]) == (["job 0"], None)
    refused(client.get("/api/v1/jobs?cursor=x"), 422, "wrong_use")


def test_a_job_is_shown_by_its_name_or_its_id(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, "holiday")
    job = client.get("/api/v1/jobs/holiday").json()
    assert job["counts"] == {
        "total": 12, "succeeded": 10, "failed": 2, "pending": 0, "cancelled": 0,
    }  # fmt: skip
    assert job["failures"] == {"not_found": 2}
    assert sum(job["labels"].values()) == 10
    assert job["eta_s"] is None
    assert client.get(f"/api/v1/jobs/{job['id']}").json() == job
    assert "no job 'none'" in refused(client.get("/api/v1/jobs/none"), 404, "no_such_job")


def test_a_head_has_the_headers_alone(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, "holiday")
    for path in ("/api/v1/jobs", "/healthz", "/api/v1/predictions/export"):
        whole, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]
    assert client.head("/api/v1/jobs/none").status_code == 404


def test_an_unknown_address_and_method_are_problems(client: httpx.Client) -> None:
    refused(client.get("/api/v1/nothing"), 404, "no_such_address")
    answer = client.put("/api/v1/jobs")
    refused(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} & set(answer.headers["allow"].split(", "))


def test_failures_run_again_by_code(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, "holiday")
    path = "/api/v1/jobs/holiday/retry"
    assert client.post(path, json={"codes": ["timeout"]}).json()["images"] == 0
    refused(client.post(path, json={"codes": ["none"]}), 422, "wrong_use")
    refused(
        client.post(path, content="codes", headers={"Content-Type": "text/plain"}),
        415,
        "wrong_type",
    )
    again = client.post(path, json={"codes": ["not_found"]}).json()
    assert (again["images"], again["job"]["counts"]["pending"]) == (2, 2)
    assert "imagemill run" in again["unsent"]


def test_a_job_is_cancelled_resumed_and_deleted(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, "holiday", finish=False)
    job = "/api/v1/jobs/holiday"
    assert client.post(f"{job}/cancel").json()["images"] == 12
    refused(client.post(f"{job}/cancel"), 409, "conflict")
    refused(client.post(f"{job}/retry"), 409, "conflict")
    assert client.post(f"{job}/resume").json()["job"]["status"] == "running"
    refused(client.post(f"{job}/resume"), 409, "conflict")
    assert client.delete(job).json()["images"] == 12
    refused(client.delete(job), 404, "no_such_job")


def test_failures_labels_and_scores_are_shown(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, "holiday")
    job = "/api/v1/jobs/holiday"
    failed = client.get(f"{job}/failures", params={"limit": 1}).json()
    assert failed["failures"] == {"not_found": 2}
    assert [row["index"] for row in failed["images"]] == [5]
    more = client.get(f"{job}/failures", params={"cursor": failed["next_cursor"]}).json()
    assert [row["index"] for row in more["images"]] == [11]
    assert client.get(f"{job}/failures", params={"code": "timeout"}).json()["images"] == []
    labels = client.get(f"{job}/labels").json()
    assert (labels["images"], labels["is_sample"]) == (10, False)
    assert {one["label"] for one in labels["labels"]} == set(LABELS)
    scores = client.get(f"{job}/scores").json()
    assert (len(scores["counts"]), sum(scores["counts"])) == (20, 10)


def test_predictions_are_filtered_sorted_and_counted(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, "holiday")
    found = client.get("/api/v1/predictions", params={"job": "holiday", "label": "dog"}).json()
    assert [row["index"] for row in found["predictions"]] == [0, 4, 8]
    sort: dict[str, str | int] = {"job": "holiday", "sort": "most-certain", "limit": 3}
    first = client.get("/api/v1/predictions", params=sort).json()
    assert [row["index"] for row in first["predictions"]] == [10, 9, 8]
    after = client.get("/api/v1/predictions", params={**sort, "cursor": first["next_cursor"]})
    assert [row["index"] for row in after.json()["predictions"]] == [7, 6, 4]
    assert client.get("/api/v1/predictions/count?failed=true").json() == {"count": 2}
    refused(client.get("/api/v1/predictions?sort=least-certain"), 422, "wrong_use")
    refused(client.get("/api/v1/predictions?label=none"), 422, "wrong_use")
    refused(client.get("/api/v1/predictions?min_score=2"), 422, "wrong_use")
    refused(client.get("/api/v1/predictions?job=none"), 404, "no_such_job")


def test_an_image_has_its_making_and_its_history(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, "holiday")
    make_job(server.database, "again", shift=1)
    image = client.get("/api/v1/jobs/holiday/images/4").json()
    assert (image["uri"], image["custom_id"], image["open"]) == ("/pictures/04.jpg", "id-4", False)
    assert image["predictions"][0]["label"] == "dog"
    assert (image["chunk"]["engine"], image["chunk"]["batch_sizes"]) == ("torch", [4, 2])
    assert [(one["job"], one["label"]) for one in image["history"]] == [
        ("again", "cat"),
        ("holiday", "dog"),
    ]
    refused(client.get("/api/v1/jobs/holiday/images/12"), 404, "no_such_job")
    refused(client.get("/api/v1/jobs/holiday/images/99999999999"), 422, "wrong_use")
    refused(client.get("/api/v1/jobs/holiday/images/4/thumbnail"), 404, "not_found")


def test_models_and_their_labels_are_listed(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, "holiday")
    (model,) = client.get("/api/v1/models").json()["models"]
    assert (model["name"], model["labels"], model["jobs"]) == ("small", 4, 1)
    path = f"/api/v1/models/{model['id']}/labels"
    assert [one["label"] for one in client.get(path).json()["labels"]] == list(LABELS)
    counted = client.get(path, params={"job": "holiday"}).json()["labels"]
    assert sum(one["images"] for one in counted) == 10
    refused(client.get("/api/v1/models/77/labels"), 404, "no_such_model")


def test_two_jobs_are_compared(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, "a")
    make_job(server.database, "b", shift=1)
    both = client.get("/api/v1/compare?a=a&b=b").json()
    assert (both["images"], both["agreed"], both["flipped"]) == (12, 7, 3)
    flips = client.get("/api/v1/compare/flips?a=a&b=b&from_label=dog").json()["flips"]
    assert [one["a"]["index"] for one in flips] == [0, 4, 8]
    refused(client.get("/api/v1/compare?a=a&b=a"), 422, "wrong_use")
    refused(client.get("/api/v1/compare?a=a&b=none"), 404, "no_such_job")


def test_a_stored_script_stays_text(server: Serving, client: httpx.Client) -> None:
    make_job(server.database, SCRIPT, uris=(f"/{SCRIPT}.jpg",), custom_ids=(SCRIPT,))
    answer = client.get("/api/v1/predictions")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    (row,) = json.loads(answer.text)["predictions"]
    assert (row["job"], row["uri"], row["custom_id"]) == (SCRIPT, f"/{SCRIPT}.jpg", SCRIPT)


def test_the_probes_say_how_the_server_is(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "database": "ok", "broker": "away"}
    for address in ("/api/v1/jobs", "/jobs/none", "/api/v1/jobs/none", "/nowhere"):
        client.get(address)
    text = client.get("/metrics").text
    for route in ("/api/v1/jobs", "/jobs/{key}", "/api/v1/jobs/{job}", "other"):
        assert f'imagemill_web_requests_total{{route="{route}"' in text, route
    assert 'imagemill_web_jobs{status="completed"} 0.0' in text
    assert 'imagemill_web_requests_total{route="/healthz",status="200"} 1.0' in text
    assert "imagemill_web_listeners 0.0" in text


def test_too_many_requests_are_told_to_wait(database_url: str) -> None:
    with running(database_url, requests_per_s=0.5) as server, asking(server) as client:
        answers = [client.get("/api/v1/jobs") for _ in range(4)]
        assert [one.status_code for one in answers] == [200, 200, 429, 429]
        refused(answers[-1], 429, "too_many_requests")
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 3
        assert client.get("/healthz").status_code == 200
