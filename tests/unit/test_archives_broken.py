from __future__ import annotations

import os
import random
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from archive_helpers import LIMITS, failure_of, pack_tar, pack_zip
from source_helpers import early_refusal, refusal, uris

from pipeline.archives import facts_of, read_member
from pipeline.errors import SourceError
from pipeline.failures import PictureError
from pipeline.fetch.limits import FetchLimits


def code(uri: str, limits: FetchLimits = LIMITS) -> str:
    return failure_of(read_member, uri, limits).code


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("tar://relative.tar#x.jpg", "invalid_reference"),
        ("tar:///a.tar", "invalid_reference"),
        ("tar:///a.tar#", "invalid_reference"),
        ("tar:///a%00.tar#x.jpg", "invalid_reference"),
        ("tar:///a%ff.tar#x.jpg", "invalid_reference"),
        ("zip:///no/such.zip#x.jpg", "not_found"),
        ("zip:///dev/zero#x.jpg", "not_an_image"),
        ("tar:///tmp#x.jpg", "not_an_image"),
        ("tar+file:///etc/passwd#x", "unsupported_scheme"),
        ("zip+http://127.0.0.1/a.zip#x", "unsupported_scheme"),
        ("tar+foo://a/b.tar#x", "unsupported_scheme"),
    ],
)
def test_a_uri_that_leads_to_no_archive_has_its_code(uri: str, expected: str) -> None:
    assert code(uri) == expected
    assert facts_of(uri, LIMITS) is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")

    assert code(f"tar://{tmp_path}/a.tar#x.jpg") == "not_an_image"
    assert "pipe" in refusal(tmp_path / "a.tar")


def test_a_member_that_is_missing_is_not_found(tmp_path: Path) -> None:
    pack_tar(tmp_path / "a.tar", [("x.jpg", b"x")])
    pack_zip(tmp_path / "a.zip", [("x.jpg", b"x")])

    assert code(f"tar://{tmp_path}/a.tar#y.jpg") == "not_found"
    assert code(f"zip://{tmp_path}/a.zip#y.jpg") == "not_found"


def test_links_and_devices_are_no_images_and_lead_nowhere(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in [("s", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("p", tarfile.FIFOTYPE)]:
            info = tarfile.TarInfo(f"{name}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        link = zipfile.ZipInfo("s.jpg")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        packed.writestr(link, "/etc/passwd")

    found = uris(tmp_path / "a.tar", tmp_path / "a.zip")
    assert [code(uri) for uri in found] == ["not_an_image"] * 4


class TestTooLarge:
    @pytest.mark.parametrize("extra", [0, 1])
    def test_a_member_may_have_max_bytes(self, tmp_path: Path, extra: int) -> None:
        data = b"x" * (LIMITS.max_bytes + extra)
        members = [("x.jpg", data)]
        for archive in (
            pack_tar(tmp_path / "a.tar", members),
            pack_zip(tmp_path / "a.zip", members),
        ):
            [uri] = uris(archive)
            if extra:
                assert code(uri) == "too_large"
            else:
                assert read_member(uri, LIMITS).data == data

    def test_a_bomb_that_lies_about_its_size_is_stopped(self, tmp_path: Path) -> None:
        path = pack_zip(tmp_path / "a.zip", [("x.jpg", b"\0" * 50_000_000)])
        size = (50_000_000).to_bytes(4, "little")
        assert path.read_bytes().count(size) == 2
        path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))

        assert code(f"zip://{path}#x.jpg") == "too_large"

    def test_a_header_that_claims_a_terabyte_allocates_nothing(self, tmp_path: Path) -> None:
        info = tarfile.TarInfo("x.jpg")
        info.size = 2**40
        (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"x")
        info.type = tarfile.XHDTYPE
        (tmp_path / "b.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"x")

        assert code(f"tar://{tmp_path}/a.tar#x.jpg") == "too_large"
        assert code(f"tar://{tmp_path}/b.tar#x.jpg") == "truncated"
        assert "longer than any" in refusal(tmp_path / "b.tar")


class TestBroken:
    def test_what_comes_before_a_break_is_read_and_the_break_is_told(self, tmp_path: Path) -> None:
        path = pack_tar(tmp_path / "a.tar", [("1.jpg", b"one"), ("2.jpg", b"two"), ("3.jpg", b"3")])
        data = bytearray(path.read_bytes())
        data[1024:1100] = b"\xff" * 76  # the second header
        path.write_bytes(data)

        assert read_member(f"tar://{path}#1.jpg", LIMITS).data == b"one"
        assert code(f"tar://{path}#3.jpg") == "truncated"
        assert f"{path} is broken: it cannot be read from byte 1,024 on" in refusal(path)

    def test_a_member_that_breaks_off_is_truncated(self, tmp_path: Path) -> None:
        path = pack_tar(tmp_path / "a.tar", [("1.jpg", b"one"), ("2.jpg", b"x" * 9999)])
        path.write_bytes(path.read_bytes()[:3000])

        assert read_member(f"tar://{path}#1.jpg", LIMITS).data == b"one"
        assert code(f"tar://{path}#2.jpg") == "truncated"

    @pytest.mark.parametrize("name", ["a.tar", "a.zip"])
    @pytest.mark.parametrize("data", [b"", b"no archive" * 200])
    def test_what_is_no_archive_is_refused_before_there_is_a_job(
        self, tmp_path: Path, name: str, data: bytes
    ) -> None:
        (tmp_path / name).write_bytes(data)

        assert "is broken" in early_refusal(tmp_path / name)
        assert code(f"{name[2:]}://{tmp_path}/{name}#x.jpg") == "truncated"

    def test_a_changed_byte_in_a_zip_is_found_by_its_checksum(self, tmp_path: Path) -> None:
        path = pack_zip(tmp_path / "a.zip", [("x.jpg", b"abcdef")], zipfile.ZIP_STORED)
        path.write_bytes(path.read_bytes().replace(b"abcdef", b"abcdeX"))

        assert code(f"zip://{path}#x.jpg") == "decode_error"

    def test_an_encrypted_member_and_a_rare_packing_are_told(self, tmp_path: Path) -> None:
        path = pack_zip(tmp_path / "a.zip", [("x.jpg", b"abc")])
        data = bytearray(path.read_bytes())
        data[data.index(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(data)
        rare = pack_zip(tmp_path / "b.zip", [("x.jpg", b"abc")], zipfile.ZIP_BZIP2)

        assert code(f"zip://{path}#x.jpg") == "permission_denied"
        assert code(f"zip://{rare}#x.jpg") == "unsupported_format"

    @pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.TAR.ZST"])
    def test_a_compressed_tar_is_refused_before_there_is_a_job(
        self, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).write_bytes(b"x")

        assert "unpack it, or pack it again" in early_refusal(tmp_path / name)

    def test_whatever_the_bytes_are_there_is_an_answer(self, tmp_path: Path) -> None:
        chance = random.Random(5)
        members = [(f"{n}.jpg", bytes(300)) for n in range(4)]
        for pack, name in ((pack_tar, "a.tar"), (pack_zip, "a.zip")):
            sound = pack(tmp_path / name, members).read_bytes()
            for _ in range(300):
                data = bytearray(sound)
                for _ in range(chance.randint(1, 9)):
                    data[chance.randrange(len(data))] = chance.randrange(256)
                (tmp_path / name).write_bytes(data[: chance.randint(1, 3) * len(data) // 2])
                _try(tmp_path / name)


class TestNames:
    def test_of_two_members_with_one_name_the_last_is_meant(self, tmp_path: Path) -> None:
        path = pack_tar(tmp_path / "a.tar", [("x.jpg", b"old"), ("x.jpg", b"new")])

        assert [read_member(uri, LIMITS).data for uri in uris(path)] == [b"new", b"new"]

    def test_names_that_lead_out_are_only_names(self, tmp_path: Path) -> None:
        names = ["/etc/x.jpg", "../../x.jpg", "a#b?c%20.jpg", "ü.jpg"]
        path = pack_tar(tmp_path / "a.tar", [(name, name.encode()) for name in names])

        assert uris(path) == [f"tar://{path}#{name}" for name in names]
        assert [read_member(u, LIMITS).data.decode() for u in uris(path)] == names

    def test_a_name_that_is_no_text_is_a_failure_of_its_own(self, tmp_path: Path) -> None:
        path = pack_tar(tmp_path / "a.tar", [("\udcff.jpg", b"x"), ("y.jpg", b"y")])

        assert uris(path) == [rf"invalid:tar://{path}#\udcff.jpg", f"tar://{path}#y.jpg"]


def _try(path: Path) -> None:
    """List an archive and read it: nothing but our own errors may come out."""
    found = []
    with suppress(SourceError):
        found = uris(path)
    for uri in {*found, f"{path.suffix[1:]}://{path}#1.jpg"}:
        with suppress(PictureError):
            read_member(uri, LIMITS)
