"""Size and version of an image are seen without reading it, wherever it lies."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipeline import archives
from pipeline.fetch.limits import FetchLimits
from pipeline.fetch.near import read_near
from pipeline.known.facts import find_facts
from pipeline.records import FileFacts, Reference

LIMITS = FetchLimits(2**20)


class Host(BaseHTTPRequestHandler):
    """Says of a picture what its path says, to whoever asks by HEAD; notes each request."""

    seen: list[str] = []  # noqa: RUF012 (one for the tests' only host)

    def do_HEAD(self) -> None:
        self.seen.append(self.path)
        name = self.path.rpartition("/")[2]
        self.send_response(404 if name == "gone.jpg" else 200)
        self.send_header("Content-Length", "1234")
        if name == "tagged.jpg":
            self.send_header("ETag", '"abc"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        Host.seen.clear()
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def facts_of(*uris: str, limits: FetchLimits = LIMITS) -> list[FileFacts | None]:
    return find_facts([Reference(uri) for uri in uris], limits)


def test_a_file_has_the_version_that_reading_it_gives(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"picture")
    link = tmp_path / "link.jpg"
    link.symlink_to(path)
    fetched = read_near(str(path), LIMITS)
    wanted = FileFacts(len(fetched.data), fetched.version)
    found = facts_of(str(path), str(tmp_path / "none.jpg"), str(link), "/a\0.jpg", "invalid:")
    assert found == [wanted, None, wanted, None, None]


def test_a_member_of_an_archive_has_the_version_that_reading_it_gives(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"picture")
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        shard.add(tmp_path / "a.jpg", "a.jpg")
        shard.add(tmp_path / "a.jpg", "b.jpg")
    members = [f"tar://{tmp_path}/shard.tar#{name}.jpg" for name in ("a", "b", "c")]
    *found, missing = facts_of(*members)
    fetched = [read_near(uri, LIMITS) for uri in members[:2]]
    assert found == [FileFacts(len(one.data), one.version) for one in fetched]
    assert missing is None
    assert archives.facts_of(members[0], LIMITS) == found[0]


def test_the_web_is_asked_by_head_under_the_limits_of_this_process(port: int) -> None:
    names = ("tagged.jpg", "plain.jpg", "gone.jpg")
    urls = [f"http://127.0.0.1:{port}/{name}" for name in names]
    assert facts_of(*urls) == [None, None, None]
    assert Host.seen == [], "this machine is not asked unless that is allowed"
    allowed = replace(LIMITS, private_hosts=("127.0.0.1",), ports=(80, 443, port))
    tagged, plain, gone = facts_of(*urls, limits=allowed)
    assert tagged == FileFacts(1234, '"abc"')
    assert plain is not None
    assert (plain.version, gone) == (None, None)
    assert sorted(Host.seen) == ["/gone.jpg", "/plain.jpg", "/tagged.jpg"]


def test_the_callers_thread_may_have_an_event_loop(port: int) -> None:
    allowed = replace(LIMITS, private_hosts=("127.0.0.1",), ports=(port,))

    async def ask() -> list[FileFacts | None]:
        return facts_of(f"http://127.0.0.1:{port}/tagged.jpg", limits=allowed)

    assert asyncio.run(ask()) == [FileFacts(1234, '"abc"')]


def test_what_a_source_said_is_not_asked_again_and_other_kinds_are_told_apart(
    port: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"picture")
    said = FileFacts(1, "said")
    references = [
        Reference(f"http://127.0.0.1:{port}/tagged.jpg", facts=said),
        Reference("ftp://127.0.0.1/a.jpg"),
        Reference(str(path)),
        Reference(str(path), facts=said),
        Reference(f"http://127.0.0.1:{port}/tagged.jpg"),
    ]
    allowed = replace(LIMITS, private_hosts=("127.0.0.1",), ports=(port,))
    first, unknown, file, told, asked = find_facts(references, allowed)
    assert (first, unknown, told) == (said, None, said)
    assert file is not None
    assert file.size == 7
    assert asked == FileFacts(1234, '"abc"')
    assert Host.seen == ["/tagged.jpg"]
