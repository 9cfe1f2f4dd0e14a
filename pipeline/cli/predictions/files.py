"""Where an export goes: standard output, or a file that appears when it is whole."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ExportFormat(StrEnum):
    """What an export can be written as."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


def choose_format(stated: ExportFormat | None, output: Path | None) -> ExportFormat:
    """Return the stated format, else that of the file's suffix, else (standard output) JSONL.

    Raises UsageError for a suffix that says nothing, and for Parquet on a terminal.
    """
    chosen = stated or _guess(output)
    if chosen is ExportFormat.PARQUET and output is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal; give --output FILE or a pipe")
    return chosen


@contextmanager
def destination(output: Path | None) -> Iterator[BinaryIO]:
    """Yield what to write to; a file takes its name only when all of it is on the disk.

    Raises UsageError when it cannot be written.
    """
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # A device or a pipe (/dev/stdout) is written to; putting a file in its place would harm.
    opened = _in_place(output) if output.exists() and not output.is_file() else _whole(output)
    try:
        with opened as file:
            yield file
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot write {output}: {reason}; choose another --output") from error


@contextmanager
def _in_place(output: Path) -> Iterator[BinaryIO]:
    with output.open("wb") as file:
        yield file


@contextmanager
def _whole(output: Path) -> Iterator[BinaryIO]:
    target = output.resolve()
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _guess(output: Path | None) -> ExportFormat:
    if output is None:
        return ExportFormat.JSONL
    suffix = output.suffix.lower().removeprefix(".")
    if suffix in set(ExportFormat):
        return ExportFormat(suffix)
    raise UsageError(f"cannot tell the format of {output}; say --format csv, jsonl or parquet")
