from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from archive_helpers import LIMITS, failure_of
from s3_server import KEY, PUBLIC, SECRET, Bucket
from services import find_free_port

from pipeline.fetch.limits import FetchLimits
from pipeline.records import FileFacts
from pipeline.stores import facts_of, is_store, read_object
from pipeline.stores.opening import close_stores

pytest_plugins = ["s3_fixtures"]

_ROOT = Path(__file__).parents[2]

SetUp = Callable[..., None]


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> SetUp:
    """Change the environment; what is connected is forgotten."""

    def change(**variables: str | None) -> None:
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        close_stores()

    return change


@pytest.fixture
def silent_url() -> Iterator[str]:
    """An endpoint that takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def code(uri: str, limits: FetchLimits = LIMITS) -> str:
    failure = failure_of(read_object, uri, limits)
    assert KEY not in failure.message
    assert SECRET not in failure.message
    assert facts_of(uri, limits) is None or failure.code == "too_large"
    return failure.code


def test_an_object_has_bytes_and_a_version_that_changes_with_them(bucket: Bucket) -> None:
    uri = bucket.at("o/a.jpg")
    bucket.put({"o/a.jpg": b"one"})
    first = read_object(uri, LIMITS)
    assert (first.data, facts_of(uri, LIMITS)) == (b"one", FileFacts(3, first.version))

    bucket.put({"o/a.jpg": b"two"})
    second = read_object(uri, LIMITS)
    assert second.data == b"two"
    assert second.version not in (None, first.version)


@pytest.mark.parametrize("key", ["o/a b%20#?+ü&.jpg", "o/[1]*.jpg", "o//double.jpg"])
def test_a_key_is_taken_letter_by_letter(bucket: Bucket, key: str) -> None:
    bucket.put({key: key.encode()})

    assert read_object(bucket.at(key), LIMITS).data == key.encode()


def test_an_empty_object_is_no_trouble(bucket: Bucket) -> None:
    bucket.put({"o/empty.jpg": b""})

    assert read_object(bucket.at("o/empty.jpg"), LIMITS).data == b""


def test_max_bytes_are_the_most(bucket: Bucket) -> None:
    bucket.put({"o/full": bytes(LIMITS.max_bytes), "o/over": bytes(LIMITS.max_bytes + 1)})

    assert len(read_object(bucket.at("o/full"), LIMITS).data) == LIMITS.max_bytes
    assert code(bucket.at("o/over")) == "too_large"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://pictures/no/such.jpg", "not_found"),
        ("s3://no-such-bucket/a.jpg", "not_found"),
        ("s3://pictures/", "invalid_reference"),
        ("s3://pictures", "invalid_reference"),
        ("s3://pictures/o/", "invalid_reference"),
        ("s3:///a.jpg", "invalid_reference"),
        ("s3://No_Bucket!/a.jpg", "invalid_reference"),
        ("s3://key:secret@pictures/a.jpg", "invalid_reference"),
        ("s3://b::file:///etc/passwd", "invalid_reference"),
        ("s3a://pictures/a.jpg", "unsupported_scheme"),
    ],
)
def test_an_address_that_leads_nowhere_has_its_code(
    bucket: Bucket, uri: str, expected: str
) -> None:
    assert code(uri) == expected


@pytest.mark.parametrize("scheme", ["file", "local", "memory", "http", "https", "simplecache"])
def test_what_is_no_store_is_never_enabled(scheme: str) -> None:
    limits = FetchLimits(max_bytes=9, schemes=(scheme,))

    assert not is_store(f"{scheme}://etc/passwd", limits)
    assert code(f"{scheme}://etc/passwd", limits) == "unsupported_scheme"


def test_a_scheme_that_is_not_enabled_and_a_package_that_is_missing_are_told() -> None:
    assert "IMAGEMILL_SCHEMES" in failure_of(read_object, "oci://b/a.jpg").message
    limits = FetchLimits(max_bytes=9, schemes=("gs", "nonsense"))
    assert "pip install 'imagemill[gs]'" in failure_of(read_object, "gs://b/a", limits).message
    assert "no scheme" in failure_of(read_object, "nonsense://b/a", limits).message


def test_wrong_credentials_and_none_are_told(bucket: Bucket, set_up: SetUp) -> None:
    bucket.put({"o/a.jpg": b"one"})
    set_up(AWS_SECRET_ACCESS_KEY="wrong")
    assert code(bucket.at("o/a.jpg")) == "permission_denied"
    set_up(AWS_SECRET_ACCESS_KEY=None, AWS_ACCESS_KEY_ID=None)
    assert code(bucket.at("o/a.jpg")) == "permission_denied"


def test_a_public_bucket_needs_no_credentials(s3_url: str, s3_environment: str) -> None:
    Bucket(s3_url, PUBLIC).put({"a.jpg": b"for all"})
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_ACCESS_KEY")}
    # fsspec reads its own variables when it is imported: in another process.
    script = (
        "from pipeline.fetch.limits import FetchLimits; from pipeline.stores import read_object;"
        f"print(read_object('s3://{PUBLIC}/a.jpg', FetchLimits(max_bytes=99)).data)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"FSSPEC_S3_ANON": "true", "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout == "b'for all'\n", ran.stderr


def test_a_store_that_is_down_is_a_passing_failure(bucket: Bucket, set_up: SetUp) -> None:
    set_up(AWS_ENDPOINT_URL=f"http://127.0.0.1:{find_free_port()}")

    failure = failure_of(read_object, bucket.at("o/a.jpg"))
    assert (failure.code, failure.retryable) == ("connect_error", True)


def test_the_environments_proxy_is_not_asked(bucket: Bucket, set_up: SetUp) -> None:
    bucket.put({"o/a.jpg": b"one"})
    set_up(HTTP_PROXY=f"http://127.0.0.1:{find_free_port()}")

    assert read_object(bucket.at("o/a.jpg"), LIMITS).data == b"one"


def test_a_store_that_says_nothing_is_left_in_time(
    bucket: Bucket, set_up: SetUp, silent_url: str
) -> None:
    set_up(AWS_ENDPOINT_URL=silent_url)
    limits = FetchLimits(max_bytes=9, timeout_s=1)

    start = time.monotonic()
    assert failure_of(read_object, bucket.at("o/a.jpg"), limits).code == "timeout"
    assert time.monotonic() - start < 4


def test_64_threads_may_read_at_once(bucket: Bucket) -> None:
    bucket.put({f"t/{n}.jpg": bytes(n) for n in range(200)})

    with ThreadPoolExecutor(64) as pool:
        found = pool.map(lambda n: read_object(bucket.at(f"t/{n}.jpg"), LIMITS).data, range(200))
        assert [len(data) for data in found] == list(range(200))


@pytest.mark.parametrize("method", ["fork", "forkserver"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_of_a_process_that_has_read_reads_too(bucket: Bucket, method: str) -> None:
    bucket.put({"o/a.jpg": b"one"})
    uri = bucket.at("o/a.jpg")
    assert read_object(uri, LIMITS).data == b"one"

    context: Any = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=_read_in_child, args=(theirs, uri, dict(os.environ)))
    child.start()
    assert ours.poll(60)
    assert ours.recv() == b"one"
    child.join(30)
    assert child.exitcode is not None


def _read_in_child(pipe: Connection, uri: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    pipe.send(read_object(uri, LIMITS).data)
