"""Where an export goes, and that no half of one is ever left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.cli.predictions.files import ExportFormat, choose_format, destination
from pipeline.errors import UsageError


@pytest.mark.parametrize("name", ["a.csv", "a.JSONL", "a.parquet"])
def test_the_suffix_says_the_format(name: str) -> None:
    assert choose_format(None, Path(name)) == Path(name).suffix[1:].lower()


def test_a_stated_format_goes_before_the_suffix() -> None:
    assert choose_format(ExportFormat.CSV, Path("a.parquet")) is ExportFormat.CSV


def test_a_suffix_that_says_nothing_is_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="--format csv, jsonl or parquet"):
        choose_format(None, Path("a.xlsx"))


def test_parquet_on_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with pytest.raises(UsageError, match="--output"):
        choose_format(ExportFormat.PARQUET, None)
    assert choose_format(ExportFormat.PARQUET, Path("a")) is ExportFormat.PARQUET


def test_a_file_takes_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    output.write_bytes(b"old")
    with destination(output) as file:
        file.write(b"new")
        assert output.read_bytes() == b"old"
    assert output.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [output]


def test_an_export_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    output.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), destination(output) as file:
        file.write(b"half" * (file.write(b"half") // 0))
    assert output.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [output]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with destination(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    # A pipe stands for /dev/null, which a broken export would replace for the whole machine.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with destination(pipe) as file:
        file.write(b"sent")
    assert os.read(reader, 10) == b"sent"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="No such file or directory; choose another --output"),
        destination(tmp_path / "no" / "a.csv"),
    ):
        pass


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"), destination(tmp_path):
        pass
