"""Stores that fsspec alone knows, by two of its filesystems: one with a loop of its own, one not.

Google's and Azure's have no server here; what they share with these is what is tested.
"""

from __future__ import annotations

from typing import Any

import fsspec
import pytest
from s3_server import KEY, SECRET, Bucket

from pipeline.failures import PictureError
from pipeline.stores.plain import PlainStore
from pipeline.stores.schemes import Address
from pipeline.stores.store import Found

pytest_plugins = ["s3_fixtures"]

NAMES = ("b.jpg", "a.jpg", "sub/d.jpg", "sub/deep/c.jpg", "subway.jpg", "z/e.jpg")


@pytest.fixture(params=["s3", "memory"])
def store(request: pytest.FixtureRequest) -> PlainStore:
    """A store that holds the names, each with itself as its bytes."""
    if request.param == "memory":
        filesystem: Any = fsspec.filesystem("memory", skip_instance_cache=True)
        for name in NAMES:
            filesystem.pipe_file(f"pictures/plain/{name}", name.encode())
        return PlainStore(filesystem)
    url, bucket = request.getfixturevalue("s3_environment"), request.getfixturevalue("bucket")
    assert isinstance(bucket, Bucket)
    bucket.put({f"plain/{name}": name.encode() for name in NAMES})
    words = {"key": KEY, "secret": SECRET, "endpoint_url": url, "use_listings_cache": False}
    return PlainStore(fsspec.filesystem("s3", skip_instance_cache=True, **words))


def at(path: str) -> Address:
    return Address("x", "pictures", path)


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("plain/", sorted(NAMES)),
        ("plain/sub/", ["sub/d.jpg", "sub/deep/c.jpg"]),
        ("plain/su", ["sub/d.jpg", "sub/deep/c.jpg", "subway.jpg"]),
    ],
)
def test_what_begins_with_a_prefix_is_listed(
    store: PlainStore, prefix: str, names: list[str]
) -> None:
    found = list(store.iterate(at(prefix), 10))

    assert [(each.path, each.size) for each in found] == [(f"plain/{n}", len(n)) for n in names]


def test_an_object_is_read_as_it_is_listed(store: PlainStore) -> None:
    for found in store.iterate(at("plain/"), 10):
        fetched = store.read(at(found.path), 99, 10)
        assert f"plain/{fetched.data.decode()}" == found.path
        assert Found(found.path, len(fetched.data), fetched.version) == found
        assert store.look_at(at(found.path), 10) == found
    assert store.read_range(at("plain/a.jpg"), 1, 99, None, 10) == b".jpg"


@pytest.mark.parametrize(
    ("path", "max_bytes", "code"),
    [
        ("plain/none.jpg", 99, "not_found"),
        ("plain/sub", 99, "not_an_image"),
        ("plain/a.jpg", 4, "too_large"),
    ],
)
def test_what_cannot_be_read_has_its_code(
    store: PlainStore, path: str, max_bytes: int, code: str
) -> None:
    with pytest.raises(PictureError) as caught:
        store.read(at(path), max_bytes, 10)
    assert caught.value.failure.code == code
