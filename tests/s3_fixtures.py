"""The S3 server that tests share, and the environment in which our code reaches it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from s3_server import KEY, OTHER_S3, SECRET, Bucket, S3Server

from pipeline.stores.opening import close_stores


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The endpoint of the S3 server that all tests share: ours, or a given one."""
    if OTHER_S3:
        yield OTHER_S3
        return
    with S3Server() as server:
        yield server.url


@pytest.fixture
def s3_environment(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The environment in which ``s3://`` means that server; nothing else of the user's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    # No test asks an address beyond loopback for credentials.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    close_stores()
    yield s3_url
    close_stores()


@pytest.fixture(scope="session")
def shared_bucket(s3_url: str) -> Bucket:
    """One bucket for all tests; each writes below a prefix of its own."""
    return Bucket(s3_url, "pictures")


@pytest.fixture
def bucket(s3_environment: str, shared_bucket: Bucket) -> Bucket:
    """The bucket, and the environment in which our code reaches it."""
    return shared_bucket
