"""No route reads a local path outside of the roots, however it is written."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from web_fixtures import Serving, asking, images_of, make_job, refused, running

from pipeline.failures import PictureError
from pipeline.fetch.limits import FetchLimits
from pipeline.fetch.near import read_near
from pipeline.fetch.roots import NOWHERE, narrow
from pipeline.references import storable

JOBS, MANIFEST = "/api/v1/jobs", "/api/v1/jobs/manifest"


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A root with a picture, an archive and a manifest in it, and with ways out."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "sub", outside / "deep"):
        folder.mkdir(parents=True)
    for path in (root / "a.png", root / "sub" / "b.png", outside / "secret.png"):
        Image.new("RGB", (8, 8)).save(path)
    (outside / "deep" / "secret.png").write_bytes((outside / "secret.png").read_bytes())
    with tarfile.open(root / "shard.tar", "w") as tar:
        tar.add(root / "a.png", "a.png")
    with zipfile.ZipFile(outside / "shard.zip", "w") as shard:
        shard.write(outside / "secret.png", "secret.png")
    with tarfile.open(outside / "shard.tar", "w") as tar:
        tar.add(outside / "secret.png", "secret.png")
    (root / "good.txt").write_text("a.png\nsub/b.png\n")
    (root / "bad.txt").write_text("a.png\n../outside/secret.png\n")
    (outside / "list.txt").write_text("secret.png\n")
    (root / "link.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    (root / "list.txt").symlink_to(outside / "list.txt")
    (root / "linked.tar").symlink_to(outside / "shard.tar")
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "c.png").write_bytes(b"x")
    return root


@pytest.fixture
def server(sqlite_url: str, inside: Path) -> Iterator[Serving]:
    """A server that may read below the root."""
    with running(sqlite_url, weights="demo", roots=(inside,)) as started:
        yield started


@pytest.fixture
def client(server: Serving) -> Iterator[httpx.Client]:
    """A client of it."""
    with asking(server) as made:
        yield made


OUTSIDE = [
    "{root}/link.png",
    "{root}/folder/secret.png",
    "{root}/../outside/secret.png",
    "{root}/sub/../../outside/secret.png",
    "{root}-2/c.png",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/environ",
    "file://{root}/link.png",
    "file:///etc/passwd",
    "FILE://localhost/etc/passwd",
    "file:///%65tc/passwd",
    "tar://{outside}/shard.tar#secret.png",
    "TAR://{outside}/shard.tar#secret.png",
    "zip://{outside}/shard.zip#secret.png",
    "zip://{root}/..%2Foutside/shard.zip#secret.png",
    "tar://{root}/linked.tar#secret.png",
    "{root}/nul\0/../../outside/secret.png",
    "relative.png",
    "../outside/secret.png",
    "~/secret.png",
    "",
]


def fill(text: str, root: Path) -> str:
    return text.format(root=root, outside=root.parent / "outside")


SOURCES_OUTSIDE = [
    *(one for one in OUTSIDE if one),
    "{outside}",
    "{root}/folder",
    "{root}/folder/*.png",
    "{root}/../*/secret.png",
    "{root}/*/secret.png",
    "{root}/*/deep/*",
    "{root}/{{sub,folder}}/*.png",
    "{root}/{{a,../outside/secret}}.png",
    "{{/etc,{root}}}/passwd",
    "/**/secret.png",
    "/*",
    "/",
    "{root}/..",
    "{root}/list.txt",
    "{root}/bad.txt",
    "{root}/linked.tar",
    "{outside}/list.txt",
    "{outside}/shard.tar",
    "-",
]


def test_a_reference_outside_is_refused(
    server: Serving, client: httpx.Client, inside: Path
) -> None:
    for reference in (fill(text, inside) for text in OUTSIDE):
        answers = [
            client.post(JOBS, json={"references": [str(inside / "a.png"), reference]}),
            client.post(JOBS, json={"references": [{"uri": reference, "custom_id": "x"}]}),
        ]
        if reference and "\0" not in reference:
            content = f"{inside}/a.png\n{reference}\n".encode()
            answers.append(client.post(MANIFEST, files={"manifest": ("m.txt", content)}))
        for answer in answers:
            assert answer.status_code == 422, (reference, answer.text)
            assert answer.json()["code"] == ("blocked_path" if reference else "wrong_use")
            assert str(server.settings.uploads) not in answer.text
    assert client.get(JOBS).json()["jobs"] == []


def test_a_source_outside_is_refused(server: Serving, client: httpx.Client, inside: Path) -> None:
    for source in (fill(text, inside) for text in SOURCES_OUTSIDE):
        answer = client.post(JOBS, json={"sources": [source]})
        assert answer.status_code == 422, (source, answer.text)
        shown = answer.json()["detail"].replace(storable(source), "")
        assert "secret.png" not in shown
    assert client.get(JOBS).json()["jobs"] == []


def test_a_source_outside_is_not_even_looked_for(
    server: Serving, client: httpx.Client, inside: Path
) -> None:
    # What is there and what is not are refused alike.
    for there, absent in [
        ("/etc/passwd", "/etc/no such file"),
        ("{outside}/s*.png", "{outside}/none*.png"),
        ("{root}/folder/s*.png", "{root}/folder/none*.png"),
        ("{root}/*/deep/s*", "{root}/*/deep/none*"),
    ]:
        said = []
        for text in (there, absent):
            source = fill(text, inside)
            answer = client.post(JOBS, json={"sources": [source]}).json()
            said.append((answer["code"], answer["detail"].replace(source, "...")))
        assert said[0] == said[1]


def test_what_is_inside_is_read(server: Serving, client: httpx.Client, inside: Path) -> None:
    sources = [
        str(inside / "sub"),
        f"{inside}/s*/*.png",
        f"{inside}/{{a,sub/b}}.png",
        str(inside / "good.txt"),
        str(inside / "shard.tar"),
    ]
    body = {"sources": sources, "references": [f"file://{inside}/a.png"], "name": "all"}
    answer = client.post(JOBS, json=body)
    assert answer.status_code == 201, answer.text
    a, b = f"{inside}/a.png", f"{inside}/sub/b.png"
    found = [uri for uri, _ in images_of(server, "all")]
    assert found == [b, b, a, b, a, b, f"tar://{inside}/shard.tar#a.png", a]
    roots = answer.json()["job"]["options"]["roots"]
    assert roots == [str(inside), str(server.settings.uploads)]


def test_without_roots_no_local_path_is_taken(sqlite_url: str, inside: Path) -> None:
    with running(sqlite_url, weights="demo") as server, asking(server) as client:
        bodies = (
            {"references": [f"{inside}/a.png"]},
            {"sources": [f"{inside}/a.png"]},
            {"sources": [str(inside)]},
            {"references": [f"tar://{inside}/shard.tar#a.png"]},
        )
        for body in bodies:
            said = refused(client.post(JOBS, json=body), 422, "blocked_path")
            assert "IMAGEMILL_ROOTS" in said


def test_a_link_that_changes_later_is_not_followed(
    server: Serving, client: httpx.Client, inside: Path
) -> None:
    body = {"references": [f"{inside}/a.png"], "name": "mine"}
    assert client.post(JOBS, json=body).status_code == 201
    assert client.get("/api/v1/jobs/mine/images/0/thumbnail").status_code == 200
    (inside / "a.png").unlink()
    (inside / "a.png").symlink_to(inside.parent / "outside" / "secret.png")
    refused(client.get("/api/v1/jobs/mine/images/0/thumbnail"), 422, "blocked_path")


def test_a_thumbnail_of_a_job_from_http_stays_below_its_roots(
    sqlite_url: str, inside: Path
) -> None:
    with running(sqlite_url) as server, asking(server) as client:
        uri = (f"{inside}/a.png",)
        make_job(server.database, "typed", uris=uri)
        make_job(server.database, "sent", uris=uri, options={"roots": ["/elsewhere"]})
        assert client.get("/api/v1/jobs/typed/images/0/thumbnail").status_code == 200
        refused(client.get("/api/v1/jobs/sent/images/0/thumbnail"), 422, "blocked_path")


def test_the_roots_of_a_worker_and_of_a_job_both_hold(tmp_path: Path, inside: Path) -> None:
    outer, inner, other = inside, inside / "sub", tmp_path / "outside"
    assert narrow((), None) == ()
    assert narrow((outer,), None) == (outer,)
    assert narrow((), (inner,)) == (inner,)
    assert narrow((outer,), (inner,)) == (inner,)
    assert narrow((inner,), (outer, other)) == (inner,)
    assert narrow((outer,), (outer,)) == (outer,)
    assert narrow((outer,), (other,)) == (NOWHERE,)
    assert narrow((), ()) == (NOWHERE,)
    # A link below the one root that leads out of the other is no way around.
    assert narrow((other,), (outer / "folder",)) == (other, outer / "folder")
    for roots, readable in [((inner,), True), ((other,), False), ((NOWHERE,), False)]:
        limits = FetchLimits(10_000, roots=roots)
        if readable:
            assert read_near(f"{inside}/sub/b.png", limits).data
        else:
            with pytest.raises(PictureError, match="leads out"):
                read_near(f"{inside}/sub/b.png", limits)
