from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from other_user import public_folder, without_root

from pipeline.failures import PictureError
from pipeline.fetch.files import read_bytes
from pipeline.fetch.limits import FetchLimits
from pipeline.records import Failure

LIMITS = FetchLimits(max_bytes=1000)


def failure_of(uri: str | Path, limits: FetchLimits = LIMITS) -> Failure:
    with pytest.raises(PictureError) as caught:
        read_bytes(str(uri), limits)
    return caught.value.failure


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x" * 1000)
    return path


def test_a_file_is_read_whole_with_its_modified_time(file: Path) -> None:
    os.utime(file, ns=(1, 1_700_000_000_123_456_789))

    fetched = read_bytes(str(file), LIMITS)
    assert (fetched.data, fetched.version) == (b"x" * 1000, "1700000000123456789")


def test_an_empty_file_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert read_bytes(str(tmp_path / "empty"), LIMITS).data == b""


@pytest.mark.parametrize(
    ("uri", "code", "words"),
    [
        ("invalid:", "invalid_reference", "empty"),
        ("", "invalid_reference", "empty"),
        (r"invalid:a\x00b", "invalid_reference", "bytes"),
        ("/a\0b", "invalid_reference", "bytes"),
        ("/a\udcff", "invalid_reference", "bytes"),
        ("relative.jpg", "invalid_reference", "not absolute"),
        ("/" + "x" * 300, "invalid_reference", "longer"),
        ("/x" * 3000, "invalid_reference", "longer"),
        ("s3://bucket/a.jpg", "unsupported_scheme", "s3://"),
        ("file://elsewhere/a.jpg", "unsupported_scheme", "file://"),
        ("/no/such/file.jpg", "not_found", "no such file"),
        ("/dev/zero", "not_an_image", "device"),
        ("/dev/null", "not_an_image", "device"),
        ("/etc", "not_an_image", "folder"),
        ("/proc/self/mem", "connect_error", "cannot be read now"),
    ],
)
def test_what_cannot_be_read_has_its_code(uri: str, code: str, words: str) -> None:
    failure = failure_of(uri)

    assert failure.code == code
    assert words in failure.message


def test_a_signed_urls_query_is_never_told() -> None:
    failure = failure_of("https://user:pass@host/a.jpg?X-Signature=s3cr3t")

    assert "s3cr3t" not in failure.message
    assert "pass" not in failure.message


def test_a_path_through_a_file_and_links_in_a_circle_lead_nowhere(file: Path) -> None:
    circle = file.parent / "circle"
    circle.symlink_to(circle)

    assert failure_of(file / "b.jpg").code == "not_found"
    assert failure_of(circle).code == "not_found"


def test_a_pipe_and_a_socket_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))

        assert "pipe" in failure_of(tmp_path / "pipe.jpg").message
        assert "socket" in failure_of(tmp_path / "s.jpg").message


def test_a_file_that_became_a_pipe_after_the_look_is_not_waited_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = file.stat()
    file.unlink()
    os.mkfifo(file)
    monkeypatch.setattr(os, "stat", lambda _: seen)

    assert failure_of(file).code == "not_an_image"


def test_the_size_limit_is_exact(file: Path) -> None:
    assert len(read_bytes(str(file), FetchLimits(1000)).data) == 1000
    assert failure_of(file, FetchLimits(999)).code == "too_large"


def test_a_file_that_grows_while_it_is_read_does_not_pass_the_limit(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = os.read

    def read_while_it_grows(descriptor: int, count: int) -> bytes:
        data = read(descriptor, count)
        with file.open("ab") as growing:
            growing.write(b"y" * 100)
        return data

    monkeypatch.setattr(os, "read", read_while_it_grows)
    assert failure_of(file, FetchLimits(5000)).code == "too_large"


def test_a_file_without_a_size_is_read_to_its_end() -> None:
    whole = Path("/proc/self/status").read_text().splitlines()[0]

    assert whole.encode() in read_bytes("/proc/self/status", FetchLimits(100_000)).data
    assert failure_of("/proc/self/status", FetchLimits(10)).code == "too_large"


def test_a_file_of_somebody_else_is_denied() -> None:
    with public_folder() as folder:
        (folder / "a.jpg").touch()
        (folder / "a.jpg").chmod(0)
        with without_root():
            assert failure_of(folder / "a.jpg").code == "permission_denied"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EIO, "connect_error"),
        (errno.ESTALE, "connect_error"),
        (errno.EPERM, "permission_denied"),
    ],
)
def test_a_mount_that_went_away_may_come_back(
    number: int, code: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "read", fail)
    failure = failure_of(file)
    assert failure.code == code
    assert failure.retryable == (code == "connect_error")


def test_no_descriptor_is_left_open(file: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        read_bytes(str(file), LIMITS)
        failure_of(file, FetchLimits(10))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


class TestRoots:
    def test_a_path_below_a_root_is_read(self, file: Path) -> None:
        limits = FetchLimits(1000, (Path("/nowhere"), file.parent))

        assert read_bytes(str(file), limits).data

    @pytest.mark.parametrize("uri", ["/etc/passwd", "/etc/no-such-file", "/dev/zero", "/"])
    def test_any_other_path_is_blocked_and_nothing_is_told_of_it(
        self, uri: str, tmp_path: Path
    ) -> None:
        failure = failure_of(uri, FetchLimits(1000, (tmp_path,)))

        assert failure.code == "blocked_path"
        assert "such" not in failure.message

    def test_neither_a_link_nor_dots_lead_out(self, tmp_path: Path) -> None:
        root = tmp_path / "root"
        root.mkdir()
        (tmp_path / "secret.jpg").touch()
        (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
        (root / "folder").symlink_to(tmp_path)
        limits = FetchLimits(1000, (root,))

        for path in ("link.jpg", "../secret.jpg", "folder/secret.jpg"):
            assert failure_of(f"{root}/{path}", limits).code == "blocked_path"

    def test_a_folder_whose_name_begins_like_the_root_is_no_root(self, tmp_path: Path) -> None:
        (tmp_path / "rootless").mkdir()
        (tmp_path / "rootless" / "a.jpg").touch()

        limits = FetchLimits(1000, (tmp_path / "root",))
        assert failure_of(tmp_path / "rootless" / "a.jpg", limits).code == "blocked_path"

    def test_a_root_that_is_a_link_holds_what_it_leads_to(self, file: Path) -> None:
        root = file.parent / "root"
        root.symlink_to(file.parent)

        assert read_bytes(str(root / "a.jpg"), FetchLimits(1000, (root,))).data

    def test_a_link_put_in_place_after_the_check_is_not_followed(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = file.parent.parent / "secret.jpg"
        secret.touch()
        stat = os.stat

        def swap(path: str) -> os.stat_result:
            file.unlink()
            file.symlink_to(secret)
            return stat(path)

        monkeypatch.setattr(os, "stat", swap)
        assert failure_of(file, FetchLimits(1000, (file.parent,))).code == "not_found"
        secret.unlink()

    def test_another_file_put_in_place_after_the_check_is_not_read(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = file.stat()
        file.rename(file.with_name("was.jpg"))
        file.write_bytes(b"another file")
        monkeypatch.setattr(os, "stat", lambda _: seen)

        assert failure_of(file, FetchLimits(1000, (file.parent,))).code == "blocked_path"

    def test_the_root_of_all_allows_all(self, file: Path) -> None:
        assert read_bytes(str(file), FetchLimits(1000, (Path("/"),))).data
