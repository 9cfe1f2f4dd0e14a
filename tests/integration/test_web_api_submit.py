"""Jobs that are handed in over HTTP: references, manifests and pictures, within their limits."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from PIL import Image
from web_fixtures import Serving, asking, images_of, refused, running

from pipeline import tables
from pipeline.queries.jobs import get_job
from pipeline.queries.rules import find_rules
from pipeline.removal import remove_job

JOBS, MANIFEST, PICTURES = "/api/v1/jobs", "/api/v1/jobs/manifest", "/api/v1/jobs/pictures"
URLS = ["https://example.com/1.jpg", "https://example.com/2.jpg"]
DEMO = {"weights": "demo", "top_k": 2}


@pytest.fixture
def server(sqlite_url: str) -> Iterator[Serving]:
    """A server without roots that takes little at once."""
    with running(sqlite_url, weights="demo", upload_bytes=200_000, upload_references=50) as started:
        yield started


@pytest.fixture
def client(server: Serving) -> Iterator[httpx.Client]:
    """A client of it."""
    with asking(server) as made:
        yield made


def picture(colour: str = "red") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(data, "PNG")
    return data.getvalue()


def test_references_become_a_job_that_waits_for_its_workers(
    server: Serving, client: httpx.Client
) -> None:
    given = [URLS[0], {"uri": URLS[1], "custom_id": "two"}]
    body = {"references": given, "name": "holiday", "model": DEMO, "priority": "high"}
    answer = client.post(JOBS, json=body)
    assert answer.status_code == 201, answer.text
    job = answer.json()["job"]
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["name"], job["status"], job["counts"]["total"]) == ("holiday", "pending", 2)
    assert (job["model"]["name"], job["options"]["top_k"]) == ("demo", 2)
    assert "start it" in answer.json()["unsent"]
    assert images_of(server, "holiday") == [(URLS[0], None), (URLS[1], "two")]


def test_the_same_key_twice_is_one_job(server: Serving, client: httpx.Client) -> None:
    key = {"Idempotency-Key": "order 17"}
    first = client.post(JOBS, json={"references": URLS}, headers=key)
    again = client.post(JOBS, json={"references": URLS}, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["job"]["id"] == again.json()["job"]["id"]
    other = client.post(JOBS, json={"references": URLS[:1]}, headers=key)
    assert "other sources" in refused(other, 409, "conflict")
    named = client.post(JOBS, json={"references": URLS, "name": "own"}, headers=key)
    assert (named.status_code, named.json()["job"]["name"]) == (201, "own")
    refused(client.post(JOBS, json={}, headers={"Idempotency-Key": "x" * 101}), 422, "wrong_use")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"references": []},
        {"references": [""]},
        {"references": URLS, "nonsense": 1},
        {"references": URLS, "name": "two\nlines"},
        {"references": URLS, "max_failure_rate": 2},
        {"references": URLS, "model": {"top_k": 0}},
        {"references": URLS, "webhook": "ftp://example.com"},
        {"references": URLS, "model": {"weights": "/etc/passwd"}},
        {"sources": ["-"]},
        {"sources": ["ftp://example.com/"], "uri_column": "x"},
        [],
        "text",
    ],
)
def test_what_cannot_be_meant_is_refused(
    server: Serving, client: httpx.Client, body: object
) -> None:
    answer = client.post(JOBS, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert client.get(JOBS).json()["jobs"] == []


def test_weights_that_the_server_was_given_may_be_named(sqlite_url: str, tmp_path: Path) -> None:
    from workers.weights import DEMO as FILE

    with running(sqlite_url, weights=str(FILE)) as server, asking(server) as client:
        body = {"references": URLS, "model": {"weights": str(FILE)}}
        assert client.post(JOBS, json=body).status_code == 201
        assert client.post(JOBS, json={"references": URLS}).status_code == 201
        body = {"references": URLS, "model": {"weights": "demo"}}
        assert client.post(JOBS, json=body).status_code == 201


def make_manifests() -> dict[str, tuple[bytes, dict[str, str]]]:
    table = pa.table({"link": URLS, "own": ["one", "two"]})
    parquet = io.BytesIO()
    pq.write_table(table, parquet)
    columns = {"uri_column": "link", "id_column": "own"}
    rows = f"link,own\n{URLS[0]},one\n{URLS[1]},two\n"
    return {
        "list.txt": ("\n".join(URLS).encode(), {}),
        "LIST.CSV": (rows.encode(), columns),
        "list.tsv": (rows.replace(",", "\t").encode(), columns),
        "list.csv.gz": (gzip.compress(rows.encode()), columns),
        "list.parquet": (parquet.getvalue(), columns),
        "../../list.txt": ("\n".join(URLS).encode(), {}),
    }


@pytest.mark.parametrize("name", list(make_manifests()))
def test_a_manifest_is_read_and_not_kept(server: Serving, client: httpx.Client, name: str) -> None:
    content, fields = make_manifests()[name]
    sent: dict[str, Any] = {"data": {**fields, "name": "m"}}
    first = client.post(MANIFEST, files={"manifest": (name, content)}, **sent)
    assert first.status_code == 201, first.text
    own = ["one", "two"] if fields else [None, None]
    assert images_of(server, "m") == list(zip(URLS, own, strict=True))
    assert client.post(MANIFEST, files={"manifest": (name, content)}, **sent).status_code == 200
    assert [*server.settings.uploads.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.doc", b"x"),
        ("", b"x"),
        ("list.parquet", b"no parquet"),
        ("list.csv.gz", b"no gzip"),
        ("list.csv", b"a,b\n1,2\n"),
        ("list.txt", b""),
        ("list.jsonl", b"{"),
    ],
)
def test_a_broken_manifest_is_told_of(
    server: Serving, client: httpx.Client, name: str, content: bytes
) -> None:
    answer = client.post(MANIFEST, files={"manifest": (name, content)})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert str(server.settings.uploads) not in answer.text
    assert not server.settings.uploads.exists() or [*server.settings.uploads.iterdir()] == []


def test_pictures_are_kept_until_the_job_is_deleted(server: Serving, client: httpx.Client) -> None:
    names = ["a.png", "../../x.png", "/etc/passwd", "nul\\x00.png", "<script>.png"]
    files = [("pictures", (name, picture())) for name in names]
    answer = client.post(PICTURES, files=files, data={"name": "mine"})
    assert answer.status_code == 201, answer.text
    options = answer.json()["job"]["options"]
    folder = Path(options["uploads"])
    assert folder.parent == server.settings.uploads
    stored = images_of(server, "mine")
    assert [own for _, own in stored] == names
    assert all(Path(uri).parent == folder for uri, _ in stored)
    assert Path(stored[0][0]).read_bytes() == picture()
    thumbnail = client.get("/api/v1/jobs/mine/images/1/thumbnail")
    assert (thumbnail.status_code, thumbnail.headers["content-type"]) == (200, "image/jpeg")
    assert thumbnail.headers["cache-control"].startswith("private")
    tag = {"If-None-Match": thumbnail.headers["etag"]}
    same = client.get("/api/v1/jobs/mine/images/1/thumbnail", headers=tag)
    assert (same.status_code, same.content) == (304, b"")
    again = client.post(PICTURES, files=files, data={"name": "mine"})
    assert again.status_code == 200
    assert [*server.settings.uploads.iterdir()] == [folder]
    assert client.delete("/api/v1/jobs/mine").status_code == 200
    assert not folder.exists()


def test_a_deletion_past_the_server_removes_the_pictures_too(
    server: Serving, client: httpx.Client
) -> None:
    answer = client.post(PICTURES, files={"pictures": ("a.png", picture())})
    folder = Path(answer.json()["job"]["options"]["uploads"])
    with server.database.reading() as connection:
        job = get_job(connection, answer.json()["job"]["id"])
        rules = find_rules(connection, job.id)
    assert rules is not None
    assert rules.roots == (server.settings.uploads,)
    assert rules.folders == (str(folder),)
    assert folder.exists()
    assert remove_job(server.database, job)
    assert not folder.exists()


def test_a_job_that_names_another_folder_removes_nothing(
    server: Serving, client: httpx.Client, tmp_path: Path
) -> None:
    client.post(PICTURES, files={"pictures": ("a.png", picture())}, data={"name": "mine"})
    precious = tmp_path / ("ab" * 16)
    precious.mkdir()
    (precious / "keep").touch()
    with server.database.transaction() as connection:
        changed = {"uploads": str(precious), "top_k": 5}
        connection.execute(sa.update(tables.jobs).values(options=changed))
    assert client.delete("/api/v1/jobs/mine").status_code == 200
    assert (precious / "keep").exists()


def test_a_submission_that_is_refused_keeps_nothing(server: Serving, client: httpx.Client) -> None:
    wrong = {"name": "mine", "top_k": "0"}
    answer = client.post(PICTURES, files={"pictures": ("a.png", picture())}, data=wrong)
    assert "top_k" in refused(answer, 422, "wrong_use")
    weights = {"weights": "/etc/passwd"}
    answer = client.post(PICTURES, files={"pictures": ("a.png", picture())}, data=weights)
    refused(answer, 422, "wrong_use")
    assert not server.settings.uploads.exists() or [*server.settings.uploads.iterdir()] == []


def test_a_form_needs_its_file(client: httpx.Client) -> None:
    refused(client.post(PICTURES, data={"name": "x"}), 422, "wrong_use")
    refused(client.post(MANIFEST, files={"pictures": ("a.png", b"x")}), 422, "wrong_use")
    refused(client.post(PICTURES, json={}), 415, "wrong_type")
    broken = {"Content-Type": "multipart/form-data"}
    refused(client.post(PICTURES, content=b"x", headers=broken), 422, "wrong_form")


def test_a_body_is_not_read_beyond_its_limit(server: Serving, client: httpx.Client) -> None:
    large = b"x" * 300_000

    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield large[:10_000]

    kinds = {"Content-Type": "application/json"}
    refused(client.post(JOBS, content=large, headers=kinds), 413, "too_long")
    refused(client.post(JOBS, content=chunks(), headers=kinds), 413, "too_long")
    refused(client.post(PICTURES, files={"pictures": ("a", large)}), 413, "too_long")
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    start = b'--b\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
    streamed = iter([start, *chunks()])
    refused(client.post(PICTURES, content=streamed, headers=form), 413, "too_long")
    assert not server.settings.uploads.exists() or [*server.settings.uploads.iterdir()] == []


def test_too_many_references_are_refused(server: Serving, client: httpx.Client) -> None:
    many = [f"https://example.com/{n}.jpg" for n in range(51)]
    refused(client.post(JOBS, json={"references": many}), 413, "too_many_references")
    manifest = {"manifest": ("m.txt", "\n".join(many).encode())}
    refused(client.post(MANIFEST, files=manifest), 413, "too_many_references")
    files = [("pictures", (str(n), b"x")) for n in range(51)]
    refused(client.post(PICTURES, files=files), 413, "too_many_parts")
    assert client.get(JOBS).json()["jobs"] == []
    assert client.post(JOBS, json={"references": many[:50]}).status_code == 201
